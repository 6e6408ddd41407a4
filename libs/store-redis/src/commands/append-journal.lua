-- Adds an entry to a journal of the API, and lets go of what is too old or too much.
--
-- KEYS[1] the journal: see keys.ts
-- ARGV[1]  the entry
-- ARGV[2]  how many entries are kept
-- ARGV[3]  for how long they are kept (ms)
--
-- the id of the entry

local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', '', ARGV[1])
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', math.max(ms - ARGV[3], 0)))
return id
