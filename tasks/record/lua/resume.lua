-- Lets a paused run go on where it stood.
-- KEYS: run, events
-- ARGV: who asks
-- Returns {'resumed'}, or {'refused', state}.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'paused' then
  return {'refused', state or ''}
end
redis.call('HSET', KEYS[1], 'state', redis.call('HGET', KEYS[1], 'batch') == '-1' and 'queued' or 'running')
-- Messages that came meanwhile were let go: as if none had been sent, they are sent again.
redis.call('HSET', KEYS[1], 'sent_at', '0')
redis.call('HDEL', KEYS[1], 'paused_by')
event(KEYS[2], 'resume', '', ARGV[1])
return {'resumed'}
