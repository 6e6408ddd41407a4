-- Gives messages that are due to a claimer, and to nobody else until its lease ends.
--
-- KEYS[1] due, KEYS[2] messages, KEYS[3] state, KEYS[4] claimer: see keys.ts
-- ARGV[1]  who asks             ARGV[2]  lease (ms)
-- ARGV[3]  most messages        ARGV[4]  most bytes, but for the first message
--
-- {messages kept, bytes kept, then per message: id, value}; none while another claimer is at it

local due, messages, state, claimer = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local leaseMs, limit, bytesMax = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local reply = { redis.call('ZCARD', due), tonumber(redis.call('HGET', state, 'bytes')) or 0 }
local other = redis.call('GET', claimer)
if other and other ~= ARGV[1] then return reply end

local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local againMs = string.format('%.0f', nowMs + leaseMs)
local ids = redis.call('ZRANGE', due, '-inf', string.format('%.0f', nowMs), 'BYSCORE', 'LIMIT', 0, limit)
local bytes = 0
for _, id in ipairs(ids) do
  local value = redis.call('HGET', messages, id) or ''
  bytes = bytes + #value
  if bytes > bytesMax and #reply > 2 then break end
  redis.call('ZADD', due, againMs, id)
  reply[#reply + 1] = id
  reply[#reply + 1] = value
end

if #ids > 0 then
  redis.call('SET', claimer, ARGV[1], 'PX', leaseMs)
elseif other then
  redis.call('DEL', claimer)
end
return reply
