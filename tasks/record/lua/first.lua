-- Who comes first for each of some machines.
-- KEYS: queues of the machines
-- Returns, for each, 'run host' or ''.
local first = {}
for index, queue in ipairs(KEYS) do
  first[index] = first_in(queue) or ''
end
return first
