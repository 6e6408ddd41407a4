-- Removes a dead incarnation: its claimer becomes its heir and gets what is left in its inbox.
--
-- KEYS[1] claim    KEYS[2] members    KEYS[3] ended incarnations    KEYS[4] dead node's inbox    KEYS[5] its filters
-- KEYS[6] stream of route changes    KEYS[7] claimer's inbox    KEYS[8] dead node's heir
-- ARGV[1] claimer's node key    ARGV[2] dead node key    ARGV[3] length of the stream
-- ARGV[4] how many entries may be moved    ARGV[5] how long the heir is remembered, milliseconds
--
-- Returns 'forgotten', also when it was before; 'unclaimed' when the claim is not the caller's; 'not-empty' when the inbox
-- holds more than may be moved. Nothing is changed in the last two cases.
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then
  return 'forgotten'
end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'unclaimed'
end
if redis.call('XLEN', KEYS[4]) > tonumber(ARGV[4]) then
  return 'not-empty'
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[4], '-', '+')) do
  local fields = entry[2]
  -- Sequence 0: it is out of its sender's order here, so it must not be compared with what came directly.
  redis.call('XADD', KEYS[7], '*', 'from', fields[2], 'sequence', '0', 'frame', fields[6], 'of', fields[8] or ARGV[2])
end
redis.call('SET', KEYS[8], ARGV[1], 'PX', ARGV[5])
redis.call('DEL', KEYS[1], KEYS[4], KEYS[5])
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('SREM', KEYS[3], ARGV[2])
redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[3], '*', 'kind', 'forget', 'node', ARGV[2])
return 'forgotten'
