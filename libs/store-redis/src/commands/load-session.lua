-- Reads a session without taking it.
--
-- KEYS  as in session.lua
--
-- {'found', view}  as it is stored, expired or not
-- {'absent'}       there is none

if redis.call('EXISTS', record) == 0 then return { 'absent' } end
return { 'found', view() }
