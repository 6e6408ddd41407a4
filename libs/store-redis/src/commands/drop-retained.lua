-- Removes expired retained messages, each only if it is still the one that was seen to be expired.
--
-- KEYS[1] messages, KEYS[2] catalog, KEYS[3] log: see keys.ts
-- ARGV[1]  about how many entries the log keeps
-- ARGV[2]  then two per message: topic, catalog entry seen
--
-- how many were removed

local messages, catalog, log = KEYS[1], KEYS[2], KEYS[3]
local removed = 0

for at = 2, #ARGV, 2 do
  local topic = ARGV[at]
  if redis.call('HGET', catalog, topic) == ARGV[at + 1] then
    redis.call('HDEL', messages, topic)
    redis.call('HDEL', catalog, topic)
    redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], '*', topic, '')
    removed = removed + 1
  end
end

return removed
