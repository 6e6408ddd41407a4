-- Begins a request that must not be carried out twice, or says what has become of it.
--
-- KEYS[1] the request: see keys.ts
-- ARGV[1]  the hash of its body
-- ARGV[2]  who asks to carry it out
-- ARGV[3]  for how long the claim holds (ms)
--
-- {'fresh'}          it is the caller's to carry out
-- {'replay', reply}  it was carried out
-- {'mismatch'}       another body came under this key
-- {'in-progress'}    somebody carries it out

local held = redis.call('HMGET', KEYS[1], 'h', 'r')
if not held[1] then
  redis.call('HSET', KEYS[1], 'h', ARGV[1], 'c', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return { 'fresh' }
end
if held[1] ~= ARGV[1] then return { 'mismatch' } end
if held[2] then return { 'replay', held[2] } end
return { 'in-progress' }
