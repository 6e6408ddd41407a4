-- Takes a session for a node: compare-and-set on owner and epoch.
--
-- KEYS     as in session.lua
-- ARGV[1]  node id          ARGV[2]  incarnation of the node that asks
-- ARGV[3]  now (ms)         ARGV[4]  1: clean start
-- ARGV[5]  1: durable       ARGV[6]  expiry interval (s)
-- ARGV[7]  1: for a connected client; 0: a survivor takes an offline session, nothing is created
-- ARGV[8]  epoch that may be replaced, or empty
-- ARGV[9]  slack of the TTL (ms)   ARGV[10] will of the connected client, or empty
-- ARGV[11] whose client connects: '=' and the name, or empty when nobody was asked
--
-- {'taken', 1 or 0: session present, view, former will or empty, when it is due (ms) or 0}
--                                           the asking node owns it, under a new epoch
-- {'owned', node id, incarnation, epoch, 1 or 0: there is a will}
--                                           another incarnation owns it, or the epoch is not the one to be replaced
-- {'foreign'}                               it is another user's
-- {'absent'}                                there is none (or it ended with its node), and none was asked for

local nodeId, incarnation = ARGV[1], ARGV[2]
local nowMs, cleanStart, connecting = tonumber(ARGV[3]), ARGV[4] == '1', ARGV[7] == '1'

local stored = redis.call('HMGET', record, 'e', 'n', 'i', 'c', 'd', 'x', 'u', 'w', 'v', 'b')
local epoch = tonumber(stored[1]) or 0
local wasConnected, wasDurable = stored[4] == '1', stored[5] == '1'
local intervalSeconds, expiresAtMs = tonumber(stored[6]), tonumber(stored[7])
local formerWill, formerDueAtMs = stored[8] or '', stored[9] or '0'
local user = stored[10] or ''

local present = epoch > 0
if present and expiresAtMs > 0 and expiresAtMs <= nowMs then present = false end

if connecting and present and user ~= '' and ARGV[11] ~= '' and user ~= ARGV[11] then return { 'foreign' } end

-- A session that is over counts as long as its will has to be published, by one node.
local there = present or formerWill ~= ''

local isOwner = stored[2] == nodeId and stored[3] == incarnation
if there and stored[1] ~= ARGV[8] and not (isOwner and ARGV[8] == '') then
  return { 'owned', stored[2], stored[3], stored[1], formerWill ~= '' and 1 or 0 }
end

if not connecting then
  -- The connection of a session that does not outlive it ended with its node.
  if formerWill == '' and (not present or not wasDurable) then
    redis.call('UNLINK', unpack(KEYS))
    return { 'absent' }
  end
  redis.call('HSET', record, 'e', epoch + 1, 'n', nodeId, 'i', incarnation)
  fence(epoch + 1)
  if wasConnected then depart(nowMs, intervalSeconds, tonumber(ARGV[9])) end
  return { 'taken', 1, view(), formerWill, formerDueAtMs }
end

-- A session that was not to outlive its connection is not resumed by the client's next one [MQTT-3.1.2-6].
local resumed = present and wasDurable and not cleanStart
if not present then
  -- The first epoch is the time (us): it lies above every epoch of an earlier, discarded session of the client.
  local time = redis.call('TIME')
  epoch = math.max(epoch, time[1] * 1000000 + time[2])
end
if resumed then
  for at = 1, 5 do redis.call('PERSIST', KEYS[at]) end
  for at = 6, 7 do redis.call('PEXPIRE', KEYS[at], 2 * REMEMBERED_MS) end
  redis.call('HDEL', record, 'w', 'v')
else
  redis.call('UNLINK', unpack(KEYS))
  redis.call('HSET', record, 't', ARGV[3])
end
redis.call('HSET', record, 'e', epoch + 1, 'n', nodeId, 'i', incarnation, 'c', 1, 'd', ARGV[5], 'x', ARGV[6], 'u', 0)
if resumed or ARGV[5] == '1' then fence(epoch + 1) end
if ARGV[10] ~= '' then redis.call('HSET', record, 'w', ARGV[10]) end
if ARGV[11] ~= '' then redis.call('HSET', record, 'b', ARGV[11]) end
return { 'taken', resumed and 1 or 0, view(), formerWill, formerDueAtMs }
