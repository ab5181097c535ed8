-- rows: not a script of its own; it stands in front of those that append entries.
--
-- `W` holds a script's arguments, `at` where a row begins in them:
--   count      of the values that follow, names and values of an entry's fields; positive
--   values     …
-- or, without names:
--   0
--   shape      0: a command, 1: a result, 2: a command that somebody asks, as they are written out below
--   values     …
-- or, when the arguments were packed (so that these are numbers) and the stream had a row before:
--   -changes-1 to that row
--   changes    each a place in the row and its new value, or a negative place and the place whose value it takes

local call = redis.call
local rows

-- How many values a shape has, told by its number or by its text.
local function size(shape) return shape + 0 == 0 and 7 or 9 end

-- Names and values of a row without names, whose values begin at `at`; not a table, which whoever adds but one entry need not make.
local function shaped(W, shape, at)
  local id, kind, source, subject, time, correlation = unpack(W, at, at + 5)
  if shape + 0 == 1 then
    return 'id', id, 'type', kind, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', 'application/json',
      'correlationid', correlation, 'causationid', W[at + 6], 'status', W[at + 7], 'data', W[at + 8]
  elseif shape + 0 == 2 then
    return 'id', id, 'type', kind, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', 'application/json',
      'correlationid', correlation, 'data', W[at + 6], 'replynode', W[at + 7], 'track', W[at + 8]
  end
  return 'id', id, 'type', kind, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', 'application/json',
    'correlationid', correlation, 'data', W[at + 6]
end

-- Returns a table and where in it the row begins and ends, and where the arguments go on.
local function row(W, packed, stream, at)
  local count = W[at] + 0
  if count > 0 then
    if packed then
      rows = rows or {}
      rows[stream] = {unpack(W, at + 1, at + count)}
    end
    return W, at + 1, at + count, at + count + 1
  end
  rows = rows or {}
  local values
  if count == 0 then
    local shape = W[at + 1]
    values = {shaped(W, shape, at + 2)}
    rows[stream] = values
    return values, 1, #values, at + 2 + size(shape)
  end
  values = rows[stream]
  for _ = 2, -count do
    local place, value = W[at + 1], W[at + 2]
    if place < 0 then values[-place] = values[value] else values[place] = value end
    at = at + 2
  end
  return values, 1, #values, at + 1
end
