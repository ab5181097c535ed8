import { Duplex } from 'node:stream';
import test from 'ava';
import {
  array as arrayOf,
  assert,
  constantFrom,
  integer,
  maxSafeInteger,
  nat,
  oneof,
  property,
  record,
  string,
  stringMatching,
  tuple,
  uint8Array,
  uniqueArray,
} from 'fast-check';
import { Command } from 'ioredis';
import { Link } from '../../src/log/connection.js';
import type { Entry } from '../../src/log/entry.js';
import { Pack } from '../../src/log/pack.js';
import { ReplyTap } from '../../src/log/reply-tap.js';
import { encodeRequest } from '../../src/log/request.js';
import { openStore } from '../../src/log/store.js';
import { readStreamReply } from '../../src/log/stream-reply.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { systemClock } from '../../src/message/clock.js';
import { CUT_VALUE_BYTES, CUT_VALUES, ENTRY_VALUES } from '../../src/message/limits.js';
import { seededRandom } from '../../src/message/random.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';

/** What goes to Redis packed, and what is read of its bytes past ioredis. */

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const array = (...items: string[]): string => `*${items.length}\r\n${items.join('')}`;
const encode = (streams: readonly (readonly [string, readonly Entry[]])[]): Buffer =>
  Buffer.from(
    array(
      ...streams.map(([name, entries]) =>
        array(bulk(name), array(...entries.map(({ id, fields }) => array(bulk(id), array(...fields.map(bulk)))))),
      ),
    ),
  );

const text = oneof(string(), string({ unit: 'grapheme', maxLength: 80 }), constantFrom('type', 'data', '', 'id'));
const entry = record({ id: stringMatching(/^\d{1,13}-\d{1,3}$/), fields: arrayOf(text, { maxLength: 8 }) });
const streams = uniqueArray(tuple(text, arrayOf(entry, { maxLength: 5 })), { selector: ([name]) => name, maxLength: 4 });

test('the entries of a read come out as they were sent, whatever stands in them', (t) => {
  assert(
    property(streams, (sent) => {
      const read = [...readStreamReply(encode(sent))];
      t.deepEqual(
        read.map(([name, entries]) => [name, entries.map(({ id, fields }) => ({ id, fields }))]),
        sent,
      );
    }),
  );
});

const word = oneof(
  string(),
  string({ unit: 'grapheme', maxLength: 80 }),
  constantFrom('', 'x'.repeat(99), 'ä'.repeat(100), 'y'.repeat(70_000)),
);
const someBytes = uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some));
const words = arrayOf(oneof(word, word, maxSafeInteger(), someBytes), { maxLength: 120 });

test("a request is written as ioredis' own encoder would write it", (t) => {
  assert(
    property(words, (args) => {
      const theirs = Buffer.from(new Command('EVALSHA', args).toWritable({}));
      t.true(encodeRequest('EVALSHA', [args.slice(0, 2), args.slice(2)]).equals(theirs));
    }),
  );
});

/** A connection as ioredis has one: its decoder listens first. */
function connection(): { stream: Duplex; decoded: () => string } {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  let decoded = '';
  stream.on('data', (chunk: Buffer) => {
    decoded += chunk.toString();
  });
  return { stream, decoded: () => decoded };
}

test('a reply is taken whole, however it is cut on its way, and what follows goes to the decoder', (t) => {
  assert(
    property(streams, arrayOf(nat({ max: 40 }), { maxLength: 30 }), (sent, cuts) => {
      const { stream, decoded } = connection();
      const tap = new ReplyTap(stream);
      stream.emit('data', Buffer.from('+before\r\n'));
      tap.expect(1_000_000);
      const reply = encode(sent);
      const bytes = Buffer.concat([reply, Buffer.from('+after\r\n')]);
      let at = 0;
      for (const cut of cuts) {
        if (cut === 0 || at + cut >= bytes.length) continue;
        stream.emit('data', bytes.subarray(at, at + cut));
        at += cut;
      }
      stream.emit('data', bytes.subarray(at));
      t.deepEqual(tap.taken(), { bytes: reply, cuts: [], size: reply.length });
      t.is(decoded(), '+before\r\n*-1\r\n+after\r\n');
    }),
  );
});

/** What is kept of an entry's values: all, or from the one on that is too much their beginnings (issue 14, A10). */
function keptOf(fields: readonly string[], limit: number): { fields: readonly string[]; oversize?: { bytes: number; values: number } } {
  const bytes = fields.reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  if (bytes <= limit && fields.length <= ENTRY_VALUES) return { fields };
  let before = 0;
  const kept = fields.flatMap((value, i) => {
    before += Buffer.byteLength(value);
    if (before <= limit && fields.length <= ENTRY_VALUES) return [value];
    return i < CUT_VALUES ? [Buffer.from(value).subarray(0, CUT_VALUE_BYTES).toString()] : [];
  });
  return { fields: kept, oversize: { bytes, values: fields.length } };
}

