-- Gives a host back that can't be reached now, to be tried again later; the worker's slot is free for others.
-- KEYS: run, status, events, lease, deferred
-- ARGV: host, token, 1 when it may have begun on the host, ms until it is tried again, proxy that is down or '', cause
-- Returns 0 when the token no longer holds the host.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then
  return 0
end
if ARGV[3] ~= '1' then
  redis.call('DEL', KEYS[4])
  redis.call('HINCRBY', KEYS[1], 'begun', -1)
  if redis.call('HEXISTS', KEYS[1], 'cancelled_by') == 1 then
    -- Cancelled while its worker had it: nobody may claim it any more, so it is let go of as those that nobody had.
    redis.call('HSET', KEYS[2], ARGV[1], 'waiting')
    redis.call('HINCRBY', KEYS[1], 'left', -1)
    return 1
  end
  redis.call('HSET', KEYS[2], ARGV[1], 'sent')
end
local now = now_ms()
local known = redis.call('HGET', KEYS[5], ARGV[1])
local since = known and cjson.decode(known).since or now
redis.call('HSET', KEYS[5], ARGV[1], cjson.encode({
  since = since, again = now + tonumber(ARGV[4]), proxy = ARGV[5], cause = ARGV[6]}))
if ARGV[3] == '1' then
  -- The lock on the machine stays: what has begun there may go on. Whoever claims it next asks the host.
  redis.call('HSET', KEYS[4], 'until', string.format('%d', now + tonumber(ARGV[4])), 'deferred', '1')
end
if not known then
  event(KEYS[3], 'host_waits', ARGV[1], ARGV[6])
end
if ARGV[5] ~= '' and redis.call('HSETNX', KEYS[1], 'down:' .. ARGV[5], string.format('%d', now) .. ' ' .. ARGV[6]) == 1 then
  event(KEYS[3], 'route_down', '', ARGV[5] .. ' ' .. ARGV[6])
end
return 1
