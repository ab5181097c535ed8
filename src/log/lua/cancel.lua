#!lua
-- cancel: mark a command as one that must not complete, unless it has its outcome already.
--
-- KEYS  1            the message's outcome record
--       then for each actor type that it may be for:
--                    the partition's hash, the hash of cancelled messages
-- ARGV  1 id         of the message
--       2 time       kept with the mark, for people and for the sweep
--       3 wish       names this call; no spaces
--       4 limit      characters of wishes that a mark keeps; beyond it the oldest go
-- REPLY marked | too-late; an error: nothing was done
--
-- A mark is `time wish wish …`: it stands for every wish that made it, and unmark.lua takes them back one by one. The partition's field
-- `cancels` counts changes of marks. Every commit of an owner that settles a command, or moves one to where it rests, states the count that the
-- owner knows (commit.lua's conditions), so that no commit passes by a mark that its owner has not seen. Not flagged allow-oom: a full Redis
-- takes no new work.

local outcome = redis.call('GET', KEYS[1])
if outcome and string.sub(outcome, -8) ~= ' pending' then return 'too-late' end

-- Whatever may be refused is asked for first: Redis undoes nothing of a script that it stops.
for i = 2, #KEYS do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'hash' and found ~= 'none' then return redis.error_reply('WRONGTYPE ' .. found .. ' where a hash belongs') end
  if not (redis.acl_check_cmd('HINCRBY', KEYS[i], '', '1') and redis.acl_check_cmd('HSET', KEYS[i], '', '')) then
    return redis.error_reply('NOPERM the user may not run HINCRBY and HSET')
  end
end

for i = 2, #KEYS, 2 do
  local wishes = ''
  local mark = redis.call('HGET', KEYS[i + 1], ARGV[1])
  if mark then
    local first = string.find(mark, ' ', 1, true)
    if first then wishes = string.sub(mark, first) end
  end
  while #wishes > tonumber(ARGV[4]) do
    local second = string.find(wishes, ' ', 2, true)
    wishes = second and string.sub(wishes, second) or ''
  end
  redis.call('HSET', KEYS[i + 1], ARGV[1], ARGV[2] .. wishes .. ' ' .. ARGV[3])
  redis.call('HINCRBY', KEYS[i], 'cancels', 1)
end

return 'marked'
