#!lua flags=allow-oom
-- commit: everything an owner writes, or nothing.
--
-- KEYS  1            the partition's hash
--       2..          whatever is written, referred to by its index
-- ARGV  1 nonce      of the owner; another one in the hash means that the partition has a new owner
--       2 checks     how many compare-and-set conditions follow, each a field of the hash and the value it must have ('' for none)
--       then the writes, as they are or packed in one MessagePack array when they are many, each:
--         command    a Redis command
--         index      in KEYS of the key it writes, or 0 for a command without one (PUBLISH)
--         count      of the values that follow
--         values     …
--       or, an entry at the end of a stream:
--         0
--         index      in KEYS of the stream
--         limit      keep about so many entries, or 0 for all
--         row        the entry's fields, see rows.lua
--       or, texts that keys are to hold:
--         1
--         count      of the keys
--         index, text  for each of them, its index in KEYS
-- REPLY committed | fenced | changed (a condition does not hold)
--
-- Nothing is written before the nonce and every condition have been checked. The values stay opaque: no payload is parsed here.
-- Flagged allow-oom: a full Redis must be able to drain.

if call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end

local at = 3
for _ = 1, tonumber(ARGV[2]) do
  if (call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1] then return 'changed' end
  at = at + 2
end

local packed = #ARGV == at -- as they are the writes are three at least
local W = packed and cmsgpack.unpack(ARGV[at]) or ARGV
if packed then at = 1 end
local n = #W

while at <= n do
  local command = W[at]
  local index = W[at + 1] + 0
  local count = W[at + 2] + 0
  if command == 1 or command == '1' then
    local last = at + 1 + 2 * index
    for key = at + 2, last, 2 do W[key] = KEYS[W[key] + 0] end
    call('MSET', unpack(W, at + 2, last))
    at = last + 1
  elseif command == 0 or command == '0' then
    at = at + 3
    if not packed and W[at] == '0' then
      local shape = W[at + 1]
      if count == 0 then call('XADD', KEYS[index], '*', shaped(W, shape, at + 2))
      else call('XADD', KEYS[index], 'MAXLEN', '~', count, '*', shaped(W, shape, at + 2)) end
      at = at + 2 + size(shape)
    else
      local values, from, to
      values, from, to, at = row(W, packed, index, at)
      if count == 0 then call('XADD', KEYS[index], '*', unpack(values, from, to))
      else call('XADD', KEYS[index], 'MAXLEN', '~', count, '*', unpack(values, from, to)) end
    end
  else
    local last = at + 2 + count
    if index == 0 then call(command, unpack(W, at + 3, last))
    else call(command, KEYS[index], unpack(W, at + 3, last)) end
    at = last + 1
  end
end

return 'committed'
