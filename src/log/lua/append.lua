#!lua
-- append: a producer's batch onto the streams of one shard, once, however often it is sent.
--
-- KEYS  1            the producer's last sequence and its reply
--       2..          inboxes, event streams and outcome records, referred to by their index
-- ARGV, packed in one MessagePack array when there are many:
--       1 sequence   of this batch; counts up by one for each new batch of this producer and shard
--       2 ttl        of the producer's record, ms
--       3 limit      entries an inbox may hold before it refuses
--       then for each message:
--         stream     index in KEYS
--         bounded    1: refuse when the stream holds `limit` entries
--         outcome    index in KEYS, or 0: nothing is recorded
--         print      the data's fingerprint, or '-'
--         keep       ms to keep the record; 0: until the outcome is terminal
--         count      of the values that follow: names and values of the entry's fields
-- REPLY one text, a word a message: the entry's id | full | duplicate | conflict
--       stale        this sequence is older than the last one: nothing was done
--
-- The same sequence again answers the stored reply and does nothing. Not flagged allow-oom: a full Redis takes no new work.

local ARGV = #ARGV == 1 and cmsgpack.unpack(ARGV[1]) or ARGV
local sequence = tonumber(ARGV[1])
local last = redis.call('GET', KEYS[1])
if last then
  local gap = string.find(last, ' ', 1, true)
  local seen = tonumber(string.sub(last, 1, gap - 1))
  if seen == sequence then return string.sub(last, gap + 1) end
  if seen > sequence then return 'stale' end
end

local limit = tonumber(ARGV[3])
local lengths = {}
local words = {}
local at, n = 4, #ARGV

while at <= n do
  local stream = KEYS[tonumber(ARGV[at])]
  local outcome = tonumber(ARGV[at + 2])
  local count = tonumber(ARGV[at + 5])
  local from = at + 6
  local word

  if outcome > 0 then
    local known = redis.call('GET', KEYS[outcome])
    if known then
      local print = string.sub(known, 1, string.find(known, ' ', 1, true) - 1)
      word = print == ARGV[at + 3] and 'duplicate' or 'conflict'
    end
  end

  if not word and ARGV[at + 1] == '1' then
    local length = lengths[stream] or redis.call('XLEN', stream)
    if length >= limit then word = 'full' else lengths[stream] = length + 1 end
  end

  if not word then
    word = redis.call('XADD', stream, '*', unpack(ARGV, from, from + count - 1))
    if outcome > 0 then
      if ARGV[at + 4] == '0' then redis.call('SET', KEYS[outcome], ARGV[at + 3] .. ' pending')
      else redis.call('SET', KEYS[outcome], ARGV[at + 3] .. ' pending', 'PX', ARGV[at + 4]) end
    end
  end

  words[#words + 1] = word
  at = from + count
end

local reply = table.concat(words, ' ')
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. reply, 'PX', ARGV[2])
return reply
