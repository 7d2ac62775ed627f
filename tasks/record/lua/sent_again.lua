-- Notes that hosts' messages are sent once more.
-- KEYS: run, events
-- ARGV: names of the hosts
redis.call('HSET', KEYS[1], 'sent_at', string.format('%d', now_ms()))
event(KEYS[2], 'sent_again', '', ARGV[1])
return 1
