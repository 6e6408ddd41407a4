-- Gives a node the number of its next life, larger than that of every earlier one.
--
-- KEYS[1] the id's last incarnation    ARGV[1] milliseconds since 1970    ARGV[2] how long to remember, milliseconds
--
-- Returns the incarnation as text.
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local incarnation = string.format('%.0f', math.max(tonumber(ARGV[1]), last + 1))
redis.call('SET', KEYS[1], incarnation, 'PX', ARGV[2])
return incarnation
