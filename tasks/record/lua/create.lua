-- Writes a new run and its hosts. Writing it again changes nothing.
-- KEYS: run, hosts, status, events, runs, active
-- ARGV: run id, fields as JSON, then for each host: name, target
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local created = now_ms()
redis.call('HSET', KEYS[1], 'created', string.format('%d', created), 'batch', '-1', 'left', '0', 'failed', '0')
local fields = cjson.decode(ARGV[2])
for name, value in pairs(fields) do
  redis.call('HSET', KEYS[1], name, value)
end
for index = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1])
  redis.call('HSET', KEYS[3], ARGV[index], 'waiting')
end
redis.call('ZADD', KEYS[5], created, ARGV[1])
redis.call('SADD', KEYS[6], ARGV[1])
event(KEYS[4], 'created', '', '')
return 1
