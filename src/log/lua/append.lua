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
--       else a word a message: ok | full | duplicate | conflict | wrongtype, noperm, error (Redis refuses this one, of which nothing is written)
--       stale        this sequence is older than the last one: nothing was done
--       none wrongtype, none noperm, none error    Redis refuses the producer's record: nothing was done
--
-- The same sequence again answers the stored reply and does nothing. It is stored last: a batch that fails in its middle is none that was done.
-- So nothing fails in the middle: what Redis refuses of one message is said of that one. (Rights to KEYS it has looked at before the script
-- runs, and SET, which comes behind an entry, is asked for here.)
-- Not flagged allow-oom: a full Redis takes no new work.

-- A word for an error, false for any other reply.
local function fault(reply)
  if type(reply) ~= 'table' or not reply.err then return false end
  if string.sub(reply.err, 1, 9) == 'WRONGTYPE' then return 'wrongtype' end
  -- Redis 7.0 has no code for it in a script.
  if string.sub(reply.err, 1, 6) == 'NOPERM' or string.find(reply.err, 'The user executing', 1, true) then return 'noperm' end
  return 'error'
end

local last = redis.pcall('GET', KEYS[1])
if fault(last) then return 'none ' .. fault(last) end
if not redis.acl_check_cmd('SET', KEYS[1], '', 'PX', '1') then return 'none noperm' end
if last then
  if last == ARGV[1] then return 'ok' end
  local gap = string.find(last, ' ', 1, true)
  local seen = tonumber(gap and string.sub(last, 1, gap - 1) or last)
  local sequence = tonumber(ARGV[1])
  if seen == sequence then return string.sub(last, gap + 1) end
  if seen > sequence then return 'stale' end
end

local limit = tonumber(ARGV[3])

-- What is said of a message whose outcome is recorded already; false when it is not.
local function known(outcome, print)
  local record = redis.pcall('GET', outcome)
  if fault(record) then return fault(record) end
  if not record then return false end
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
  local word = outcome and known(outcome, ARGV[7])
  if word then return done(word) end
  if ARGV[5] == '1' then
    local length = redis.pcall('XLEN', stream)
    if fault(length) then return done(fault(length)) end
    if length >= limit then return done('full') end
  end
  local refused = fault(redis.pcall('XADD', stream, '*', shaped(ARGV, ARGV[alone + 1], alone + 2)))
  if refused then return done(refused) end
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
  local word = outcome > 0 and known(KEYS[outcome], print)

  if not word and bounded == 1 then
    local length = lengths[index] or redis.pcall('XLEN', stream)
    word = fault(length)
    if not word then
      if length >= limit then word = 'full' else lengths[index] = length + 1 end
    end
  end

  if not word then
    word = fault(redis.pcall('XADD', stream, '*', unpack(values, from, to))) or 'ok'
    if word == 'ok' and outcome > 0 then expect(KEYS[outcome], print, keep) end
  end

  if word ~= 'ok' then refused = true end
  words[#words + 1] = word
end

return done(refused and table.concat(words, ' ') or 'ok')
