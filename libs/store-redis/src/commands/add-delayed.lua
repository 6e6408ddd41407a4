-- Stores delayed messages, as many as there is room for.
--
-- KEYS[1] due, KEYS[2] messages, KEYS[3] state, KEYS[4] once: see keys.ts
-- ARGV[1]  most messages        ARGV[2]  most bytes
-- ARGV[3]  then three per message: delay (ms), value, identity if it may be stored once only, or empty
--
-- {messages kept, bytes kept, then per message its id: stored, 0: no room, or 2: stored before}

local due, messages, state, once = unpack(KEYS)
local messagesMax, bytesMax = tonumber(ARGV[1]), tonumber(ARGV[2])

-- So many of the messages that were due are remembered at least, and each for so long at most.
local REMEMBERED, REMEMBERED_MS = 32768, 3600000

-- How much is forgotten in one call, at most: more than it has added.
local FORGOTTEN_MAX = 1000

local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local count = redis.call('ZCARD', due)
local bytes = tonumber(redis.call('HGET', state, 'bytes')) or 0
local reply = { 0, 0 }

local function store(delayMs, value)
  -- Of one length, so that equal times are in the order of coming.
  local id = string.format('%016.0f', redis.call('HINCRBY', state, 'last', 1))
  redis.call('ZADD', due, string.format('%.0f', nowMs + delayMs), id)
  redis.call('HSET', messages, id, value)
  count = count + 1
  bytes = bytes + #value
  return id
end

local function isRepeat(delayMs, identity)
  if identity == '' then return false end
  local untilMs = string.format('%.0f', nowMs + delayMs + REMEMBERED_MS)
  return redis.call('ZADD', once, 'NX', untilMs, identity) == 0
end

local function forget(identities)
  if #identities > 0 then redis.call('ZREM', once, unpack(identities)) end
end

for at = 3, #ARGV, 3 do
  local delayMs, value, identity = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2]
  if isRepeat(delayMs, identity) then
    reply[#reply + 1] = 2
  elseif count < messagesMax and bytes + #value <= bytesMax then
    reply[#reply + 1] = store(delayMs, value)
  else
    if identity ~= '' then forget({ identity }) end
    reply[#reply + 1] = 0
  end
end

forget(redis.call('ZRANGE', once, '-inf', string.format('%.0f', nowMs), 'BYSCORE', 'LIMIT', 0, FORGOTTEN_MAX))
local excess = math.min(redis.call('ZCARD', once) - count - REMEMBERED, FORGOTTEN_MAX)
if excess > 0 then forget(redis.call('ZRANGE', once, 0, excess - 1)) end

redis.call('HSET', state, 'bytes', string.format('%.0f', bytes))
reply[1], reply[2] = count, bytes
return reply
