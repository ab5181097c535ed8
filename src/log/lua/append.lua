#!lua
-- append: a producer's batch onto the streams of one shard, once, however often it is sent.
--
-- KEYS  1            the producer's last sequence and its reply
--       2..          inboxes, event streams and outcome records, referred to by their index
-- ARGV  1 sequence   of this batch; counts up by one for each new batch of this producer and shard
--       2 ttl        of the producer's record, ms
--       3 limit      entries an inbox may hold before it refuses
--       then, as they are or packed in one MessagePack array when there are many, for each message:
--         stream     index in KEYS
--         bounded    1: refuse when the stream holds `limit` entries
--         outcome    index in KEYS, or 0: nothing is recorded, and the next two are left out
--           print    the data's fingerprint, or '-'
--           keep     ms to keep the record; 0: until the outcome is terminal
--         row        the entry's fields, see rows.lua
-- REPLY ok           all were appended
--       else a word a message: ok | full | duplicate | conflict
--       stale        this sequence is older than the last one: nothing was done
--
-- The same sequence again answers the stored reply and does nothing. It is stored last: a batch that fails in its middle is none that was done.
-- Not flagged allow-oom: a full Redis takes no new work.

local sequence = tonumber(ARGV[1])
local last = redis.call('GET', KEYS[1])
if last then
  local gap = string.find(last, ' ', 1, true)
  local seen = tonumber(string.sub(last, 1, gap - 1))
  if seen == sequence then return string.sub(last, gap + 1) end
  if seen > sequence then return 'stale' end
end

local limit = tonumber(ARGV[3])
local packed = #ARGV == 4
local W = packed and cmsgpack.unpack(ARGV[4]) or ARGV
local at, n = packed and 1 or 4, #W
local lengths = {}
local words = {}
local refused = false

while at <= n do
  local index = W[at] + 0
  local stream = KEYS[index]
  local bounded = W[at + 1] + 0
  local outcome = W[at + 2] + 0
  local print, keep
  at = at + 3
  if outcome > 0 then
    print, keep = W[at], W[at + 1]
    at = at + 2
  end
  local values, from, to
  values, from, to, at = row(W, packed, index, at)
  local word

  if outcome > 0 then
    local known = redis.call('GET', KEYS[outcome])
    if known then
      word = string.sub(known, 1, string.find(known, ' ', 1, true) - 1) == print and 'duplicate' or 'conflict'
    end
  end

  if not word and bounded == 1 then
    local length = lengths[index] or redis.call('XLEN', stream)
    if length >= limit then word = 'full' else lengths[index] = length + 1 end
  end

  if not word then
    word = 'ok'
    redis.call('XADD', stream, '*', unpack(values, from, to))
    if outcome > 0 then
      if keep == '0' then redis.call('SET', KEYS[outcome], print .. ' pending')
      else redis.call('SET', KEYS[outcome], print .. ' pending', 'PX', keep) end
    end
  else
    refused = true
  end

  words[#words + 1] = word
end

local reply = refused and table.concat(words, ' ') or 'ok'
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. reply, 'PX', ARGV[2])
return reply
