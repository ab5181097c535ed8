#!lua flags=allow-oom
-- commit: everything an owner writes, or nothing.
--
-- KEYS  1            the partition's hash
--       2..          whatever is written, referred to by its index
-- ARGV  1 nonce      of the owner; another one in the hash means that the partition has a new owner
--       2 entries    how many of the words below tell of entries of streams
--       3 checks     how many compare-and-set conditions follow, each a field of the hash and the value it must have ('' for none)
--       then, as they are or packed in one MessagePack array when they are many, the entries, each:
--         index      in KEYS of the stream
--         limit      keep about so many entries, or 0 for all
--         row        the entry's fields, see rows.lua
--       and the other writes, each:
--         command    a Redis command
--         type       that its key must have if it is there: hash, list, zset, stream; '' for any
--         index      in KEYS of the key it writes
--         count      of the values that follow
--         values     …
--       or, strings that keys are to hold:
--         1
--         count      of the keys
--         index, string  for each of them, its index in KEYS
--       or, what others hear, when all is written:
--         0
--         channel
--         message
-- REPLY committed | fenced | changed (a condition does not hold) | refused <index> <why> (nothing is written: a key, by its index, has another
--       type, or the user may not do it) | unheard (committed, and the user may not publish)
--
-- Nothing is written before the nonce and every condition have been checked, nor before it is known that nothing will be refused: Redis undoes
-- nothing of a script that it stops. Of entries that is known only once they are written, so they come first, and are taken back here.
-- The values stay opaque: no payload is parsed. Flagged allow-oom: a full Redis must be able to drain.

if call('HGET', KEYS[1], 'nonce') ~= ARGV[1] then return 'fenced' end

local at = 4
for _ = 1, tonumber(ARGV[3]) do
  if (call('HGET', KEYS[1], ARGV[at]) or '') ~= ARGV[at + 1] then return 'changed' end
  at = at + 2
end

local packed = #ARGV == at -- as they are the words are two at least
local W = packed and cmsgpack.unpack(ARGV[at]) or ARGV
if packed then at = 1 end
local others = at + ARGV[2]
local n = #W

-- What may be refused later is asked for now. Rights go by commands and keys' patterns: of several writes of one kind in a row one is asked for.
local next, last = others, ''
while next <= n do
  local command = W[next]
  if command == 1 or command == '1' then
    if not redis.acl_check_cmd('MSET', KEYS[W[next + 2] + 0], '') then return 'refused ' .. W[next + 2] .. ' NOPERM MSET' end
    next = next + 2 + 2 * W[next + 1]
  elseif command == 0 or command == '0' then
    next = next + 3
  else
    local kind, index = W[next + 1], W[next + 2] + 0
    if kind ~= '' then
      local found = call('TYPE', KEYS[index]).ok
      if found ~= kind and found ~= 'none' then return 'refused ' .. index .. ' WRONGTYPE ' .. found .. ' where a ' .. kind .. ' belongs' end
    end
    if command ~= last and not redis.acl_check_cmd(command, KEYS[index], '', '') then return 'refused ' .. index .. ' NOPERM ' .. command end
    last = command
    next = next + 4 + W[next + 3]
  end
end

local added = {} -- by its index in KEYS, how many entries a stream was given
while at < others do
  local index = W[at] + 0
  local limit = W[at + 1] + 0
  local reply
  at = at + 2
  if not packed and W[at] == '0' then
    local shape = W[at + 1]
    if limit == 0 then reply = redis.pcall('XADD', KEYS[index], '*', shaped(W, shape, at + 2))
    else reply = redis.pcall('XADD', KEYS[index], 'MAXLEN', '~', limit, '*', shaped(W, shape, at + 2)) end
    at = at + 2 + size(shape)
  else
    local values, from, to
    values, from, to, at = row(W, packed, index, at)
    if limit == 0 then reply = redis.pcall('XADD', KEYS[index], '*', unpack(values, from, to))
    else reply = redis.pcall('XADD', KEYS[index], 'MAXLEN', '~', limit, '*', unpack(values, from, to)) end
  end
  if type(reply) == 'table' then
    for i = 1, #KEYS do
      for _ = 1, added[i] or 0 do
        local newest = call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)
        call('XDEL', KEYS[i], newest[1][1])
      end
    end
    return 'refused ' .. index .. ' ' .. reply.err
  end
  added[index] = (added[index] or 0) + 1
end

local unheard = false
while others <= n do
  local command = W[others]
  if command == 1 or command == '1' then
    local final = others + 1 + 2 * W[others + 1]
    for key = others + 2, final, 2 do W[key] = KEYS[W[key] + 0] end
    call('MSET', unpack(W, others + 2, final))
    others = final + 1
  elseif command == 0 or command == '0' then
    if type(redis.pcall('PUBLISH', W[others + 1], W[others + 2])) == 'table' then unheard = true end
    others = others + 3
  else
    local final = others + 3 + W[others + 3]
    call(command, KEYS[W[others + 2] + 0], unpack(W, others + 4, final))
    others = final + 1
  end
end

return unheard and 'unheard' or 'committed'
