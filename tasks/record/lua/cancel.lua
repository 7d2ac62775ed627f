-- Asks for a run's end: hosts that no worker has yet are let go; workers end those under way.
-- KEYS: run
-- ARGV: who asks, 1 to grant no time to what runs
-- Returns {'asked', hosts left} or {'ended', state} or {'unknown', ''}.
local standing = redis.call('HMGET', KEYS[1], 'state', 'cancelled_by')
if not standing[1] then
  return {'unknown', ''}
end
if ENDED[standing[1]] then
  return {'ended', standing[1]}
end
if not standing[2] then
  cancel(KEYS[1], ARGV[1], ARGV[2] == '1')
elseif ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'cancel_now', '1')
end
return {'asked', redis.call('HGET', KEYS[1], 'left')}
