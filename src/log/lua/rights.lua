#!lua flags=no-writes
-- rights: which of some requests the user may not make. Nothing is done: what would be allowed is not tried.
--
-- ARGV  for each request:
--         count      of its words
--         words      …
-- REPLY for each that is refused, its number (from 1) and how Redis refuses it; or 'unknown', where Redis cannot be asked

if not redis.acl_check_cmd then return 'unknown' end

local refused = {}
local at, number = 1, 0

while at <= #ARGV do
  local last = at + ARGV[at]
  local words = {unpack(ARGV, at + 1, last)}
  number = number + 1
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not known then
    refused[#refused + 1] = number
    refused[#refused + 1] = 'unknown command'
  elseif not allowed then
    -- It is refused again, with a reason; only what scripts may not do is refused for that.
    refused[#refused + 1] = number
    refused[#refused + 1] = redis.pcall(unpack(words)).err
  end
  at = last + 1
end

return refused
