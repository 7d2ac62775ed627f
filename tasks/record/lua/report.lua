-- Writes what a host printed and which steps moved, while its work goes on.
-- KEYS: status, events, log
-- ARGV: host, token, steps (JSON or empty), new bytes of the log's head, tail, bytes cut before the tail,
--   1 when the log begins anew
if not holds(KEYS[1], ARGV[1], ARGV[2]) then
  return 0
end
if ARGV[3] ~= '' then
  event(KEYS[2], 'steps', ARGV[1], ARGV[3])
end
append_log(KEYS[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
return 1
