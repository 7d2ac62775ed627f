-- Writes the outcome of hosts that are not even begun: their verification failed.
-- KEYS: run, status, results, events
-- ARGV: for each host: name, outcome, result (JSON)
local refused = 0
for index = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[2], ARGV[index]) == 'waiting' then
    redis.call('HSET', KEYS[2], ARGV[index], 'done ' .. ARGV[index + 1])
    redis.call('HSET', KEYS[3], ARGV[index], ARGV[index + 2])
    event(KEYS[4], 'host_finished', ARGV[index], ARGV[index + 2])
    redis.call('HINCRBY', KEYS[1], 'failed', 1)
    refused = refused + 1
  end
end
return refused
