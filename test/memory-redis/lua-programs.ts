import { type Arbitrary, array, constantFrom, integer, letrec, oneof, record, tuple } from 'fast-check';

/** Programs in the part of Lua that is compiled: most of them fail somewhere, and must then fail alike. */
export function programs(): Arbitrary<string> {
  return record({
    functions: array(localFunction, { maxLength: 1 }),
    body: array(statement, { minLength: 1, maxLength: 8 }),
    end: expression,
  }).map(({ functions, body, end }) => [BEGINNING, ...functions, ...body, `return ${end}`].join('\n'));
}

/** What all programs know. */
const BEGINNING = `local a, b, c, t = 1, "2", nil, {10, "x"}
t.n = 5
local turns = 0
local function one(x) return x end
local function many(x, y) if x then return x, y end end`;

/** Loops come to an end, all together. */
const ONE_TURN = 'turns = turns + 1 if turns > 30 then break end';

const name = constantFrom('a', 'b', 'c', 't');
const literal = oneof(
  constantFrom('nil', 'true', 'false', '0', '1', '2', '3', '-1', '2.5', '100000', '"1"', '"x"', '""', '" 7 "', '"1e1"', '{}', '{1, 2}'),
  integer({ min: -5, max: 9 }).map(String),
);
const binary = constantFrom('+', '-', '*', '%', '..', '==', '~=', '<', '<=', '>', '>=', 'and', 'or');
const word = constantFrom(
  '"SET", "k1", ',
  '"APPEND", "k1", ',
  '"RPUSH", "l", ',
  '"LRANGE", "l", 0, ',
  '"INCRBY", "k1", ',
  '"GET", ',
  '"LLEN", ',
  '"NONSENSE", ',
);

const { expression, statement, localFunction } = letrec<{
  readonly expression: string;
  readonly list: string;
  readonly statement: string;
  readonly block: string;
  readonly localFunction: string;
}>((tie) => {
  const deeper = tie('expression');
  const call = oneof(
    tuple(constantFrom('tonumber', 'type', 'one', 'string.len', 'string.upper', 'math.floor', 'math.abs'), deeper).map(
      ([f, x]) => `${f}(${x})`,
    ),
    tuple(deeper, deeper, deeper).map(([x, i, j]) => `string.sub(${x}, ${i}, ${j})`),
    // Called last, the WebAssembly Lua does not know the line it was called from.
    tuple(deeper, deeper).map(([x, y]) => `(string.find(${x}, ${y}, 1, true))`),
    tuple(deeper, deeper).map(([x, y]) => `table.concat(${x}, ${y})`),
    tuple(deeper, deeper).map(([x, y]) => `math.max(${x}, ${y})`),
    tuple(deeper, tie('list')).map(([x, rest]) => `many(${x}, ${rest})`),
    tuple(constantFrom('call', 'pcall'), word, tie('list')).map(([f, words, rest]) => `redis.${f}(${words}${rest})`),
    deeper.map((x) => `redis.error_reply(tostring(${x}))`),
  );
  return {
    expression: oneof(
      { maxDepth: 3, withCrossShrink: true },
      { arbitrary: literal, weight: 3 },
      { arbitrary: name, weight: 4 },
      { arbitrary: constantFrom('t.n', 't[1]', 't[2]', 'KEYS[1]', 'ARGV[1]', 'ARGV[2]', 'ARGV[4]', '#t', '#ARGV'), weight: 2 },
      { arbitrary: tuple(deeper, binary, deeper).map(([x, operator, y]) => `(${x} ${operator} ${y})`), weight: 4 },
      { arbitrary: tuple(deeper, binary, deeper).map(([x, operator, y]) => `${x} ${operator} ${y}`), weight: 1 },
      { arbitrary: tuple(constantFrom('not ', '-', '#'), deeper).map(([operator, x]) => `(${operator}${x})`), weight: 1 },
      { arbitrary: tuple(name, deeper).map(([table, key]) => `${table}[${key}]`), weight: 1 },
      { arbitrary: call, weight: 3 },
      { arbitrary: tie('list').map((items) => `{${items}}`), weight: 1 },
      { arbitrary: call.map((one) => `(${one})`), weight: 1 },
    ),
    list: oneof(
      { maxDepth: 2 },
      deeper,
      tuple(deeper, deeper).map((items) => items.join(', ')),
      constantFrom('unpack(t)', 'many(a, b)', 'unpack(ARGV)', 'unpack(t, 1, 2)'),
    ),
    block: array(tie('statement'), { minLength: 1, maxLength: 3 }).map((lines) => lines.join('\n')),
    statement: oneof(
      { maxDepth: 2, withCrossShrink: true },
      tuple(name, deeper).map(([variable, value]) => `${variable} = ${value}`),
      tuple(name, name, deeper, tie('list')).map(([one, two, x, rest]) => `${one}, ${two} = ${x}, ${rest}`),
      tuple(constantFrom('a', 'b'), constantFrom('c', 't'), tie('list')).map(([one, two, values]) => `local ${one}, ${two} = ${values}`),
      tuple(deeper, deeper).map(([key, value]) => `t[${key}] = ${value}`),
      deeper.map((value) => `t.n = ${value}`),
      deeper.map((value) => `t[#t + 1] = ${value}`),
      deeper.map((value) => `table.insert(t, ${value})`),
      tuple(word, tie('list')).map(([words, rest]) => `redis.pcall(${words}${rest})`),
      tuple(deeper, tie('block'), tie('block')).map(([test, one, two]) => `if ${test} then\n${one}\nelse\n${two}\nend`),
      tuple(deeper, deeper, tie('block')).map(([first, last, body]) => `for a = ${first}, ${last} do\n${ONE_TURN}\n${body}\nend`),
      tuple(deeper, tie('block')).map(([list, body]) => `for b, c in ipairs(${list}) do\n${ONE_TURN}\n${body}\nend`),
      tuple(deeper, tie('block')).map(([test, body]) => `repeat\n${body}\nlocal done = ${test}\nuntil done ~= a or true`),
      tie('block').map((body) => `do\n${body}\nend`),
      deeper.map((value) => `if a == ${value} then return ${value} end`),
      // A real Redis 7.0 crashes when anything else is thrown.
      tuple(deeper, constantFrom('error(tostring(', 'error({err = tostring(')).map(
        ([value, thrown]) => `${thrown}${value})${thrown.includes('{') ? '}' : ''})`,
      ),
    ),
    // It calls none of its kind: a real Redis would wait for ever for one that calls itself.
    localFunction: tuple(tie('block'), tie('list'), constantFrom('', 'if x then return x end\n')).map(
      ([body, values, early]) =>
        `local function mine(x, y)\nlocal a, b, c, t, turns = a, b, c, {10, "x"}, 0\n${body}\n${early}return ${values}\nend\nlocal x, y = mine(a, b)\nt[3] = {mine(x, (mine(y)))}`,
    ),
  };
});
