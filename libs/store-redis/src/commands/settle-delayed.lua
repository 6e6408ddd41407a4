-- Forgets delayed messages that have been published.
--
-- KEYS[1] due, KEYS[2] messages, KEYS[3] state: see keys.ts
-- ARGV     ids; those that are gone change nothing
--
-- {messages kept, bytes kept, messages that were there}

local due, messages, state = KEYS[1], KEYS[2], KEYS[3]
local bytes = tonumber(redis.call('HGET', state, 'bytes')) or 0
local found = 0

for _, id in ipairs(ARGV) do
  bytes = bytes - redis.call('HSTRLEN', messages, id)
  redis.call('HDEL', messages, id)
  found = found + redis.call('ZREM', due, id)
end

redis.call('HSET', state, 'bytes', string.format('%.0f', bytes))
return { redis.call('ZCARD', due), bytes, found }
