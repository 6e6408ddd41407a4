-- Writes a group: adds blocks to the logs of one node, removes what is released, and keeps their states.
--
-- KEYS[1] owner, KEYS[2] logs, KEYS[3] marks, KEYS[3 + n] the stream of the n-th change: see keys.ts
-- ARGV[1]  who writes: what owner holds, or nothing is done
-- then for each change
--   rule, first, next, end: the state of its log
--   its marks, or an empty string when they are as before
--   count of its blocks, and for each its id and its bytes
--
-- {'stored', id, ...}  done; for each change the id of the lowest block that its log still has, or an empty string
-- {'fenced'}           another process has the spool, or Redis has lost it
--
-- Blocks come first: without memory for them Redis refuses the first one, and nothing has been done.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'fenced' } end

local changes = {}
local at = 2
for n = 4, #KEYS do
  changes[n] = at
  local count = tonumber(ARGV[at + 5])
  at = at + 6
  for _ = 1, count do
    redis.call('XADD', KEYS[n], ARGV[at], '', ARGV[at + 1])
    at = at + 2
  end
end

local reply = { 'stored' }
for n = 4, #KEYS do
  local rule, first, marks = ARGV[changes[n]], ARGV[changes[n] + 1], ARGV[changes[n] + 4]
  redis.call('XTRIM', KEYS[n], 'MINID', first)
  local state = first .. ' ' .. ARGV[changes[n] + 2] .. ' ' .. ARGV[changes[n] + 3]
  -- Marks of an earlier log of this name would hide records of this one.
  if redis.call('HSET', KEYS[2], rule, state) == 1 then redis.call('HDEL', KEYS[3], rule) end
  if marks ~= '' then redis.call('HSET', KEYS[3], rule, marks) end
  local lowest = redis.call('XRANGE', KEYS[n], '-', '+', 'COUNT', 1)[1]
  reply[#reply + 1] = lowest and lowest[1] or ''
end
return reply
