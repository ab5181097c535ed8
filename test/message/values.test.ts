/** Values on their way in: durations, JSON, names, keys, ids, and how errors speak of them. */
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { type Duration, isDurationText, milliseconds } from '../../src/message/duration.js';
import {
  asError,
  describe,
  ErrandError,
  InvalidValueError,
  invariant,
  LimitError,
  SchemaError,
  TerminalError,
} from '../../src/message/errors.js';
import { derivedId, fingerprint, Ids, shardOfId } from '../../src/message/ids.js';
import { canonicalJson, checkSize, fromJson, toJson } from '../../src/message/json.js';
import { ID_BYTES, JSON_DEPTH, KEY_BYTES, NAME_LENGTH, PAYLOAD_BYTES } from '../../src/message/limits.js';
import { checkActorType, checkId, checkKey, checkName } from '../../src/message/names.js';
import { fraction, seededRandom, systemRandom, token } from '../../src/message/random.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';

/** Runs `run`, which must throw an `ErrandError` of this code; returns it for a look at the message. */
function thrown(
  t: ExecutionContext,
  code: string,
  run: () => unknown,
): ErrandError & Partial<InvalidValueError & SchemaError & LimitError> {
  return t.throws(run, { instanceOf: ErrandError, code });
}

// ---- durations -----------------------------------------------------------------------------------------------------------------------

test('a duration is milliseconds, or a number with a unit', (t) => {
  const known: readonly [Duration, number][] = [
    [0, 0],
    [250, 250],
    [1.5, 1.5],
    ['250ms', 250],
    ['5s', 5_000],
    ['0.5s', 500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['0ms', 0],
  ];
  for (const [given, expected] of known) t.is(milliseconds(given), expected, String(given));
});

test('whatever is no duration is refused, and the refusal names it', (t) => {
  const bad: readonly unknown[] = [
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '5',
    '',
    's',
    '-5s',
    '5 s',
    '5sec',
    '1y',
    '1e3s',
    ' 5s',
    '5S',
    '.5s',
    '5.s',
    null,
    undefined,
    {},
    5n,
    [5],
    `${'9'.repeat(400)}s`,
    `0.${'0'.repeat(200)}1s`,
  ];
  for (const value of bad) {
    const error = thrown(t, 'INVALID_DURATION', () => milliseconds(value as Duration, 'attemptTimeout'));
    t.true(error instanceof InvalidValueError);
    t.is(error.place, 'attemptTimeout');
    t.regex(error.message, /^attemptTimeout: found .+, expected milliseconds, or a text such as '250ms'/);
  }
});

test('every text that counts as a duration is one', (t) => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (count, unit) => {
      const text = `${count}${unit}`;
      return isDurationText(text) && milliseconds(text) === count * { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[unit];
    }),
  );
  t.pass();
});

// ---- JSON ----------------------------------------------------------------------------------------------------------------------------

/** JSON has one zero and no properties of `undefined`; all else must come back as it was. */
function asKept(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(asKept);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(kept.map(([key, inner]) => [key, asKept(inner)]));
}

test('whatever is taken as JSON comes back deep-equal', (t) => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.oneof(fc.object(), fc.anything({ withDate: true, withMap: true, withSparseArray: true, withNullPrototype: true })),
      (value) => {
        let text: string;
        try {
          text = toJson(value, 'x');
        } catch (error) {
          t.true(error instanceof SchemaError && error.code === 'NOT_JSON');
          return;
        }
        taken += 1;
        t.deepEqual(fromJson(text, 'x'), asKept(value));
      },
    ),
    { numRuns: 500 },
  );
  t.true(taken > 100, `only ${taken} values were taken`);
});

test('every JSON value is taken, but for one with a key named __proto__', (t) => {
  const taken = fc.jsonValue({ noUnicodeString: false }).filter((value) => !JSON.stringify(value).includes('__proto__'));
  fc.assert(fc.property(taken, (value) => t.deepEqual(fromJson(toJson(value, 'x'), 'x'), asKept(value))));
  t.is(toJson(undefined, 'x'), '', 'a message without data');
  t.is(fromJson('', 'x'), undefined);
});

class Money {
  constructor(readonly cents: number) {}
}
const loop: Record<string, unknown> = {};
loop['again'] = { loop };
const hidden = Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 2, enumerable: false });

