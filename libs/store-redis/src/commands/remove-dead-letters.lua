-- Removes dead letters.
--
-- KEYS[1] the letters: see keys.ts
-- KEYS[2] how many bytes they take
-- ARGV     ids
--
-- how many of them were there

local found = 0
local bytes = 0
for _, id in ipairs(ARGV) do
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    redis.call('XDEL', KEYS[1], id)
    found = found + 1
    bytes = bytes + #entry[2][2]
  end
end
if found > 0 then
  local left = tonumber(redis.call('GET', KEYS[2]) or 0) - bytes
  redis.call('SET', KEYS[2], string.format('%.0f', math.max(left, 0)))
end
return found
