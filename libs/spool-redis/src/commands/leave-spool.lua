-- Removes a spool that has no logs.
--
-- KEYS[1] owner, KEYS[2] logs: see keys.ts
-- ARGV[1]  who leaves it: what owner holds, or nothing is done
--
-- {'left'}  done
-- {'kept'}  it has logs, or somebody else has it

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'kept' } end
if redis.call('EXISTS', KEYS[2]) == 1 then return { 'kept' } end
redis.call('DEL', KEYS[1])
return { 'left' }