const notJson: readonly [what: string, value: unknown, path: string, message: RegExp][] = [
  ['a function', { a: { b: () => 1 } }, 'a.b', /a function is not JSON/],
  ['a symbol', { list: [Symbol('x')] }, 'list[0]', /a symbol is not JSON/],
  ['a bigint', { a: 1n }, 'a', /a bigint is not JSON/],
  ['NaN', { a: [0, { b: Number.NaN }] }, 'a[1].b', /NaN is not a JSON number/],
  ['infinity', { a: Number.POSITIVE_INFINITY }, 'a', /Infinity is not a JSON number/],
  ['undefined in an array', { a: [1, undefined] }, 'a[1]', /undefined in an array/],
  ['a hole in an array', { a: new Array(2) }, 'a[0]', /undefined in an array/],
  ['a Date', { when: new Date(0) }, 'when', /an instance of Date/],
  ['a Map', { m: new Map() }, 'm', /an instance of Map/],
  ['a Set', new Set([1]), '', /an instance of Set/],
  ['bytes', { b: new Uint8Array(1) }, 'b', /an instance of Uint8Array/],
  ['an instance of a class', { price: new Money(5) }, 'price', /an instance of Money/],
  ['a boxed number', { n: Object(1) }, 'n', /an instance of Number/],
  ['itself', loop, 'again.loop', /contains itself/],
  ['a toJSON method', { a: hidden }, 'a', /toJSON/],
  ['an array with a toJSON method', { a: Object.assign([1], { toJSON: () => 'x' }) }, 'a', /toJSON/],
  ['a key that is a symbol', { a: { [Symbol('s')]: 1 } }, 'a', /symbol/],
  ['a key named __proto__', { a: JSON.parse('{"__proto__": {"admin": true}}') as unknown }, 'a.__proto__', /__proto__ is refused/],
];

for (const [what, value, path, message] of notJson) {
  test(`JSON does not keep ${what}: refused, with its place`, (t) => {
    const error = thrown(t, 'NOT_JSON', () => toJson(value, 'data of pay'));
    t.is(error.place, 'data of pay');
    t.is(error.faults?.length, 1);
    t.is(error.faults?.[0]?.path, path);
    t.regex(error.faults?.[0]?.message ?? '', message);
    t.true(error.message.startsWith(`data of pay: ${path}`));
  });
}

test('a value that contains itself is not looked through once for each level that a value may have', (t) => {
  let looks = 0;
  const wide = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, i]));
  const value: Record<string, unknown> = {};
  Object.defineProperty(value, 'wide', { enumerable: true, get: () => ((looks += 1), wide) });
  value['self'] = value;
  thrown(t, 'NOT_JSON', () => toJson(value, 'data of pay'));
  t.true(looks < 50, `looked at ${looks} times`);
});

test('one object in two places is no loop', (t) => {
  const shared = { a: 1 };
  t.is(toJson({ x: shared, y: [shared, shared] }, 'x'), '{"x":{"a":1},"y":[{"a":1},{"a":1}]}');
});

/** `{a:{a:…}}` or `[[…]]`, so many levels. */
function nested(levels: number, around: (inner: unknown) => unknown): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i += 1) value = around(value);
  return value;
}

test('a value nested too deeply is refused by name, not by a full stack', (t) => {
  for (const around of [(inner: unknown) => [inner], (inner: unknown) => ({ a: inner })]) {
    t.notThrows(() => toJson(nested(JSON_DEPTH, around), 'x'));
    const error = thrown(t, 'NOT_JSON', () => toJson(nested(100_000, around), 'x'));
    t.regex(error.message, new RegExp(`nested deeper than ${JSON_DEPTH} levels`));
    t.true(error.message.length < 1_000, 'the place is cut short');
  }
  const text = `${'['.repeat(100_000)}{"__proto__":1}${']'.repeat(100_000)}`;
  thrown(t, 'NOT_JSON', () => fromJson(text, 'x'));
});

test('a text that is no JSON is refused without repeating it', (t) => {
  for (const text of ['{', 'secret', "{'a':1}", '[1,]', '\u0000']) {
    const error = thrown(t, 'NOT_JSON', () => fromJson(text, 'data of pay'));
    t.is(error.message, 'data of pay: the text is not JSON');
  }
});

