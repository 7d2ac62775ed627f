-- Writes a new run and its hosts. Writing it again changes nothing.
-- KEYS: run, hosts, status, events, runs, active, server
-- ARGV: run id, fields as JSON, what to do when a machine is wanted by another deployment (wait, fail, supersede),
--   seconds that a queue is kept, then for each host: name, target, queue of its machine ('' where there is none)
-- Returns {'made', superseded run ...}, or {'busy', run, host}: nothing is written then.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'made'}
end
local fields = cjson.decode(ARGV[2])
local superseded, replaced = {}, {}
if ARGV[3] ~= 'wait' then
  for index = 5, #ARGV, 3 do
    local _, run, host = first_in(ARGV[index + 2])
    if run and ARGV[3] == 'fail' then
      return {'busy', run, host}
    end
    for _, each in ipairs(run and redis.call('ZRANGE', ARGV[index + 2], 0, -1) or {}) do
      replaced[string.match(each, '^%S+')] = true
    end
  end
end
for run in pairs(replaced) do
  -- What only waits: of the same application, and no worker has had any of its hosts.
  local other = redis.call('HMGET', 'run:' .. run, 'state', 'application', 'begun', 'cancelled_by')
  if other[1] and not ENDED[other[1]] and other[2] == fields.application and other[3] == '0' and not other[4] then
    cancel('run:' .. run, fields.operator .. ', superseded by run ' .. ARGV[1])
    superseded[#superseded + 1] = run
  end
end
local created = now_ms()
local order = redis.call('HINCRBY', KEYS[7], 'order', 1)
redis.call('HSET', KEYS[1], 'created', string.format('%d', created), 'batch', '-1', 'left', '0', 'failed', '0',
  'begun', '0', 'order', order)
for name, value in pairs(fields) do
  redis.call('HSET', KEYS[1], name, value)
end
for index = 5, #ARGV, 3 do
  redis.call('HSET', KEYS[2], ARGV[index], ARGV[index + 1])
  redis.call('HSET', KEYS[3], ARGV[index], 'waiting')
  if ARGV[index + 2] ~= '' then
    redis.call('ZADD', ARGV[index + 2], order, ARGV[1] .. ' ' .. ARGV[index])
    redis.call('EXPIRE', ARGV[index + 2], ARGV[4])
  end
end
redis.call('ZADD', KEYS[5], created, ARGV[1])
redis.call('SADD', KEYS[6], ARGV[1])
event(KEYS[4], 'created', '', '')
for _, link in ipairs({'retry_of', 'rollback_of'}) do
  if fields[link] and redis.call('EXISTS', 'run:' .. fields[link]) == 1 then
    redis.call('HSET', 'run:' .. fields[link], 'followed_by', ARGV[1])
  end
end
return {'made', unpack(superseded)}
