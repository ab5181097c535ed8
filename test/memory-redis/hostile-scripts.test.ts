import test from 'ava';
import { createMemoryRedis } from '../../src/memory-redis/index.js';

/** Scripts that would take for ever, or all memory, and what is said of them. */
const BOMBS: Readonly<Record<string, readonly [script: string, error: RegExp]>> = {
  'an endless loop': ['while true do end', /^ERR the script ran too long/],
  'an endless loop that catches what ends it': [
    'while true do pcall(function() while true do end end) end',
    /^ERR the script ran too long/,
  ],
  'a pattern with many ways to match': [
    'return string.find(string.rep("a", 2000), ".-.-.-.-b")',
    /^ERR the script ran too long: matching this pattern/,
  ],
  'a pattern with many options': [
    'return ("a"):rep(40):match(("a?"):rep(40) .. ("a"):rep(40))',
    /^ERR the script ran too long: matching this pattern/,
  ],
  'a pattern that is caught': ['while true do pcall(string.gsub, ("a"):rep(9999), ".-.-b", "") end', /^ERR the script ran too long/],
  'a string too large': ['return #string.rep("x", 2^31 - 1)', /^ERR the script engine gave up: out of memory script/],
  'tables without end': ['local t = {} for i = 1, 1e9 do t[i] = {} end', /^ERR the script engine gave up: out of memory script/],
  'JSON nested without end': ['return cjson.decode(string.rep("[", 100000))', /^ERR the script engine gave up/],
  'a call without end': ['local function f() return 1 + f() end return f()', /stack overflow/],
  'a reply that holds itself': ['local t = {} t[1] = t return t', /^ERR reached lua stack limit/],
};

test('a script that would take for ever, or all memory, is ended, and the next one runs', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  for (const [name, [script, message]] of Object.entries(BOMBS)) {
    await t.throwsAsync(client.eval(script, 0), { message }, name);
    t.is(await client.eval('return 1', 0), 1, name);
  }
  await redis.close();
});

test('nor does one that is compiled to JavaScript at once', async (t) => {
  const redis = createMemoryRedis({ compileScriptsFrom: 1 });
  const client = redis.client();
  const more = {
    'a string that doubles': 'local s = "x" while true do s = s .. s end',
    'functions that call each other twice': `local function f0() end ${Array.from({ length: 60 }, (_, i) => `local function f${i + 1}() f${i}() f${i}() end`).join(' ')} f60()`,
    'a packed list without end': `return cmsgpack.unpack(string.rep("\\145", 100000))`,
  };
  const spending = {
    'steps that are no number': 'string.rep("", 0/0) while true do end',
    'a place that is no number': 'table.insert({}, 0/0, 1) while true do end',
    'places beyond all numbers': 'while true do unpack({}, 9007199254740992, 9007199254740994) end',
    'texts searched over and over': 'local s = string.rep("a", 1e7) while true do string.find(s, "b", 1, true) end',
    'large words written over and over': 'local s = string.rep("a", 1e6) while true do redis.call("SET", "k", s) end',
    'codes of letters over and over': 'local s = string.rep("a", 7900) while true do string.byte(s, 1, 7900) end',
    'a text in upper case over and over': 'local s = string.rep("aB", 1e6) while true do string.upper(s) end',
    'a reply that doubles in depth': 'local t = {1} for i = 1, 40 do t = {t, t} end return t',
    'a long list read over and over':
      'redis.call("RPUSH", "l", unpack({1, 2, 3})) local t = {} while true do t[#t + 1] = redis.call("LRANGE", "l", 0, -1) end',
    'many packed values': 'return #{cmsgpack.unpack(string.rep("\\1", 1e7))}',
  };
  const scripts = [
    ...Object.entries(spending),
    ...Object.entries(BOMBS).map(([name, [script]]) => [name, script] as const),
    ...Object.entries(more),
  ];
  for (const [name, script] of scripts) {
    await t.throwsAsync(client.eval(script, 0), { message: /ran too long|gave up|stack|Bad data|Missing bytes/ }, name);
    t.is(await client.eval('return 1', 0), 1, name);
  }
  await redis.close();
});

test('no script reaches what another one is made of', async (t) => {
  const redis = createMemoryRedis();
  const [victim, hostile] = [redis.client(), redis.client()];
  const sha = String(await victim.script('LOAD', 'return "mine"'));
  t.is(await victim.evalsha(sha, 0), 'mine');
  const found = await hostile.eval(
    `local names = {}
     for _, of in ipairs({ getmetatable(_G), getmetatable(''), _G, string, coroutine, redis }) do
       for name in pairs(of) do if name == 'compile' or name == 'run' or name == 'reset' then names[#names + 1] = name end end
     end
     return names`,
    0,
  );
  t.deepEqual(found, []);
  t.is(await victim.evalsha(sha, 0), 'mine');
  await redis.close();
});

test('a script cannot make several replies of one', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  const replies = await Promise.all([
    client.eval('return redis.status_reply("OK\\r\\n+mine\\r\\n")', 0),
    client.echo('yours'),
    client.eval('return { ok = "a\\nb" }', 0),
    t.throwsAsync(client.eval('return redis.error_reply("BAD a\\r\\n+mine")', 0), { message: 'BAD a  +mine' }),
    client.echo('yours too'),
  ]);
  t.deepEqual([replies[0], replies[1], replies[2], replies[4]], ['OK  +mine  ', 'yours', 'a b', 'yours too']);
  await redis.close();
});
