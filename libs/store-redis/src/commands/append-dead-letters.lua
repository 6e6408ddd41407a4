-- Keeps dead letters, and lets go of what is too old or too much, the oldest first.
--
-- KEYS[1] the letters: see keys.ts
-- KEYS[2] how many bytes they take
-- ARGV[1]  how many letters are kept
-- ARGV[2]  how many bytes are kept
-- ARGV[3]  for how long they are kept (ms)
-- ARGV[4…] the letters; none to let go only
--
-- how many went

local now = redis.call('TIME')
local least = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[3]
local bytes = tonumber(redis.call('GET', KEYS[2]) or 0)
for index = 4, #ARGV do
  redis.call('XADD', KEYS[1], '*', '', ARGV[index])
  bytes = bytes + #ARGV[index]
end
local count = redis.call('XLEN', KEYS[1])
local gone = 0
-- Redis serves nobody else meanwhile: what is too old goes in several calls.
while count > 0 and gone < 1000 do
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  local at = tonumber(string.match(first[1], '^%d+'))
  if count <= tonumber(ARGV[1]) and bytes <= tonumber(ARGV[2]) and at >= least then break end
  redis.call('XDEL', KEYS[1], first[1])
  bytes = bytes - #first[2][2]
  count = count - 1
  gone = gone + 1
end
if gone > 0 or #ARGV > 3 then redis.call('SET', KEYS[2], string.format('%.0f', bytes)) end
return gone
