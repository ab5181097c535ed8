#!lua
-- unmark: take back a wish to cancel a message, for actor types that do not have the message.
--
-- KEYS  for each actor type: the partition's hash, the hash of cancelled messages
-- ARGV  1 id         of the message
--       2 wish       as cancel.lua was given it; or a whole mark, which goes if nobody has wished since
-- REPLY unmarked; an error: nothing was done
--
-- A mark goes with its last wish: somebody else may have found the message and rely on it. That a mark goes is counted in `cancels`, so that
-- no owner acts on a mark that it only remembers.

-- Whatever may be refused is asked for first: Redis undoes nothing of a script that it stops.
for _, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'hash' and found ~= 'none' then return redis.error_reply('WRONGTYPE ' .. found .. ' where a hash belongs') end
  if not (redis.acl_check_cmd('HINCRBY', key, '', '1') and redis.acl_check_cmd('HSET', key, '', '') and redis.acl_check_cmd('HDEL', key, '')) then
    return redis.error_reply('NOPERM the user may not run HINCRBY, HSET and HDEL')
  end
end

for i = 1, #KEYS, 2 do
  local mark = redis.call('HGET', KEYS[i + 1], ARGV[1])
  if mark then
    local left = mark
    local at = string.find(mark .. ' ', ' ' .. ARGV[2] .. ' ', 1, true)
    if at then left = string.sub(mark, 1, at - 1) .. string.sub(mark, at + 1 + #ARGV[2]) end
    if mark == ARGV[2] or (at and not string.find(left, ' ', 1, true)) then
      redis.call('HDEL', KEYS[i + 1], ARGV[1])
      redis.call('HINCRBY', KEYS[i], 'cancels', 1)
    elseif at then
      redis.call('HSET', KEYS[i + 1], ARGV[1], left)
    end
  end
end

return 'unmarked'
