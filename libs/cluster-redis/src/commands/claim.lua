-- Claims a dead incarnation, or renews the claim. From the first claim on the incarnation can never live again.
--
-- KEYS[1] claim    KEYS[2] the id's lease    KEYS[3] members    KEYS[4] ended incarnations
-- ARGV[1] claimer's node key    ARGV[2] claim, milliseconds    ARGV[3] dead node key    ARGV[4] dead incarnation
--
-- Returns 'claimed'; 'taken' by another claimer; 'alive', for its lease holds; 'forgotten', for it is dealt with.
local lease = redis.call('GET', KEYS[2])
if lease and string.find(lease, '"incarnation":' .. ARGV[4] .. ',', 1, true) then
  return 'alive'
end
if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then
  return 'forgotten'
end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 'taken'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SADD', KEYS[4], ARGV[3])
return 'claimed'
