#!lua
-- redrive: a dead letter's message goes into an inbox again, as a new message, and the letter goes; once, however often it is asked for.
--
-- KEYS  1            the dead letters
--       2            the inbox
--       3            optional: the new message's outcome record
-- ARGV  1 letter     the letter's entry
--       2 limit      entries the inbox may hold before it refuses
--       3..          names and values of the new message's fields
-- REPLY redriven | gone (somebody was faster) | full (nothing was done); an error: nothing was done
--
-- No owner is asked: an append needs none, and a terminal letter belongs to nobody. Not flagged allow-oom: a full Redis takes no new work.
-- Whatever may be refused is asked for first, and the letter goes last: where Redis keeps only the beginning, it is still there.

if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[2]) then return 'full' end
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 'gone' end
for _, allowed in ipairs({
  redis.acl_check_cmd('XADD', KEYS[2], '*', '', ''),
  redis.acl_check_cmd('XDEL', KEYS[1], ARGV[1]),
  not KEYS[3] or redis.acl_check_cmd('SET', KEYS[3], ''),
}) do
  if not allowed then return redis.error_reply('NOPERM the user may not run XADD, XDEL and SET on the keys of a redrive') end
end

redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
if KEYS[3] then redis.call('SET', KEYS[3], '- pending') end
redis.call('XDEL', KEYS[1], ARGV[1])
return 'redriven'
