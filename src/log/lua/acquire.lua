#!lua flags=allow-oom
-- acquire: become the owner of a partition, if nobody else is.
--
-- KEYS  1            the partition's hash
-- ARGV  1 nonce      new at every acquisition; each commit must present it
--       2 node       the new owner's name
--       3 lease      ms
--       4.. previous nonces under which the same node holds it, or may: its own lease need not run out first
-- REPLY { 'acquired', Redis' time in ms, field, value, … }   the hash as it stood before: cursors, and the owner that did not release it
--       { 'held', Redis' time in ms, owner, lease end in ms }

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'nonce', 'node', 'until')

local ours = false
for i = 4, #ARGV do ours = ours or held[1] == ARGV[i] end
if held[1] and not ours and (tonumber(held[3]) or 0) > now then
  return { 'held', string.format('%.0f', now), held[2] or '', held[3] }
end

local before = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'node', ARGV[2], 'until', string.format('%.0f', now + ARGV[3]))
return { 'acquired', string.format('%.0f', now), unpack(before) }
