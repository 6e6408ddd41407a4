-- Renews a lease, or takes it again after it ran out, if nobody has taken over the node meanwhile.
--
-- KEYS[1] lease    KEYS[2] members    KEYS[3] ended incarnations    KEYS[4] the id's last incarnation
-- ARGV[1] lease as JSON    ARGV[2] lease, milliseconds    ARGV[3] node key    ARGV[4] incarnation
-- ARGV[5] how long to remember it, milliseconds
--
-- Returns 'renewed'   the lease was still this incarnation's.
--         'restored'  it had run out, unclaimed, and is this incarnation's again.
--         'lost'      another incarnation has it, or this one was claimed or forgotten.
--         'wiped'     Redis has lost what it knew of this node: join again.
local current = redis.call('GET', KEYS[1])
if current then
  if not string.find(current, '"incarnation":' .. ARGV[4] .. ',', 1, true) then
    return 'lost'
  end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('PEXPIRE', KEYS[4], ARGV[5])
  return 'renewed'
end
if redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 1 then
  return 'lost'
end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 then
  return redis.call('EXISTS', KEYS[4]) == 1 and 'lost' or 'wiped'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'restored'
