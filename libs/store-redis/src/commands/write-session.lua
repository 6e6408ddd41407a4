-- Carries out writes of a session's owner, in order, if it still is the owner.
--
-- KEYS     as in session.lua
-- ARGV[1]  epoch of the owner
-- ARGV[2]  slack of the TTL (ms)
-- ARGV[3]  then the writes; a count stands before what repeats:
--          append n, n times: entry id, value, identity if it may be queued once only, or empty
--          settle n, n entry ids                    begin n, n times: packet id, identity
--          subscribe n, n times: filter, options    unsubscribe n, n filters
--          receive n, n packet ids                  forget n, n packet ids
--          release n, n packet ids                  complete n, n packet ids
--          disconnect 4, now (ms), interval (s), when the will is due (ms) or empty: there is none, another will that
--                        stands in its place or empty
--          expiry 2, now (ms), interval (s): for the end of the connection, or from now
--          claim-will 1, when it is due (ms): now
--          forget-will 0                            discard 0 (nothing may follow)
--
-- {'done', number...}                    all of them were carried out, but for these appends, counted from 1: the
--                                        session has had their messages before
-- {'discarded', node id, incarnation}    the same, and the session is gone; it was this node's
-- {'fenced'}                             nothing was changed: the epoch is not the session's
-- an error                               Redis refused a write, those before it were carried out

local epoch, connected, nodeId, incarnation = unpack(redis.call('HMGET', record, 'e', 'c', 'n', 'i'))
if epoch ~= ARGV[1] then return { 'fenced' } end

-- The writes that may create a key, which then lacks the TTL of a disconnected session.
local creates = { subscribe = true, begin = true, receive = true, release = true }
local created = false

-- How many values one write of a kind has; 1 for all others.
local widths = { append = 3, subscribe = 2, begin = 2 }

local reply = { 'done' }
local appends = 0

local function hasHad(identity)
  return redis.call('SISMEMBER', had, identity) == 1 or redis.call('SISMEMBER', hadBefore, identity) == 1
end

-- Whether an append whose reply was lost is there already.
local function isThere(id, value)
  local found = redis.call('XRANGE', queue, id, id)[1]
  return found and found[2][2] == value
end

-- Two sets take turns: what is in the elder one has been remembered for long enough.
local function keepRemembered()
  local time = redis.call('TIME')
  local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
  local count = redis.call('SCARD', had)
  local begunMs = tonumber(redis.call('HGET', record, 'h')) or 0
  if begunMs == 0 then
    redis.call('HSET', record, 'h', nowMs)
    redis.call('PEXPIRE', had, 2 * REMEMBERED_MS)
    return
  end
  local ageMs = nowMs - begunMs
  local isOver = ageMs >= REMEMBERED_MS or count >= REMEMBERED_MAX
  if isOver or (count >= REMEMBERED and ageMs >= LATE_MS) then
    -- RENAME would free the elder one at once, member by member.
    redis.call('UNLINK', hadBefore)
    redis.call('RENAME', had, hadBefore)
    redis.call('PEXPIRE', hadBefore, REMEMBERED_MS)
    redis.call('HDEL', record, 'h')
  end
end

local function append(from, to)
  local remembers = false
  for at = from, to, 3 do
    local id, value, identity = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    appends = appends + 1
    if identity ~= '' and hasHad(identity) then
      if not isThere(id, value) then reply[#reply + 1] = appends end
    else
      local added = redis.pcall('XADD', queue, id, '', value)
      if type(added) == 'table' and added.err and not isThere(id, value) then return added end
      if identity ~= '' then
        redis.call('SADD', had, identity)
        remembers = true
      end
    end
  end
  if not remembers then return end
  keepRemembered()
  created = true
end

local function perform(kind, from, to)
  if kind == 'append' then return append(from, to) end
  if kind == 'disconnect' then
    connected = '0'
    depart(tonumber(ARGV[from]), tonumber(ARGV[from + 1]), tonumber(ARGV[2]))
    if ARGV[from + 2] == '' then
      redis.call('HDEL', record, 'w', 'v')
    else
      if ARGV[from + 3] ~= '' then redis.call('HSET', record, 'w', ARGV[from + 3]) end
      redis.call('HSET', record, 'v', ARGV[from + 2])
    end
  elseif kind == 'expiry' then
    local intervalSeconds = tonumber(ARGV[from + 1])
    if connected == '0' then
      for key = 1, 5 do redis.call('PERSIST', KEYS[key]) end
      depart(tonumber(ARGV[from]), intervalSeconds, tonumber(ARGV[2]))
    else
      redis.call('HSET', record, 'x', intervalSeconds)
    end
  elseif kind == 'claim-will' then
    if redis.call('HEXISTS', record, 'w') == 1 then redis.call('HSET', record, 'v', ARGV[from]) end
  elseif kind == 'forget-will' then
    redis.call('HDEL', record, 'w', 'v')
  elseif kind == 'settle' then
    redis.call('XDEL', queue, unpack(ARGV, from, to))
  elseif kind == 'subscribe' then
    redis.call('HSET', filters, unpack(ARGV, from, to))
  elseif kind == 'unsubscribe' then
    redis.call('HDEL', filters, unpack(ARGV, from, to))
  elseif kind == 'begin' then
    redis.call('HSET', received, unpack(ARGV, from, to))
  elseif kind == 'receive' then
    for at = from, to do redis.call('HSET', received, ARGV[at], '') end
  elseif kind == 'forget' then
    redis.call('HDEL', received, unpack(ARGV, from, to))
  elseif kind == 'release' then
    redis.call('SADD', released, unpack(ARGV, from, to))
  elseif kind == 'complete' then
    redis.call('SREM', released, unpack(ARGV, from, to))
  end
end

local at = 3
while ARGV[at] do
  local kind, count = ARGV[at], tonumber(ARGV[at + 1])
  if kind == 'discard' then
    redis.call('UNLINK', unpack(KEYS))
    return { 'discarded', nodeId, incarnation }
  end
  created = created or creates[kind]
  count = count * (widths[kind] or 1)
  local refused = perform(kind, at + 2, at + 1 + count)
  if refused then return refused end
  at = at + 2 + count
end

if created and connected == '0' then
  local ttlMs = redis.call('PTTL', record)
  if ttlMs > 0 then expireAll(ttlMs) end
end
return reply
