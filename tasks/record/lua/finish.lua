-- Writes a host's outcome, frees its lease, and tells how many hosts of the batch are left.
-- KEYS: run, status, results, events, lease, log, verified, pins, who waits for the lease
-- ARGV: host, token, outcome, result (JSON), new bytes of the log's head, tail, bytes cut, 1 when the log begins
--   anew, identity when verified ok else '', then pins: identity, key ...
-- Returns {-1} when the token no longer holds the host (nothing is written), else the hosts left and, when
-- another waits for the lease, its run and host: the first that came.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then
  return {-1}
end
append_log(KEYS[6], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
redis.call('HSET', KEYS[2], ARGV[1], 'done ' .. ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
local waiting = {}
if redis.call('HGET', KEYS[5], 'token') == ARGV[2] then
  redis.call('DEL', KEYS[5])
  waiting = redis.call('ZPOPMIN', KEYS[9])
end
event(KEYS[4], 'host_finished', ARGV[1], ARGV[4])
if ARGV[9] ~= '' then
  redis.call('HSET', KEYS[7], ARGV[9], string.format('%d', now_ms()))
end
for index = 10, #ARGV, 2 do
  redis.call('HSETNX', KEYS[8], ARGV[index], ARGV[index + 1])
end
if ARGV[3] ~= 'ok' then
  redis.call('HINCRBY', KEYS[1], 'failed', 1)
end
return {redis.call('HINCRBY', KEYS[1], 'left', -1), waiting[1]}
