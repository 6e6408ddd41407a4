-- Gives the filter of an exclusive subscription to a session, by compare-and-set on its holder.
--
-- KEYS[1] holders: see keys.ts
-- ARGV[1]  filter
-- ARGV[2]  the session that asks
-- ARGV[3]  the session that it may replace, or empty
--
-- who holds the filter now

local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and held ~= ARGV[3] then return held end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return ARGV[2]
