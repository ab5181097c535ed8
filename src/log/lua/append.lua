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

local last = call('GET', KEYS[1])
if last then
  if last == ARGV[1] then return 'ok' end
  local gap = string.find(last, ' ', 1, true)
  local seen = tonumber(gap and string.sub(last, 1, gap - 1) or last)
  local sequence = tonumber(ARGV[1])
  if seen == sequence then return string.sub(last, gap + 1) end
  if seen > sequence then return 'stale' end
end

local limit = tonumber(ARGV[3])

-- What is said of a message whose outcome is recorded already.
local function known(record, print)
  return string.sub(record, 1, string.find(record, ' ', 1, true) - 1) == print and 'duplicate' or 'conflict'
end

local function expect(outcome, print, keep)
  if keep == '0' then call('SET', outcome, print .. ' pending')
  else call('SET', outcome, print .. ' pending', 'PX', keep) end
end

-- The producer's record: its sequence alone says that all went well.
local function done(reply)
  call('SET', KEYS[1], reply == 'ok' and ARGV[1] or ARGV[1] .. ' ' .. reply, 'PX', ARGV[2])
  return reply
end

-- A message alone, its row without names, as are most that somebody waits for: nothing is laid out for others.
local tracked = ARGV[6] ~= '0'
local alone = tracked and 9 or 7
if ARGV[alone] == '0' and #ARGV == alone + 1 + size(ARGV[alone + 1]) then
  local stream = KEYS[ARGV[4] + 0]
  local outcome = tracked and KEYS[ARGV[6] + 0]
  local record = outcome and call('GET', outcome)
  if record then return done(known(record, ARGV[7])) end
  if ARGV[5] == '1' and call('XLEN', stream) >= limit then return done('full') end
  call('XADD', stream, '*', shaped(ARGV, ARGV[alone + 1], alone + 2))
  if outcome then expect(outcome, ARGV[7], ARGV[8]) end
  return done('ok')
end

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
    local record = call('GET', KEYS[outcome])
    if record then word = known(record, print) end
  end

  if not word and bounded == 1 then
    local length = lengths[index] or call('XLEN', stream)
    if length >= limit then word = 'full' else lengths[index] = length + 1 end
  end

  if not word then
    word = 'ok'
    call('XADD', stream, '*', unpack(values, from, to))
    if outcome > 0 then expect(KEYS[outcome], print, keep) end
  else
    refused = true
  end

  words[#words + 1] = word
end

return done(refused and table.concat(words, ' ') or 'ok')
