-- Takes a host for one worker: its lease, and a fencing token newer than any before.
-- KEYS: run, status, events, lease, server, who waits for the lease
-- ARGV: run id, host, worker, lease in ms
-- Returns {'claimed', token, times claimed before, who cancels the run} or {reason, detail}:
--   over: the host or its run is done; held: a live worker has it; busy: another run has the host.
local state = redis.call('HMGET', KEYS[1], 'state', 'cancelled_by')
local status = redis.call('HGET', KEYS[2], ARGV[2])
if not status or state[1] ~= 'running' then
  return {'over', state[1] or 'unknown run'}
end
local phase = string.match(status, '^%w+')
if phase ~= 'sent' and phase ~= 'running' then
  return {'over', status}
end
local now = now_ms()
local lease = redis.call('HMGET', KEYS[4], 'run', 'host', 'until', 'worker', 'claims')
local again = 0
if lease[1] then
  if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[6], 'NX', time[1] * 1000000 + time[2], ARGV[1] .. ' ' .. ARGV[2])
    return {'busy', lease[1] .. ' ' .. lease[2]}
  end
  if tonumber(lease[3]) > now then
    return {'held', lease[4]}
  end
  again = tonumber(lease[5])
elseif state[2] and phase == 'sent' then
  return {'over', 'cancelled'}
end
local token = new_token(KEYS[5])
redis.call('HSET', KEYS[4], 'run', ARGV[1], 'host', ARGV[2], 'worker', ARGV[3], 'token', token,
  'until', string.format('%d', now + tonumber(ARGV[4])), 'claims', again + 1)
redis.call('HSET', KEYS[2], ARGV[2], 'running ' .. token)
event(KEYS[3], again == 0 and 'host_started' or 'host_taken_over', ARGV[2], ARGV[3] .. ' ' .. token)
return {'claimed', token, again, state[2] or ''}
