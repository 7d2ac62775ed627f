-- Writes what a person decided about a host whose end was not known; the run goes on once nothing is unknown any more.
-- KEYS: run, hosts, status, results, events, active, log keys' prefix, deferred
-- ARGV: run id, host, decision (ok, failed, rerun), who, result (JSON), machine, seconds that a release is kept,
--   then for each host that may still be begun, this one too: name, queue of its machine
-- Returns {'refused', status}, or {'resolved', hosts that are still unknown, 1 when the run goes on}.
local status = redis.call('HGET', KEYS[3], ARGV[2])
if status ~= 'done indeterminate' then
  return {'refused', status or ''}
end
event(KEYS[5], 'resolved', ARGV[2], ARGV[3] .. ' ' .. ARGV[4])
if ARGV[3] ~= 'failed' then
  redis.call('HINCRBY', KEYS[1], 'failed', -1)
end
if ARGV[3] == 'rerun' then
  redis.call('HSET', KEYS[3], ARGV[2], 'sent')
  redis.call('HDEL', KEYS[4], ARGV[2])
  redis.call('HDEL', KEYS[8], ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'left', 1)
  redis.call('HSET', KEYS[1], 'rerun:' .. ARGV[2], '1', 'sent_at', '0')
else
  redis.call('HSET', KEYS[3], ARGV[2], 'done ' .. ARGV[3])
  redis.call('HSET', KEYS[4], ARGV[2], ARGV[5])
end
if ARGV[3] == 'ok' then
  note_release(KEYS[1], ARGV[1], ARGV[6], ARGV[7])
end
-- While the run was over, whoever looked took it out of the queues of its machines.
for index = 8, #ARGV, 2 do
  if ARGV[index + 1] ~= '' and string.sub(redis.call('HGET', KEYS[3], ARGV[index]), 1, 5) ~= 'done ' then
    redis.call('ZADD', ARGV[index + 1], redis.call('HGET', KEYS[1], 'order'), ARGV[1] .. ' ' .. ARGV[index])
  end
end
local unknown = 0
for _, each in ipairs(redis.call('HVALS', KEYS[3])) do
  if each == 'done indeterminate' then
    unknown = unknown + 1
  end
end
if redis.call('HGET', KEYS[1], 'state') ~= 'needs_attention' or (unknown > 0 and ARGV[3] ~= 'rerun') then
  return {'resolved', unknown, 0}
end
redis.call('HSET', KEYS[1], 'state', 'running')
redis.call('HDEL', KEYS[1], 'finished', 'reason')
redis.call('SADD', KEYS[6], ARGV[1])
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]}) do
  redis.call('PERSIST', key)
end
for _, host in ipairs(redis.call('HKEYS', KEYS[3])) do
  redis.call('PERSIST', KEYS[7] .. host)
  redis.call('PERSIST', KEYS[7] .. host .. ':tail')
end
event(KEYS[5], 'reopened', '', ARGV[4])
return {'resolved', unknown, 1}
