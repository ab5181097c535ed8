#!lua
-- redrive: a dead letter's message goes into an inbox again, as a new message, and the letter goes; once, however often it is asked for.
--
-- KEYS  1            the dead letters
--       2            the inbox
--       3            optional: the new message's outcome record
-- ARGV  1 letter     the letter's entry
--       2 limit      entries the inbox may hold before it refuses
--       3..          names and values of the new message's fields
-- REPLY redriven | gone (somebody was faster) | full (nothing was done)
--
-- No owner is asked: an append needs none, and a terminal letter belongs to nobody. Not flagged allow-oom: a full Redis takes no new work.

if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[2]) then return 'full' end
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 'gone' end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
if KEYS[3] then redis.call('SET', KEYS[3], '- pending') end
return 'redriven'
