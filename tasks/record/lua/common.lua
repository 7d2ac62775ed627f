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

local ENDED = {succeeded = true, failed = true, cancelled = true, needs_attention = true}

-- Who comes first for a machine, as 'run host', and the two apart: runs have it in the order in which they were
-- written. Those that are done with it are taken out on the way, so that nobody has to leave.
local function first_in(queue_key)
  while true do
    local first = redis.call('ZRANGE', queue_key, 0, 0)[1]
    if not first then
      return nil
    end
    local run, host = string.match(first, '^(%S+) (%S+)$')
    local state = redis.call('HGET', 'run:' .. run, 'state')
    local status = redis.call('HGET', 'run:' .. run .. ':status', host)
    if state and not ENDED[state] and status and string.sub(status, 1, 5) ~= 'done ' then
      return first, run, host
    end
    redis.call('ZREM', queue_key, first)
  end
end

-- Lets go of hosts that no worker has, and asks the workers of the others to end them.
local function cancel(run_key, who, now_at_once)
  redis.call('HSET', run_key, 'cancelled_by', who)
  if now_at_once then
    redis.call('HSET', run_key, 'cancel_now', '1')
  end
  if redis.call('HDEL', run_key, 'paused_by') == 1 then
    redis.call('HSET', run_key, 'state', redis.call('HGET', run_key, 'batch') == '-1' and 'queued' or 'running')
  end
  event(run_key .. ':events', 'cancel', '', who)
  local statuses = redis.call('HGETALL', run_key .. ':status')
  for index = 1, #statuses, 2 do
    if statuses[index + 1] == 'sent' and redis.call('HEXISTS', run_key, 'rerun:' .. statuses[index]) == 0 then
      redis.call('HSET', run_key .. ':status', statuses[index], 'waiting')
      redis.call('HINCRBY', run_key, 'left', -1)
    end
  end
end

-- Notes that a machine has a run's release, and keeps what is needed to bring it there again.
local function note_release(run_key, run, machine, seconds)
  local run_of = redis.call('HMGET', run_key, 'application', 'title', 'created', 'plan')
  if not run_of[1] then
    return
  end
  local history = 'releases:' .. machine .. ':' .. run_of[1]
  redis.call('LREM', history, 0, run)
  redis.call('LPUSH', history, run)
  redis.call('LTRIM', history, 0, 9)
  redis.call('EXPIRE', history, seconds)
  if redis.call('EXISTS', 'release:' .. run) == 0 then
    redis.call('HSET', 'release:' .. run, 'title', run_of[2], 'created', run_of[3], 'plan', run_of[4])
  end
  redis.call('EXPIRE', 'release:' .. run, seconds)
end