const large = constantFrom('x'.repeat(CUT_VALUE_BYTES), 'y'.repeat(CUT_VALUE_BYTES + 1), 'z'.repeat(20_000), 'ä€😀'.repeat(2_000));
const anySize = record({
  id: stringMatching(/^\d{1,13}-\d{1,3}$/),
  fields: oneof(
    arrayOf(oneof(text, large), { maxLength: 8 }),
    arrayOf(text, { minLength: 90, maxLength: 130 }),
    constantFrom(Array.from({ length: ENTRY_VALUES + 2 }, (_, i) => `v${i}`)),
  ),
});
const largeStreams = uniqueArray(tuple(text, arrayOf(anySize, { maxLength: 4 })), { selector: ([name]) => name, maxLength: 3 });

test('of an entry that is too large only beginnings are kept, however its reply is cut on its way', (t) => {
  assert(
    property(largeStreams, integer({ min: 1_000, max: 30_000 }), arrayOf(nat({ max: 9_000 }), { maxLength: 40 }), (sent, limit, cuts) => {
      const { stream, decoded } = connection();
      const tap = new ReplyTap(stream);
      tap.expect(limit);
      const bytes = Buffer.concat([encode(sent), Buffer.from('+after\r\n')]);
      let at = 0;
      for (const cut of cuts) {
        if (cut === 0 || at + cut >= bytes.length) continue;
        stream.emit('data', bytes.subarray(at, at + cut));
        at += cut;
      }
      stream.emit('data', bytes.subarray(at));
      const taken = tap.taken();
      t.is(decoded(), '*-1\r\n+after\r\n');
      const read = [...readStreamReply(taken?.bytes ?? Buffer.alloc(0), taken?.cuts)];
      t.deepEqual(
        read.map(([name, entries]) => [name, entries.map(({ id, fields, oversize }) => ({ id, fields, oversize }))]),
        sent.map(([name, entries]) => [name, entries.map(({ id, fields }) => ({ id, oversize: undefined, ...keptOf(fields, limit) }))]),
      );
    }),
  );
});

test('an error in place of a read goes to the decoder as it came', (t) => {
  const { stream, decoded } = connection();
  const tap = new ReplyTap(stream);
  tap.expect(1_000_000);
  stream.emit('data', Buffer.from('-WRONGTYPE no stream\r\n'));
  t.is(decoded(), '-WRONGTYPE no stream\r\n');
  t.is(tap.taken(), undefined);
});

const VALUES = [
  '',
  'a',
  'x'.repeat(31),
  'x'.repeat(32),
  'x'.repeat(63),
  'x'.repeat(64),
  'y'.repeat(300),
  'z'.repeat(70_000),
  'ä€😀',
  'ä'.repeat(40),
];
const lists = [
  [],
  VALUES,
  [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, -1, -32, -33, -(2 ** 31)],
  Array.from({ length: 15 }, String),
  Array.from({ length: 16 }, String),
];
lists.push(Array.from({ length: 70_000 }, (_, i) => `v${i}`));

async function comesOut(t: { deepEqual(a: unknown, b: unknown): void }, target: Parameters<typeof openStore>[0]): Promise<void> {
  const link = new Link({ store: await openStore(target, systemClock), name: 'test', clock: systemClock, random: seededRandom(1) });
  await link.open();
  const script = 'local v = cmsgpack.unpack(ARGV[1]) for i = 1, #v do v[i] = type(v[i]) .. v[i] end return v';
  for (const values of lists) {
    const pack = new Pack();
    for (const value of values) {
      if (typeof value === 'string') pack.text(value);
      else pack.number(value);
    }
    t.deepEqual(
      await link.call('EVAL', [script, 0, pack.take()]),
      values.map((value) => `${typeof value}${value}`),
    );
  }
  link.close();
}

test("what is packed comes out of Redis' unpack as the same texts and numbers (in-process)", async (t) => {
  const memory = createMemoryRedis();
  await comesOut(t, memory);
  await memory.close();
});

if (redisServerOnPath()) {
  test("what is packed comes out of Redis' unpack as the same texts and numbers (redis-server)", async (t) => {
    const server = await startRedisServer();
    await comesOut(t, server.url);
    await server.stop();
  });
}
