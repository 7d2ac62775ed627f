-- Begins the next batch, if the run still stands where the gate saw it. One of many callers wins.
-- KEYS: run, status, events
-- ARGV: batch the gate saw, batch to begin, reason, hosts to begin ...
if redis.call('HGET', KEYS[1], 'batch') ~= ARGV[1] or redis.call('HGET', KEYS[1], 'left') ~= '0' then
  return 0
end
local standing = redis.call('HMGET', KEYS[1], 'state', 'cancelled_by')
if (standing[1] ~= 'queued' and standing[1] ~= 'running') or standing[2] then
  return 0
end
local now = string.format('%d', now_ms())
local begun = 0
for index = 4, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[index]) == 'waiting' then
    redis.call('HSET', KEYS[2], ARGV[index], 'sent')
    begun = begun + 1
  end
end
redis.call('HSETNX', KEYS[1], 'started', now)
redis.call('HSET', KEYS[1], 'batch', ARGV[2], 'left', begun, 'state', 'running', 'sent_at', now)
event(KEYS[3], 'batch', '', ARGV[2] .. ' ' .. begun .. ' ' .. ARGV[3])
return 1