test('a key named __proto__ is refused in a text, however it is written, and pollutes nothing', (t) => {
  for (const text of ['{"__proto__":{"admin":true}}', '[{"a":{"\\u005f_proto__":{"admin":true}}}]', '{"__pro\\u0074o__":1}']) {
    thrown(t, 'NOT_JSON', () => fromJson(text, 'x'));
  }
  t.is(({} as { admin?: unknown }).admin, undefined);
  t.deepEqual(fromJson('{"a":"__proto__"}', 'x'), { a: '__proto__' }, 'as a text it is harmless');
});

test('canonical JSON does not depend on the order of keys', (t) => {
  const shuffled = fc.jsonValue().map((value) => [value, reversed(value)] as const);
  fc.assert(fc.property(shuffled, ([value, other]) => canonicalJson(value) === canonicalJson(other)));
  t.not(canonicalJson({ a: 1 }), canonicalJson({ a: '1' }));
  t.not(canonicalJson([1, 2]), canonicalJson([2, 1]));
  t.is(canonicalJson({ b: undefined, a: 1 }), '{"a":1}');
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, inner]) => [key, reversed(inner)]),
  );
}

test('a size is counted in bytes of UTF-8', (t) => {
  t.is(checkSize('é'.repeat(PAYLOAD_BYTES / 2), 'x').length, PAYLOAD_BYTES / 2);
  const error = thrown(t, 'PAYLOAD_TOO_LARGE', () => checkSize(`${'é'.repeat(PAYLOAD_BYTES / 2)}a`, 'data of pay'));
  t.deepEqual([error.found, error.limit], [PAYLOAD_BYTES + 1, PAYLOAD_BYTES]);
  t.is(error.message, 'data of pay: 1048577 bytes, at most 1048576 are allowed');
});

// ---- names, keys, ids ----------------------------------------------------------------------------------------------------------------

test('a name is letters, digits, dot, underscore and dash, and begins with a letter or digit', (t) => {
  for (const name of ['a', 'A1', 'order-placed', 'v1.order_placed', '9lives', 'x'.repeat(NAME_LENGTH)]) t.is(checkName(name, 'x'), name);
  const bad = ['', 'x'.repeat(NAME_LENGTH + 1), 'a b', 'a:b', '{a}', 'a}', '-a', '.a', 'ä', 'a\n', 'a\u0000', null, undefined, 5, {}];
  for (const name of bad) thrown(t, 'INVALID_NAME', () => checkName(name, "command('x')"));
});

test('the actor types of the key layout are reserved', (t) => {
  for (const type of ['event', 'outcome', 'producer']) thrown(t, 'RESERVED_NAME', () => checkActorType(type, 'x'));
  t.is(checkActorType('events', 'x'), 'events');
});

test('a key is any text without braces and control characters, within its bytes', (t) => {
  for (const key of ['1', 'a b', 'a:b', 'a/b', 'Zürich', '😀', "it's", ' ', 'x'.repeat(KEY_BYTES), 'é'.repeat(KEY_BYTES / 2)])
    t.is(checkKey(key, 'x'), key);
  const bad: readonly [unknown, RegExp][] = [
    ['', /not empty/],
    [12_005, /found 12005, expected a text/],
    [undefined, /found undefined/],
    ['a{b', /without braces/],
    ['a}b', /without braces/],
    ['a\nb', /without control characters/],
    ['a\u0000', /without control characters/],
    ['a\u007f', /without control characters/],
    ['\ud800', /well-formed Unicode/],
    ['x'.repeat(KEY_BYTES + 1), /at most 512 bytes/],
    ['é'.repeat(KEY_BYTES / 2 + 1), /at most 512 bytes/],
  ];
  for (const [key, expected] of bad) t.regex(thrown(t, 'INVALID_KEY', () => checkKey(key, 'key of pay')).message, expected);
});

test('an id from outside is a text without control characters, within its bytes', (t) => {
  for (const id of ['m-1', '{braces}', 'x'.repeat(ID_BYTES)]) t.is(checkId(id, 'x'), id);
  for (const id of ['', 'x'.repeat(ID_BYTES + 1), 'a\nb', 7, undefined]) thrown(t, 'INVALID_ID', () => checkId(id, 'messageId'));
});

test('ids begin with their shard, sort by time, and never repeat', (t) => {
  const clock = new VirtualClock();
  const ids = new Ids(clock, seededRandom(7));
  const made = Array.from({ length: 1_000 }, () => ids.next(12));
  t.is(new Set(made).size, 1_000);
  t.deepEqual(made, made.toSorted());
  for (const id of made) t.is(shardOfId(id), 12);
  for (const foreign of ['m-1', '', 'x.3', '123456.a', '-1.a', '1']) t.is(shardOfId(foreign), undefined);
});

