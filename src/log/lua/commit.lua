#!lua flags=allow-oom
-- commit: everything an owner writes, or nothing.
--
-- KEYS  1            the partition's hash
--       2..          whatever is written, referred to by its index
-- ARGV, packed in one MessagePack array when there are many:
--       1 nonce      of the owner; another one in the hash means that the partition has a new owner
--       2 checks     how many compare-and-set conditions follow, each a field of the hash and the value it must have ('' for none)
--       then the writes, each:
--         count      of the values that follow the index
--         command    a Redis command
--         index      in KEYS of the key it writes, or 0 for a command without one (PUBLISH)
--         values     …
-- REPLY committed | fenced | changed (a condition does not hold)
--
-- Nothing is written before the nonce and every condition have been checked. The values stay opaque: no payload is parsed here.
-- Flagged allow-oom: a full Redis must be able to drain.

local ARGV = #ARGV == 1 and cmsgpack.unpack(ARGV[1]) or ARGV

if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end

local at = 3
for _ = 1, tonumber(ARGV[2]) do
  if (redis.call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1] then return 'changed' end
  at = at + 2
end

local n = #ARGV
while at <= n do
  local count = tonumber(ARGV[at])
  local index = tonumber(ARGV[at + 2])
  local last = at + 2 + count
  if index == 0 then
    redis.call(ARGV[at + 1], unpack(ARGV, at + 3, last))
  else
    redis.call(ARGV[at + 1], KEYS[index], unpack(ARGV, at + 3, last))
  end
  at = last + 1
end

return 'committed'
