import test from 'ava';
import { array, assert, constantFrom, integer, oneof, property, record, sample } from 'fast-check';
import { Args } from '../../src/memory-redis/args.js';
import { ExpiryQueue } from '../../src/memory-redis/expiry.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { WireReader } from '../../src/memory-redis/lua-encoding.js';
import { formatDouble, parseInteger } from '../../src/memory-redis/numbers.js';
import type { RawArray } from '../../src/memory-redis/reply.js';
import { SortedList } from '../../src/memory-redis/sorted-list.js';
import { Stream } from '../../src/memory-redis/stream.js';
import { HIGHEST_ID, LOWEST_ID } from '../../src/memory-redis/stream-id.js';
import { sequences } from './requests.js';

function idsOf(range: RawArray): number[] {
  const ids: number[] = [];
  for (const { bytes, start, end } of range.segments) {
    const reader = new WireReader(bytes);
    reader.at = start;
    while (reader.at < end) ids.push(Number(((reader.value() as string[])[0] as string).split('-')[0]));
  }
  return ids;
}

const FIELDS = Args.of(['f', 'x'.repeat(50)]);
const id = (ms: number): { ms: number; seq: number } => ({ ms, seq: 0 });

test('a stream is a row of entries, whatever is done to it', (t) => {
  const step = oneof(
    { weight: 4, arbitrary: record({ kind: constantFrom('append' as const), count: integer({ min: 1, max: 150 }) }) },
    {
      weight: 3,
      arbitrary: record({
        kind: constantFrom('delete' as const),
        count: integer({ min: 1, max: 120 }),
        stride: integer({ min: 1, max: 4 }),
      }),
    },
    { weight: 1, arbitrary: record({ kind: constantFrom('maxlen' as const), count: integer({ min: 0, max: 300 }) }) },
    { weight: 1, arbitrary: record({ kind: constantFrom('minid' as const), count: integer({ min: 0, max: 400 }) }) },
  );
  assert(
    property(array(step, { maxLength: 30 }), (steps) => {
      const stream = new Stream();
      let model: number[] = [];
      let next = 1;
      for (const action of steps) {
        if (action.kind === 'append') {
          for (let count = 0; count < action.count; count += 1) {
            stream.append(id(next), FIELDS, 0);
            model.push(next);
            next += 1;
          }
        } else if (action.kind === 'delete') {
          const from = (action.count * 7) % Math.max(1, model.length);
          const gone = model.filter((_, index) => index >= from && index < from + action.count && index % action.stride === 0);
          for (const ms of gone) t.true(stream.delete(id(ms)));
          const set = new Set(gone);
          model = model.filter((ms) => !set.has(ms));
        } else if (action.kind === 'maxlen') {
          const removed = stream.trim({ maxLength: action.count }, false, 0);
          t.is(removed, Math.max(0, model.length - action.count));
          model = model.slice(removed);
        } else {
          stream.trim({ minId: id(action.count) }, false, 0);
          model = model.filter((ms) => ms >= action.count);
        }
        if (stream.length !== model.length) return false;
        if (stream.length > 0 && stream.topId.ms !== model.at(-1)) return false;
        if (stream.firstId.ms !== (model[0] ?? 0)) return false;
        if (idsOf(stream.range(LOWEST_ID, HIGHEST_ID, Number.MAX_SAFE_INTEGER)).join() !== model.join()) return false;
        const middle = model[Math.floor(model.length / 2)] ?? 0;
        if (
          idsOf(stream.range(id(middle), HIGHEST_ID, 5)).join() !==
          model
            .filter((ms) => ms >= middle)
            .slice(0, 5)
            .join()
        )
          return false;
        const backwards = model.filter((ms) => ms <= middle).reverse();
        if (idsOf(stream.reverseRange(LOWEST_ID, id(middle), 7)).join() !== backwards.slice(0, 7).join()) return false;
      }
      return stream.length > 0 || (stream.bytes === 0 && stream.chunkCount === 0);
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('deleting most of a stream gives its memory back', (t) => {
  const stream = new Stream();
  for (let ms = 1; ms <= 20_000; ms += 1) stream.append(id(ms), FIELDS, 0);
  const full = stream.bytes;
  for (let ms = 1; ms <= 20_000; ms += 1) if (ms % 20 !== 0) stream.delete(id(ms));
  t.is(stream.length, 1000);
  t.true(stream.bytes < full / 8, `${stream.bytes} of ${full}`);
});

test('the memory in use is nothing when nothing is held', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client({ protocol: 2 });
  for (const row of sample(sequences(40), { numRuns: 150, seed: 1 })) {
    for (const words of row) {
      if (/^(HELLO|SELECT|.*SUBSCRIBE|MULTI|WATCH|RESET|QUIT|CLIENT|B.*|X.*BLOCK.*)$/i.test(words[0] ?? '') || words.includes('BLOCK'))
        continue;
      await client.call(words[0] ?? '', ...words.slice(1)).catch(() => undefined);
    }
    for (const key of await client.keys('*')) await client.del(key);
    t.is(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1], '0', JSON.stringify(row));
  }
  await redis.close();
});

test('SCAN sees everything that stays, however much comes and goes meanwhile', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  const staying = Array.from({ length: 2000 }, (_, index) => `stays ${index}`);
  for (const key of staying) {
    await client.set(key, '1');
    await client.set(`goes ${key}`, '1');
    await client.hset('hash', key, '1');
  }
  const seen = new Set<string>();
  let cursor = '0';
  let calls = 0;
  do {
    const [next, keys] = await client.scan(cursor, 'MATCH', 'stays*', 'COUNT', 50);
    for (const key of keys) seen.add(key);
    await client.del(`goes stays ${calls * 7}`, `goes stays ${calls}`);
    await client.set(`comes ${calls}`, '1');
    cursor = next;
    calls += 1;
  } while (cursor !== '0');
  t.deepEqual([...seen].sort(), [...staying].sort());
  t.true(calls > 20);
  const fields: string[] = [];
  for await (const part of client.hscanStream('hash', { count: 100 }))
    fields.push(...(part as string[]).filter((_, index) => index % 2 === 0));
  t.is(new Set(fields).size, 2000);
  await redis.close();
});

test('keys expire in their order, whatever becomes of their times', (t) => {
  assert(
    property(array(record({ key: integer({ min: 0, max: 20 }), at: integer({ min: -1, max: 5000 }) })), (steps) => {
      const queue = new ExpiryQueue();
      const model = new Map<string, number>();
      for (const { key, at } of steps) {
        if (at < 0) {
          queue.delete(String(key));
          model.delete(String(key));
        } else {
          queue.set(String(key), at);
          model.set(String(key), at);
        }
      }
      for (let now = 0; now <= 6000; now += 500) {
        for (let due = queue.due(now); due !== undefined; due = queue.due(now)) {
          if ((model.get(due) ?? Infinity) > now) return false;
          queue.delete(due);
          model.delete(due);
        }
        if ([...model.values()].some((at) => at <= now)) return false;
      }
      return queue.size === 0;
    }),
  );
  t.pass();
});

test('a sorted list stays sorted', (t) => {
  assert(
    property(array(integer({ min: -400, max: 400 }), { maxLength: 1500 }), (numbers) => {
      const list = new SortedList<number>((a, b) => a < b);
      const model = new Set<number>();
      for (const number of numbers) {
        const item = Math.abs(number);
        if (number < 0 && model.delete(item)) list.remove(item);
        else if (number >= 0 && !model.has(item)) {
          model.add(item);
          list.insert(item);
        }
      }
      const sorted = [...model].sort((a, b) => a - b);
      return (
        list.length === sorted.length &&
        list.slice(0, list.length).join() === sorted.join() &&
        list.countWhile((item) => item < 100) === sorted.filter((item) => item < 100).length
      );
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('numbers are read strictly and printed as C prints them', (t) => {
  for (const [text, value] of [
    ['0', 0],
    ['-1', -1],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9007199254740993', 9007199254740993n],
  ] as const) {
    t.is(parseInteger(text), value);
  }
  for (const text of ['', '-', '01', '-0', '+1', ' 1', '1 ', '1.0', '9223372036854775808', '1e3'])
    t.is(parseInteger(text), undefined, text);
  t.is(formatDouble(0.1), '0.10000000000000001');
  t.is(formatDouble(1e20), '1e+20');
  t.is(formatDouble(1.5e-7), '1.4999999999999999e-07');
  t.is(formatDouble(123456789012345680), '1.2345678901234568e+17');
  t.is(formatDouble(-Infinity), '-inf');
});