test('a derived id is the same for the same type, key and idempotency key, and for nothing else', (t) => {
  const id = derivedId(3, 'pay', 'a', 'k');
  t.is(derivedId(3, 'pay', 'a', 'k'), id);
  t.is(shardOfId(id), 3);
  const others = [
    derivedId(3, 'pay', 'ak', ''),
    derivedId(3, 'paya', '', 'k'),
    derivedId(3, 'pay', 'k', 'a'),
    derivedId(3, 'pay2', 'a', 'k'),
  ];
  t.is(new Set([id, ...others]).size, 5);
});

test('a fingerprint tells data apart, whatever the order of its keys', (t) => {
  t.is(fingerprint({ a: 1, b: [1] }), fingerprint({ b: [1], a: 1 }));
  t.not(fingerprint({ a: 1 }), fingerprint({ a: '1' }));
  t.not(fingerprint(undefined), fingerprint(null));
});

// ---- chance --------------------------------------------------------------------------------------------------------------------------

test('a seed reproduces its sequence, and fractions and tokens stay in range', (t) => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 100 }, () => random.uint32());
  };
  t.deepEqual(draw(1), draw(1));
  t.notDeepEqual(draw(1), draw(2));
  for (const random of [seededRandom(3), systemRandom]) {
    for (let i = 0; i < 300; i += 1) {
      const part = fraction(random);
      t.true(part >= 0 && part < 1);
      t.regex(token(random), /^[0-9a-f]{24}$/);
    }
  }
});

// ---- errors --------------------------------------------------------------------------------------------------------------------------

test('an error is named after its class, and carries its code', (t) => {
  const error = new TerminalError('the card was declined', { code: 'DECLINED', cause: 'bank' });
  t.true(error instanceof ErrandError);
  t.deepEqual([error.name, error.code, error.message, error.cause], ['TerminalError', 'DECLINED', 'the card was declined', 'bank']);
  t.is(new TerminalError('x').code, 'TERMINAL');
  t.false('cause' in new TerminalError('x'));
});

test('a broken invariant says that it is a bug in errand', (t) => {
  t.notThrows(() => invariant(1, 'x'));
  t.regex(thrown(t, 'BROKEN_INVARIANT', () => invariant(0, 'one is one')).message, /a bug in errand.*one is one/);
});

test('whatever was thrown becomes an Error with a text', (t) => {
  const error = new Error('x');
  t.is(asError(error), error);
  for (const value of ['oops', undefined, null, 5, { code: 'X' }, Symbol('s'), 5n, () => 1, Object.create(null)]) {
    const made = asError(value);
    t.true(made instanceof Error);
    t.regex(made.message, /^thrown value: ./);
  }
  const odd = Object.assign(new Error(), { message: 42 });
  t.is(typeof asError(odd).message, 'string', 'an Error whose message is no text');
  t.is(asError(odd).cause, odd);
});

test('whatever was thrown becomes an Error that can be read, also what defends itself', (t) => {
  const refuse = (): never => {
    throw new Error('do not touch');
  };
  const guarded = ['message', 'code', 'constructor'].map((name) => Object.defineProperty(new Error('x'), name, { get: refuse }));
  for (const value of [...guarded, new Proxy({}, { getPrototypeOf: refuse }), new Proxy(new Error('x'), { get: refuse })]) {
    const made = asError(value);
    t.regex(made.message, /^thrown value: an (object|instance of Error) that cannot be read$/);
  }
  t.is(describe(new Proxy({}, { getPrototypeOf: refuse })), 'an object');
});

test('a value is described in one short line, without its content', (t) => {
  const known: readonly [unknown, string][] = [
    ['a', "'a'"],
    ['x'.repeat(100), `'${'x'.repeat(57)}…'`],
    [null, 'null'],
    [undefined, 'undefined'],
    [1.5, '1.5'],
    [true, 'true'],
    [5n, '5n'],
    [[1, 2], 'an array of 2'],
    [{ password: 'x' }, 'an object'],
    [Object.create(null), 'an object'],
    [new Money(1), 'an instance of Money'],
    [Money, 'the function Money'],
    [() => 1, 'a function'],
    [Symbol('s'), 'Symbol(s)'],
  ];
  for (const [value, expected] of known) t.is(describe(value), expected);
});
