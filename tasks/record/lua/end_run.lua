-- Ends a run, if it still stands where the gate saw it, and lets everything that is kept of it expire.
-- KEYS: run, events, active, hosts, status, results, log keys' prefix, deferred
-- ARGV: run id, batch the gate saw, state, reason, seconds that a record is kept
local standing = redis.call('HMGET', KEYS[1], 'batch', 'left', 'state')
if standing[1] ~= ARGV[2] or standing[2] ~= '0' or (standing[3] ~= 'queued' and standing[3] ~= 'running') then
  return 0
end
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'reason', ARGV[4], 'finished', string.format('%d', now_ms()))
event(KEYS[2], 'finished', '', ARGV[3] .. ' ' .. ARGV[4])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[8])
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[4], KEYS[5], KEYS[6]}) do
  redis.call('EXPIRE', key, ARGV[5])
end
for _, host in ipairs(redis.call('HKEYS', KEYS[6])) do
  redis.call('EXPIRE', KEYS[7] .. host, ARGV[5])
  redis.call('EXPIRE', KEYS[7] .. host .. ':tail', ARGV[5])
end
return 1
