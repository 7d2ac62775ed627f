-- Writes a host's outcome, frees its lease, and tells how many hosts of the batch are left.
-- KEYS: run, status, results, events, lease, log, verified, pins, queue of the machine ('' for a verification),
--   deferred
-- ARGV: host, token, outcome, result (JSON), new bytes of the log's head, tail, bytes cut, 1 when the log begins
--   anew, the machine when it was verified or deployed ok else '', run id, seconds that a release is kept, then pins:
--   machine, key ...
-- Returns {-1} when the token no longer holds the host (nothing is written), else the hosts left and, when the message
-- of another run was here already, that run and its host.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then
  return {-1}
end
append_log(KEYS[6], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
redis.call('HSET', KEYS[2], ARGV[1], 'done ' .. ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
redis.call('HDEL', KEYS[10], ARGV[1])
redis.call('HDEL', KEYS[1], 'rerun:' .. ARGV[1])
if redis.call('HGET', KEYS[5], 'token') == ARGV[2] then
  redis.call('DEL', KEYS[5])
end
local waiting = ''
if KEYS[9] ~= '' then
  local first, run, host = first_in(KEYS[9])
  if first and redis.call('HGET', 'run:' .. run .. ':status', host) == 'sent' then
    waiting = first
  end
end
event(KEYS[4], 'host_finished', ARGV[1], ARGV[4])
if ARGV[9] ~= '' then
  if KEYS[9] == '' then
    redis.call('HSET', KEYS[7], ARGV[9], string.format('%d', now_ms()))
  else
    note_release(KEYS[1], ARGV[10], ARGV[9], ARGV[11])
  end
end
for index = 12, #ARGV, 2 do
  redis.call('HSETNX', KEYS[8], ARGV[index], ARGV[index + 1])
end
if ARGV[3] ~= 'ok' then
  redis.call('HINCRBY', KEYS[1], 'failed', 1)
end
return {redis.call('HINCRBY', KEYS[1], 'left', -1), waiting}
