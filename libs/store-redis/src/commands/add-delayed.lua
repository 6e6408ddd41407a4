-- Stores delayed messages, as many as there is room for.
--
-- KEYS[1] due, KEYS[2] messages, KEYS[3] state: see keys.ts
-- ARGV[1]  most messages        ARGV[2]  most bytes
-- ARGV[3]  then two per message: delay (ms), value
--
-- {messages kept, bytes kept, then per message 1: stored, or 0: no room}

local due, messages, state = KEYS[1], KEYS[2], KEYS[3]
local messagesMax, bytesMax = tonumber(ARGV[1]), tonumber(ARGV[2])

local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local count = redis.call('ZCARD', due)
local bytes = tonumber(redis.call('HGET', state, 'bytes')) or 0
local reply = { 0, 0 }

for at = 3, #ARGV, 2 do
  local delayMs, value = tonumber(ARGV[at]), ARGV[at + 1]
  local hasRoom = count < messagesMax and bytes + #value <= bytesMax
  if hasRoom then
    -- Of one length, so that equal times are in the order of coming.
    local id = string.format('%016.0f', redis.call('HINCRBY', state, 'last', 1))
    redis.call('ZADD', due, string.format('%.0f', nowMs + delayMs), id)
    redis.call('HSET', messages, id, value)
    count = count + 1
    bytes = bytes + #value
  end
  reply[#reply + 1] = hasRoom and 1 or 0
end

redis.call('HSET', state, 'bytes', string.format('%.0f', bytes))
reply[1], reply[2] = count, bytes
return reply
