-- rows: not a script of its own; it stands in front of those that append entries.
--
-- `W` holds a script's arguments, `at` where a row begins in them:
--   count      of the values that follow, names and values of an entry's fields; positive
--   values     …
-- or, without names:
--   0
--   shape      0: a command, 1: a result, as they are written out below
--   values     …
-- or, when the arguments were packed (so that these are numbers) and the stream had a row before:
--   -changes-1 to that row
--   changes    each a place in the row and its new value, or a negative place and the place whose value it takes

local rows = {}

-- Returns a table and where in it the row begins and ends, and where the arguments go on.
local function row(W, packed, stream, at)
  local count = W[at] + 0
  if count > 0 then
    if packed then rows[stream] = {unpack(W, at + 1, at + count)} end
    return W, at + 1, at + count, at + count + 1
  end
  local values
  if count == 0 then
    local id, kind, source, subject, time, correlation = unpack(W, at + 2, at + 7)
    if W[at + 1] + 0 == 0 then
      values = {
        'id', id, 'type', kind, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', 'application/json',
        'correlationid', correlation, 'data', W[at + 8],
      }
      at = at + 9
    else
      values = {
        'id', id, 'type', kind, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', 'application/json',
        'correlationid', correlation, 'causationid', W[at + 8], 'status', W[at + 9], 'data', W[at + 10],
      }
      at = at + 11
    end
    rows[stream] = values
    return values, 1, #values, at
  end
  values = rows[stream]
  for _ = 2, -count do
    local place, value = W[at + 1], W[at + 2]
    if place < 0 then values[-place] = values[value] else values[place] = value end
    at = at + 2
  end
  return values, 1, #values, at + 1
end
