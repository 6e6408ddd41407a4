-- Takes tokens from a bucket that fills with time. One that is full is not kept.
--
-- KEYS[1] the bucket: see keys.ts
-- ARGV[1]  tokens per second
-- ARGV[2]  how many it holds
-- ARGV[3]  how many are wanted; more than it holds are given when it is full, and leave a debt
--
-- {1 when they were given, else 0; tokens left; when as many can be given (ms from now); when it is full (ms from now)}, all as text

local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 't', 'a')
local tokens = tonumber(held[1] or burst)
-- A clock that was set back gives nothing and takes nothing.
local passed = math.max(ms - tonumber(held[2] or ms), 0)
tokens = math.min(burst, tokens + passed * rate / 1000)

local needed = math.min(wanted, burst)
local given = tokens >= needed
if given then tokens = tokens - wanted end
local full = math.ceil((burst - tokens) / rate * 1000)
redis.call('HSET', KEYS[1], 't', string.format('%.6f', tokens), 'a', string.format('%.0f', ms))
redis.call('PEXPIRE', KEYS[1], full + 1000)
local retry = given and 0 or math.ceil((needed - tokens) / rate * 1000)
return {
  given and '1' or '0', string.format('%.0f', math.max(math.floor(tokens), 0)), string.format('%.0f', retry),
  string.format('%.0f', full),
}
