-- Stores retained messages in the order given, with the catalog and the log of its changes.
--
-- KEYS[1] messages, KEYS[2] catalog, KEYS[3] log: see keys.ts
-- ARGV[1]  about how many entries the log keeps
-- ARGV[2]  then three per message: topic, catalog entry, value; with both empty the topic's message is removed
--
-- the id of the last log entry made, or an empty string when nothing changed

local messages, catalog, log = KEYS[1], KEYS[2], KEYS[3]
local newest = ''

for at = 2, #ARGV, 3 do
  local topic, entry = ARGV[at], ARGV[at + 1]
  local changed = true
  if entry == '' then
    redis.call('HDEL', messages, topic)
    changed = redis.call('HDEL', catalog, topic) == 1
  else
    redis.call('HSET', messages, topic, ARGV[at + 2])
    redis.call('HSET', catalog, topic, entry)
  end
  if changed then newest = redis.call('XADD', log, 'MAXLEN', '~', ARGV[1], '*', topic, entry) end
end

return newest
