#!lua
-- cancel: mark a command as one that must not complete, unless it has its outcome already.
--
-- KEYS  1            the message's outcome record
--       then for each actor type that it may be for:
--                    the partition's hash, the hash of cancelled messages, the inbox
-- ARGV  1 id         of the message
--       2 time       kept with the mark, for people to see
--       3..          names and values of a request's fields, which wakes the owner through its inbox
-- REPLY marked | too-late
--
-- The partition's field `cancels` counts marks. Every commit of an owner that settles a message states the count it knows (commit.lua's
-- conditions), so that no commit passes by a mark that its owner has not seen. Not flagged allow-oom: a full Redis takes no new work.

local outcome = redis.call('GET', KEYS[1])
if outcome and string.sub(outcome, -8) ~= ' pending' then return 'too-late' end

for i = 2, #KEYS, 3 do
  redis.call('HSET', KEYS[i + 1], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[i], 'cancels', 1)
  redis.call('XADD', KEYS[i + 2], '*', unpack(ARGV, 3))
end

return 'marked'
