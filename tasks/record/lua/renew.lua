-- Renews leases, and tells which are lost and which runs are being cancelled.
-- KEYS: for each lease: lease, run
-- ARGV: lease in ms, then for each lease: token
-- Returns for each lease: 'held', 'lost', 'cancel' (still held; its run is being cancelled) or 'cancel_now' (and what
-- runs on the host gets no time).
local now = now_ms()
local answers = {}
for index = 1, #KEYS, 2 do
  local position = (index + 1) / 2
  if redis.call('HGET', KEYS[index], 'token') == ARGV[position + 1] then
    redis.call('HSET', KEYS[index], 'until', string.format('%d', now + tonumber(ARGV[1])))
    local run = redis.call('HMGET', KEYS[index + 1], 'cancelled_by', 'cancel_now')
    answers[position] = run[2] and 'cancel_now' or run[1] and 'cancel' or 'held'
  else
    answers[position] = 'lost'
  end
end
return answers
