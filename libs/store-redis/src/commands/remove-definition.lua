-- Removes a bridge rule or a connector, of one revision or of any.
--
-- KEYS[1] items, KEYS[2] revision: see keys.ts
-- ARGV[1]  its id
-- ARGV[2]  the revision to remove; empty for any
--
-- {'removed', text}  done; what was stored, as `revision JSON`
-- {'conflict'}       it has another revision
-- {'absent'}         there is none

local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return { 'absent' } end
if ARGV[2] ~= '' and string.match(held, '^%d+') ~= ARGV[2] then return { 'conflict' } end

redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('INCR', KEYS[2])
return { 'removed', held }
