-- Holds a run: hosts under way finish, no further host is begun.
-- KEYS: run, events
-- ARGV: who asks
-- Returns {'paused', hosts under way}, or {'refused', state, who cancels it}.
local standing = redis.call('HMGET', KEYS[1], 'state', 'cancelled_by')
if (standing[1] ~= 'queued' and standing[1] ~= 'running') or standing[2] then
  return {'refused', standing[1] or '', standing[2] or ''}
end
redis.call('HSET', KEYS[1], 'state', 'paused', 'paused_by', ARGV[1])
event(KEYS[2], 'pause', '', ARGV[1])
local under_way = 0
for _, status in ipairs(redis.call('HVALS', KEYS[1] .. ':status')) do
  if string.sub(status, 1, 8) == 'running ' then
    under_way = under_way + 1
  end
end
return {'paused', under_way}
