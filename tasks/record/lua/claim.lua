-- Takes a host for one worker: its lease, and a fencing token newer than any before.
-- KEYS: run, status, events, lease, server, deferred, queue of the machine ('' for a verification)
-- ARGV: run id, host, worker, lease in ms
-- Returns {'claimed', token, times claimed before, who cancels the run, 1 to grant what runs no time, ms that it has
--   waited for its route or -1, 1 when a person wants it run again, what it waits for} or {reason, detail}:
--   over: the host or its run is done, or the run is paused; held: a live worker has it; busy: another run comes first.
local run = redis.call('HMGET', KEYS[1], 'state', 'cancelled_by', 'cancel_now', 'rerun:' .. ARGV[2])
local status = redis.call('HGET', KEYS[2], ARGV[2])
local phase = status and string.match(status, '^%w+')
-- A paused run's hosts under way finish, by another worker where theirs is gone.
if phase ~= 'sent' and phase ~= 'running' then
  return {'over', status or 'unknown'}
end
if run[1] ~= 'running' and not (run[1] == 'paused' and phase == 'running') then
  return {'over', run[1] or 'unknown run'}
end
local me = ARGV[1] .. ' ' .. ARGV[2]
local now = now_ms()
local lease = redis.call('HMGET', KEYS[4], 'run', 'host', 'until', 'worker', 'claims', 'deferred')
local again = 0
if lease[1] then
  if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then
    return {'busy', lease[1] .. ' ' .. lease[2]}
  end
  if tonumber(lease[3]) > now and not lease[6] then
    return {'held', lease[4]}
  end
  again = tonumber(lease[5])
else
  -- One that a person wants tried again may have begun: it is asked, and what it has is ended.
  if run[2] and phase == 'sent' and not run[4] then
    return {'over', 'cancelled'}
  end
  local first = KEYS[7] ~= '' and first_in(KEYS[7])
  if first and first ~= me then
    return {'busy', first}
  end
end
local token = new_token(KEYS[5])
redis.call('HSET', KEYS[4], 'run', ARGV[1], 'host', ARGV[2], 'worker', ARGV[3], 'token', token,
  'until', string.format('%d', now + tonumber(ARGV[4])), 'claims', again + 1)
redis.call('HDEL', KEYS[4], 'deferred')
redis.call('HSET', KEYS[2], ARGV[2], 'running ' .. token)
if again == 0 then
  redis.call('HINCRBY', KEYS[1], 'begun', 1)
end
event(KEYS[3], again == 0 and 'host_started' or 'host_taken_over', ARGV[2], ARGV[3] .. ' ' .. token)
local waited, cause = -1, ''
local deferred = redis.call('HGET', KEYS[6], ARGV[2])
if deferred then
  deferred = cjson.decode(deferred)
  waited, cause = now - deferred.since, deferred.cause
end
return {'claimed', token, again, run[2] or '', run[3] and 1 or 0, string.format('%d', waited), run[4] and 1 or 0, cause}
