-- Creates or replaces a definition, for example a bridge rule or a user, by compare-and-set on its revision.
--
-- KEYS[1] items, KEYS[2] revision, KEYS[3] removed, KEYS[4] ids, KEYS[5] log: see keys.ts
-- ARGV[1]  its id
-- ARGV[2]  the revision to replace; empty to create
-- ARGV[3]  about how many changes the log keeps
-- ARGV[4]  it as JSON
--
-- {'stored', revision}  done, under a new revision
-- {'conflict'}          it exists (create) or has another revision (replace)
-- {'absent'}            there is none to replace

local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.match(held, '^%d+') ~= ARGV[2] then return { 'conflict' } end
if not held and ARGV[2] ~= '' then return { 'absent' } end

local revision = string.format('%.0f', redis.call('INCR', KEYS[2]))
redis.call('HSET', KEYS[1], ARGV[1], revision .. ' ' .. ARGV[4])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], 0, ARGV[1])
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[3], revision .. '-0', '', ARGV[1])
return { 'stored', revision }
