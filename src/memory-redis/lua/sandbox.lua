-- What this Redis adds to the script engine. Runs once, when the engine is loaded.
--
-- ARGV[1]  this file
-- ARGV[2]  a secret: getmetatable(secret) gives { compile, run, reset }. Scripts do not know it, so none can touch another's.
--          Logged, it says that the reply holds RESP3's own types, and that setresp(3) comes from here and not from the script
-- ARGV[3]  the package's message when a script has used up its instructions
-- ARGV[4]  how deep a script's reply may be nested; the engine's own stack allows little more
-- ARGV[5]  how many steps the pattern functions may take, all calls of one script together
--
-- 1. What a script throws is caught by `failed`, which finds the line and keeps what the package would drop: the message of an error
--    thrown as a table. It passes both on in one text, its parts set apart by a mark.
-- 2. A script that has used up its instructions cannot go on by catching that error: pcall, xpcall and coroutine.resume pass it on.
-- 3. A reply that is nested too deeply, or holds itself, is refused here: the engine would never come to its end.
-- 4. redis.pcall, redis.error_reply and redis.status_reply answer what is no text with an error, as Redis does; the package throws one.
-- 5. Matching a pattern is one instruction and may take for ever: what it can take at worst is reckoned first.

local secret, spent_message, most_nested, most_steps = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local error, getmetatable, loadstring, pcall, rawget, select, tonumber, tostring, type, xpcall =
  error, getmetatable, loadstring, pcall, rawget, select, tonumber, tostring, type, xpcall
local log, setresp, redis_pcall, resume = redis.log, redis.setresp, redis.pcall, coroutine.resume
local byte, find, gmatch, gsub, match, sub = string.byte, string.find, string.gmatch, string.gsub, string.match, string.sub

local function is_spent(thrown)
  return type(thrown) == 'string' and find(thrown, spent_message, 1, true)
end

local function relay(fine, thrown, ...)
  if not fine and is_spent(thrown) then error(thrown, 0) end
  return fine, thrown, ...
end

_G.pcall = function(...) return relay(pcall(...)) end
coroutine.resume = function(...) return relay(resume(...)) end
_G.xpcall = function(run, handle)
  local spent
  local function guard(thrown)
    if is_spent(thrown) then
      spent = thrown
      return thrown
    end
    return handle(thrown)
  end
  local function finish(...)
    if spent then error(spent, 0) end
    return ...
  end
  return finish(xpcall(run, guard))
end

-- Replies

redis.pcall = function(...)
  local words = {...}
  for index = 1, select('#', ...) do
    local word = type(words[index])
    if word ~= 'string' and word ~= 'number' then return { err = 'ERR Lua redis lib command arguments must be strings or integers' } end
  end
  return redis_pcall(...)
end

-- The only argument, if it is a text.
local function text_alone(...)
  local said = ...
  return select('#', ...) == 1 and type(said) == 'string' and said
end

local function wrong() return { err = 'ERR wrong number or type of arguments' } end

redis.status_reply = function(...)
  local said = text_alone(...)
  return said and { ok = said } or wrong()
end

local function is_line_end(code) return code == 10 or code == 13 end

local function trimmed(text)
  local from, to = 1, #text
  while from <= to and is_line_end(byte(text, from)) do from = from + 1 end
  while from <= to and is_line_end(byte(text, to)) do to = to - 1 end
  return sub(text, from, to)
end

redis.error_reply = function(...)
  local said = text_alone(...)
  if not said then return wrong() end
  if byte(said) == 45 then said = sub(said, 2) end
  local gap = find(said, ' ', 1, true)
  return { err = gap and sub(said, 1, gap) .. trimmed(sub(said, gap + 1)) or 'ERR ' .. trimmed(said) }
end

-- The line of the script that is running, or nil. Must be called by a function that a script called, or that handles its error.
local function script_line()
  for level = 3, 30 do
    local _, place = pcall(error, '', level)
    local _, _, line = find(place, '^user_script:(%d+):')
    if line then return line end
  end
end

-- Patterns

local ESCAPE, OPEN, CLOSE, NOT, DOLLAR = 37, 91, 93, 94, 36
local STAR, PLUS, MINUS, MAYBE = 42, 43, 45, 63
local steps_left = most_steps

