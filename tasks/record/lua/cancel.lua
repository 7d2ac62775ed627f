-- Asks for a run's end: hosts that no worker has yet are let go; workers end those under way.
-- KEYS: run, status, events
-- ARGV: who asks
-- Returns {'asked', hosts left} or {'ended', state} or {'unknown', ''}.
local standing = redis.call('HMGET', KEYS[1], 'state', 'cancelled_by')
if not standing[1] then
  return {'unknown', ''}
end
if standing[1] ~= 'queued' and standing[1] ~= 'running' then
  return {'ended', standing[1]}
end
if not standing[2] then
  redis.call('HSET', KEYS[1], 'cancelled_by', ARGV[1])
  event(KEYS[3], 'cancel', '', ARGV[1])
  local statuses = redis.call('HGETALL', KEYS[2])
  for index = 1, #statuses, 2 do
    if statuses[index + 1] == 'sent' then
      redis.call('HSET', KEYS[2], statuses[index], 'waiting')
      redis.call('HINCRBY', KEYS[1], 'left', -1)
    end
  end
end
return {'asked', redis.call('HGET', KEYS[1], 'left')}
