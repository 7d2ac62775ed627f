-- Notes that a host that was waited for is reached, and so its proxies are up.
-- KEYS: run, events, deferred, status
-- ARGV: host, token, proxies on its way ...
if not holds(KEYS[4], ARGV[1], ARGV[2]) then
  return 0
end
redis.call('HDEL', KEYS[3], ARGV[1])
for index = 3, #ARGV do
  if redis.call('HDEL', KEYS[1], 'down:' .. ARGV[index]) == 1 then
    event(KEYS[2], 'route_up', '', ARGV[index])
  end
end
return 1