-- Where the single character class that begins at `at` ends.
local function class_end(pattern, at)
  local code = byte(pattern, at)
  if code == ESCAPE then return at + 2 end
  if code ~= OPEN then return at + 1 end
  at = at + 1
  if byte(pattern, at) == NOT then at = at + 1 end
  repeat
    code = byte(pattern, at)
    if code == nil then return at end
    at = at + (code == ESCAPE and 2 or 1)
  until byte(pattern, at) == CLOSE
  return at + 1
end

-- How many steps matching may take at worst: each repetition that something follows may be tried at each of its lengths, at each start.
local function worst(length, pattern)
  local steps, at, last = length + 1, 1, #pattern
  if byte(pattern, 1) == NOT then steps, at = 1, 2 end
  while at <= last do
    local escaped = byte(pattern, at) == ESCAPE and byte(pattern, at + 1)
    local to = class_end(pattern, at)
    local suffix = byte(pattern, to)
    if suffix == STAR or suffix == PLUS or suffix == MINUS then
      if to < last then steps = steps * (length + 1) end
      to = to + 1
    elseif suffix == MAYBE then
      steps = steps * 2
      to = to + 1
    elseif escaped and (escaped == 98 or (escaped >= 48 and escaped <= 57)) then -- %b, and a capture again
      steps = steps * (length + 1)
    end
    at = to
  end
  return steps
end

local function reckon(subject, pattern)
  if (type(subject) ~= 'string' and type(subject) ~= 'number') or type(pattern) ~= 'string' then return end
  steps_left = steps_left - worst(#tostring(subject), pattern)
  if steps_left < 0 then error(spent_message .. ': matching this pattern may take too long', 0) end
end

-- A C function knows neither its name nor its caller when it is called from here: its errors get them back.
local function as_called(name, fine, ...)
  if fine then return ... end
  error('user_script:' .. (script_line() or 1) .. ': ' .. gsub(..., "'%?'", "'" .. name .. "'"), 0)
end

string.find = function(...)
  local subject, pattern, _, plain = ...
  if not plain then reckon(subject, pattern) end
  return as_called('find', pcall(find, ...))
end
string.match = function(...)
  reckon(...)
  return as_called('match', pcall(match, ...))
end
string.gmatch = function(...)
  reckon(...)
  return as_called('gmatch', pcall(gmatch, ...))
end
string.gfind = string.gmatch
string.gsub = function(...)
  local subject, pattern, replacement = ...
  reckon(subject, pattern)
  if type(replacement) == 'function' then return gsub(...) end
  return as_called('gsub', pcall(gsub, ...))
end

-- Scripts

local compiled = {}
local hidden = {}

local function failed(thrown)
  local line = script_line() or 0
  if type(thrown) == 'table' and type(thrown.err) == 'string' then return '\1' .. line .. '\1t\1' .. thrown.err end
  return '\1' .. line .. '\1s\1' .. tostring(thrown)
end

-- Looks through a reply: 'deep' when it is nested too deeply, 'typed' when it holds one of RESP3's types, which the engine knows only after setresp(3).
local function look(reply, left)
  if left == 0 then return 'deep' end
  if rawget(reply, 'double') or rawget(reply, 'map') or rawget(reply, 'set') or rawget(reply, 'big_number') or rawget(reply, 'verbatim_string') then
    return 'typed'
  end
  local kind
  for index = 1, #reply do
    local item = reply[index]
    if type(item) == 'table' then
      local found = look(item, left - 1)
      if found == 'deep' then return found end
      kind = kind or found
    end
  end
  return kind
end

function hidden.run(id)
  steps_left = most_steps
  local fine, result = xpcall(compiled[id], failed)
  if not fine then error(result, 0) end
  if type(result) == 'table' then
    local kind = look(result, most_nested)
    if kind == 'deep' then return { err = 'ERR reached lua stack limit' } end
    if kind == 'typed' then
      log(redis.LOG_DEBUG, secret)
      setresp(3)
    end
  end
  return result
end

function hidden.compile()
  local script, fault = loadstring(ARGV[2], '@user_script')
  compiled[tonumber(ARGV[1])] = script
  return fault
end

function hidden.reset() compiled = {} end

_G.getmetatable = function(of)
  if of == secret then return hidden end
  return getmetatable(of)
end
return 1
