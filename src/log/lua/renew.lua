#!lua flags=allow-oom
-- renew: go on owning the partitions of one shard.
--
-- KEYS  1..          the partitions' hashes
-- ARGV  1 lease      ms, from now
--       2..          the nonce of each, in the order of KEYS
-- REPLY for each, 1: renewed, 0: it has another owner

local time = redis.call('TIME')
local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
local renewed = {}

for i, key in ipairs(KEYS) do
  if redis.call('HGET', key, 'nonce') == ARGV[i + 1] then
    redis.call('HSET', key, 'until', ends)
    renewed[i] = 1
  else
    renewed[i] = 0
  end
end

return renewed
