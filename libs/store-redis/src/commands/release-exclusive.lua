-- Gives up filters of exclusive subscriptions, each only if the session holds it.
--
-- KEYS[1] holders: see keys.ts
-- ARGV[1]  the session
-- ARGV[2]  then the filters
--
-- how many it held

local released = 0
for at = 2, #ARGV do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[1] then
    released = released + redis.call('HDEL', KEYS[1], ARGV[at])
  end
end
return released
