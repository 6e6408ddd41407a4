-- Hands the spool of a process that has ended to another one.
--
-- KEYS[1] owner: see keys.ts
-- ARGV[1]  who had it
-- ARGV[2]  who gets it
--
-- {'inherited'}  done: exactly one of those who try gets this answer
-- {'held'}       somebody else has it by now, or it is gone

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'held' } end
redis.call('SET', KEYS[1], ARGV[2])
return { 'inherited' }
