-- Gives up a lease and says goodbye. Routes and inbox stay until a survivor has taken them over.
--
-- KEYS[1] lease    KEYS[2] ended incarnations    KEYS[3] stream of route changes
-- ARGV[1] node key    ARGV[2] incarnation    ARGV[3] length of the stream
--
-- Returns 'left', or 'lost' when the lease was another incarnation's or gone: nothing was changed.
local current = redis.call('GET', KEYS[1])
if not current or not string.find(current, '"incarnation":' .. ARGV[2] .. ',', 1, true) then
  return 'lost'
end
redis.call('DEL', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'kind', 'left', 'node', ARGV[1])
return 'left'
