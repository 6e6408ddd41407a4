-- Reads a part of a journal of the API, after it has let go of what is too old.
--
-- KEYS[1] the journal: see keys.ts
-- ARGV[1]  'before' or 'after'
-- ARGV[2]  an id, exclusive; empty for the latest
-- ARGV[3]  how many at most
-- ARGV[4]  for how long entries are kept (ms)
--
-- the entries, as XRANGE gives them: 'before' the latest first, 'after' the earliest first

local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', math.max(ms - ARGV[4], 0)))
if ARGV[1] == 'after' then return redis.call('XRANGE', KEYS[1], '(' .. ARGV[2], '+', 'COUNT', ARGV[3]) end
local from = ARGV[2] == '' and '+' or '(' .. ARGV[2]
return redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', ARGV[3])
