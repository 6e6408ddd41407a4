-- What the session commands share; this text stands before each of them. It changes nothing by itself.
--
-- KEYS[1] record, [2] queue, [3] filters, [4] received, [5] released packet ids, [6] and [7] messages it has had: see keys.ts.

local record, queue, filters, received, released, had, hadBefore = unpack(KEYS)

-- An expiry interval that has no end.
local NEVER = 4294967295

-- A session remembers the messages that may be queued once only for two hours at most, and for one unless they are more than
-- this many. Those that are more than that are remembered for this long, unless they are too many.
local REMEMBERED, REMEMBERED_MS = 32768, 3600000
local LATE_MS, REMEMBERED_MAX = 300000, 262144

-- When a session whose connection ends now expires; 0 never.
local function expiryOf(nowMs, intervalSeconds)
  if intervalSeconds == NEVER then return 0 end
  return nowMs + intervalSeconds * 1000
end

-- Gives all keys of a disconnected session their TTL; what it remembers may go before it does.
local function expireAll(ttlMs)
  for at = 1, 5 do redis.call('PEXPIRE', KEYS[at], ttlMs) end
  for at = 6, 7 do
    if redis.call('PTTL', KEYS[at]) > ttlMs then redis.call('PEXPIRE', KEYS[at], ttlMs) end
  end
end

-- Marks the session as disconnected and gives all its keys their TTL.
local function depart(nowMs, intervalSeconds, slackMs)
  local expiresAtMs = expiryOf(nowMs, intervalSeconds)
  redis.call('HSET', record, 'c', 0, 'x', intervalSeconds, 'u', expiresAtMs)
  if expiresAtMs == 0 then return end
  expireAll(intervalSeconds * 1000 + slackMs)
end

-- The id of the newest entry that the queue ever had.
local function newestId()
  if redis.call('EXISTS', queue) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', queue)
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then return info[at + 1] end
  end
end

-- Makes the queue exist, and refuse what is appended under an earlier epoch.
local function fence(epoch)
  local id = string.format('%.0f', epoch) .. string.match(newestId(), '%-%d+')
  redis.call('XADD', queue, id, '', '')
  redis.call('XDEL', queue, id)
end

-- The whole session: {record fields e n i c d x t u b}, {filter, options, ...},
-- {received id, identity or empty, ...}, {released ids},
-- length of the queue, memory that it takes (by a sample; 0 where the user may not ask), id of the newest entry it
-- ever had.
local function view()
  local length, bytes = redis.call('XLEN', queue), 0
  if length > 0 then bytes = redis.pcall('MEMORY', 'USAGE', queue) end
  if type(bytes) ~= 'number' then bytes = 0 end
  return {
    redis.call('HMGET', record, 'e', 'n', 'i', 'c', 'd', 'x', 't', 'u', 'b'),
    redis.call('HGETALL', filters),
    redis.call('HGETALL', received),
    redis.call('SMEMBERS', released),
    length,
    bytes,
    newestId()
  }
end
