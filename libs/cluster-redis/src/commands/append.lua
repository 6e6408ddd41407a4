-- Appends a batch to a node's inbox, or to that of the node which has taken it over.
--
-- KEYS[1] members    KEYS[2] the receiver's inbox    KEYS[3] the receiver's heir
-- ARGV[1] receiver's node key    ARGV[2] sender's node key    ARGV[3] sequence    ARGV[4] how many entries an inbox may hold
-- ARGV[5] frame    ARGV[6] start of an inbox's key    ARGV[7] start of an heir's key
--
-- Returns { 'stored', length } with the length of the receiver's inbox, without it when an heir's has the batch;
-- { 'full' } (nothing was stored); { 'absent' } when there is neither the receiver nor an heir.
local inbox = KEYS[2]
local receiver = ARGV[1]
local heirs = 0
while redis.call('HEXISTS', KEYS[1], receiver) == 0 do
  receiver = redis.call('GET', heirs == 0 and KEYS[3] or ARGV[7] .. receiver)
  heirs = heirs + 1
  if not receiver or heirs > 16 then
    return { 'absent' }
  end
  inbox = ARGV[6] .. receiver
end
local length = redis.call('XLEN', inbox)
if length >= tonumber(ARGV[4]) then
  return { 'full' }
end
local fields = { 'from', ARGV[2], 'sequence', ARGV[3], 'frame', ARGV[5] }
if receiver == ARGV[1] then
  redis.call('XADD', inbox, '*', unpack(fields))
  return { 'stored', length + 1 }
end
fields[7], fields[8] = 'of', ARGV[1]
redis.call('XADD', inbox, '*', unpack(fields))
return { 'stored' }
