-- Gives a host under way back, so that another worker goes on with it at once.
-- KEYS: status, events, lease
-- ARGV: host, token, worker
if not holds(KEYS[1], ARGV[1], ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[3], 'until', '0')
event(KEYS[2], 'host_handed_over', ARGV[1], ARGV[3])
return 1
