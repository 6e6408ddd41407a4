-- Removes a definition, for example a bridge rule or a user, of one revision or of any, and notes that it was.
--
-- KEYS[1] items, KEYS[2] revision, KEYS[3] removed, KEYS[4] ids, KEYS[5] log: see keys.ts
-- ARGV[1]  its id
-- ARGV[2]  the revision to remove; empty for any
-- ARGV[3]  about how many changes the log keeps
-- ARGV[4]  how many removals are noted
--
-- {'removed', text}  done; what was stored, as `revision JSON`
-- {'conflict'}       it has another revision
-- {'absent'}         there is none

local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return { 'absent' } end
if ARGV[2] ~= '' and string.match(held, '^%d+') ~= ARGV[2] then return { 'conflict' } end

local now = redis.call('TIME')
local ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
local revision = string.format('%.0f', redis.call('INCR', KEYS[2]))
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[3], revision .. '-0', '', ARGV[1])
redis.call('ZADD', KEYS[3], ms, ARGV[1])
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1 - ARGV[4])) do redis.call('ZREM', KEYS[3], id) end
return { 'removed', held }
