-- Takes the lease of a node id for an incarnation, lists it as a member and tells the others.
--
-- KEYS[1] lease    KEYS[2] members    KEYS[3] stream of route changes    KEYS[4] the id's last incarnation
-- ARGV[1] lease as JSON    ARGV[2] lease, milliseconds    ARGV[3] node key    ARGV[4] position of its routes
-- ARGV[5] length of the stream    ARGV[6] incarnation    ARGV[7] how long to remember it, milliseconds
--
-- Returns { 'held', milliseconds left } when the id has a lease: nothing was changed.
-- Returns { 'joined', id of the entry in the stream }: follow the stream from there.
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then
  return { 'held', tostring(left) }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[4], ARGV[6], 'PX', ARGV[7])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
local id = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'kind', 'join', 'node', ARGV[3])
return { 'joined', id }
