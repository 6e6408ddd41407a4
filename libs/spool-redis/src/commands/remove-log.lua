-- Removes the log of a rule with all that it holds.
--
-- KEYS[1] owner, KEYS[2] logs, KEYS[3] marks, KEYS[4] the stream of the rule: see keys.ts
-- ARGV[1]  who removes: what owner holds, or nothing is done
-- ARGV[2]  rule id
--
-- {'removed'}  done, or there was none
-- {'fenced'}   another process has the spool, or Redis has lost it

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'fenced' } end
redis.call('UNLINK', KEYS[4])
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
return { 'removed' }
