-- Shared by every script of the record; prepended when the scripts are loaded.
-- Keys and their fields are documented in docs/reference/record.md and tasks/record/keys.py.
-- All times are milliseconds of the Redis server's clock: one clock decides.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function event(events_key, kind, host, data)
  redis.call('XADD', events_key, '*', 't', kind, 'h', host, 'd', data)
end

-- A fencing token is (epoch, number). The epoch is raised whenever the server that answers is not
-- the process that gave out the last token: a restart may have lost the newest numbers, a failover too.
-- It never falls behind the wall clock, so that an epoch lost with a crash is not given out again.
local function new_token(server_key)
  local process = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  local known = redis.call('HMGET', server_key, 'process', 'epoch')
  if known[1] ~= process then
    local seconds = tonumber(redis.call('TIME')[1])
    local epoch = math.max((tonumber(known[2]) or 0) + 1, seconds)
    redis.call('HSET', server_key, 'process', process, 'epoch', string.format('%d', epoch), 'number', 0)
  end
  local number = redis.call('HINCRBY', server_key, 'number', 1)
  return redis.call('HGET', server_key, 'epoch') .. '.' .. string.format('%d', number)
end

-- Whether a host of a run is held under this very token.
local function holds(status_key, host, token)
  return redis.call('HGET', status_key, host) == 'running ' .. token
end

-- A worker that takes a host over reads the host's log from its beginning, so its first part begins the log anew.
local function append_log(log_key, head, tail, cut, anew)
  if anew == '1' then
    redis.call('DEL', log_key, log_key .. ':tail')
  end
  if head ~= '' then
    redis.call('APPEND', log_key, head)
  end
  if tail ~= '' then
    redis.call('HSET', log_key .. ':tail', 'cut', cut, 'tail', tail)
  end
end
