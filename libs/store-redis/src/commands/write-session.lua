-- Carries out writes of a session's owner, in order, if it still is the owner.
--
-- KEYS     as in session.lua
-- ARGV[1]  epoch of the owner
-- ARGV[2]  slack of the TTL (ms)
-- ARGV[3]  then the writes; a count stands before what repeats:
--          append n, n times: entry id, value       settle n, n entry ids
--          subscribe n, n times: filter, options    unsubscribe n, n filters
--          receive n, n packet ids                  forget n, n packet ids
--          release n, n packet ids                  complete n, n packet ids
--          disconnect 3, now (ms), interval (s), when the will is due (ms) or empty: there is none
--          forget-will 0                            discard 0 (nothing may follow)
--
-- {'done'}                               all of them were carried out
-- {'discarded', node id, incarnation}    the same, and the session is gone; it was this node's
-- {'fenced'}                             nothing was changed: the epoch is not the session's
-- an error                               Redis refused a write, those before it were carried out

local epoch, connected, nodeId, incarnation = unpack(redis.call('HMGET', record, 'e', 'c', 'n', 'i'))
if epoch ~= ARGV[1] then return { 'fenced' } end

-- The writes that may create a key, which then lacks the TTL of a disconnected session.
local creates = { subscribe = true, receive = true, release = true }
local created = false

local function append(from, to)
  for at = from, to, 2 do
    local added = redis.pcall('XADD', queue, ARGV[at], '', ARGV[at + 1])
    if type(added) == 'table' and added.err then
      -- A repeat of an append whose reply was lost changes nothing; anything else is refused.
      local found = redis.call('XRANGE', queue, ARGV[at], ARGV[at])[1]
      if not found or found[2][2] ~= ARGV[at + 1] then return added end
    end
  end
end

local function perform(kind, from, to)
  if kind == 'append' then return append(from, to) end
  if kind == 'disconnect' then
    connected = '0'
    depart(tonumber(epoch), tonumber(ARGV[from]), tonumber(ARGV[from + 1]), tonumber(ARGV[2]))
    if ARGV[from + 2] == '' then
      redis.call('HDEL', record, 'w', 'v')
    else
      redis.call('HSET', record, 'v', ARGV[from + 2])
    end
  elseif kind == 'forget-will' then
    redis.call('HDEL', record, 'w', 'v')
  elseif kind == 'settle' then
    redis.call('XDEL', queue, unpack(ARGV, from, to))
  elseif kind == 'subscribe' then
    redis.call('HSET', filters, unpack(ARGV, from, to))
  elseif kind == 'unsubscribe' then
    redis.call('HDEL', filters, unpack(ARGV, from, to))
  elseif kind == 'receive' then
    redis.call('SADD', received, unpack(ARGV, from, to))
  elseif kind == 'forget' then
    redis.call('SREM', received, unpack(ARGV, from, to))
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
  if kind == 'append' or kind == 'subscribe' then count = count * 2 end
  local refused = perform(kind, at + 2, at + 1 + count)
  if refused then return refused end
  at = at + 2 + count
end

if created and connected == '0' then
  local ttlMs = redis.call('PTTL', record)
  if ttlMs > 0 then
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttlMs) end
  end
end
return { 'done' }
