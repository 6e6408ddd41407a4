-- Changes a node's set of filters and appends the change to the stream, as one step.
--
-- KEYS[1] the node's filters    KEYS[2] members    KEYS[3] stream of route changes
-- ARGV[1] node key    ARGV[2] sequence of this change    ARGV[3] length of the stream    ARGV[4] the change as JSON
-- ARGV[5] how many filters are added    then the filters that are added    then those that are removed
--
-- Returns { 'announced', node key... } with all members. A repeat of the last change returns the same and does nothing.
-- Returns { 'stale' } when the position written down is not the one before this change: Redis has lost changes.
local position = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '-1')
local sequence = tonumber(ARGV[2])
if position ~= sequence then
  if position ~= sequence - 1 then
    return { 'stale' }
  end
  local added = tonumber(ARGV[5])
  for index = 6, #ARGV do
    redis.call(index < 6 + added and 'SADD' or 'SREM', KEYS[1], ARGV[index])
  end
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*',
    'kind', 'change', 'node', ARGV[1], 'sequence', ARGV[2], 'changes', ARGV[4])
end
local members = redis.call('HKEYS', KEYS[2])
table.insert(members, 1, 'announced')
return members
