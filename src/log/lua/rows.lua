-- rows: not a script of its own; it stands in front of those that append entries.
--
-- `W` holds a script's arguments, `at` where a row begins in them:
--   count      of the values that follow, names and values of an entry's fields; positive
--   values     …
-- or, when the arguments were packed (so that these are numbers) and the stream had a row before:
--   -changes   to that row
--   changes    each a place in the row and its new value, or a negative place and the place whose value it takes

local rows = {}

-- Returns a table and where in it the row begins and ends, and where the arguments go on.
local function row(W, packed, stream, at)
  local count = W[at] + 0
  if count > 0 then
    if packed then rows[stream] = {unpack(W, at + 1, at + count)} end
    return W, at + 1, at + count, at + count + 1
  end
  local values = rows[stream]
  for _ = 1, -count do
    local place, value = W[at + 1], W[at + 2]
    if place < 0 then values[-place] = values[value] else values[place] = value end
    at = at + 2
  end
  return values, 1, #values, at + 1
end
