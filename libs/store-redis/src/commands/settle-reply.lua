-- Goes on with a request that must not be carried out twice, ends it, or gives it up.
--
-- KEYS[1] the request: see keys.ts
-- ARGV[1]  whose claim it is
-- ARGV[2]  'extend', 'finish' or 'abandon'
-- ARGV[3]  for how long the claim, or the reply, holds (ms); of no account to 'abandon'
-- ARGV[4]  the reply, to 'finish'
--
-- 1 when it is done, 0 when the claim does not hold any more

local held = redis.call('HMGET', KEYS[1], 'c', 'r')
if held[1] ~= ARGV[1] or held[2] then return 0 end
if ARGV[2] == 'abandon' then
  redis.call('DEL', KEYS[1])
  return 1
end
if ARGV[2] == 'finish' then redis.call('HSET', KEYS[1], 'r', ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
