#!lua flags=allow-oom
-- release: give up the partitions of one shard, so that others need not wait for the lease to end.
--
-- KEYS  1..          the partitions' hashes
-- ARGV  1..          the nonce of each, in the order of KEYS
-- REPLY for each, 1: released, 0: it had another owner already

local released = {}

for i, key in ipairs(KEYS) do
  if redis.call('HGET', key, 'nonce') == ARGV[i] then
    redis.call('HDEL', key, 'nonce', 'node', 'until')
    released[i] = 1
  else
    released[i] = 0
  end
end

return released
