import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { sample } from 'fast-check';
import type { Redis } from 'ioredis';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';
import { sequences } from './requests.js';

const test = anyTest as TestFn<{ dir: string; file: string }>;

test.beforeEach((t) => {
  const dir = mkdtempSync(join(tmpdir(), 'errand-aof-'));
  t.context = { dir, file: join(dir, 'appendonly.aof') };
});
test.afterEach.always((t) => rmSync(t.context.dir, { recursive: true, force: true }));

/** Everything that can be seen of the data, in order. */
async function snapshot(client: Redis): Promise<unknown> {
  const keys = (await client.keys('*')).sort();
  const shown: unknown[] = [];
  for (const key of keys) {
    const type = await client.type(key);
    const read: Record<string, () => Promise<unknown>> = {
      string: () => client.get(key),
      hash: () => client.hgetall(key),
      list: () => client.lrange(key, 0, -1),
      set: async () => (await client.smembers(key)).sort(),
      zset: () => client.zrange(key, '0', '-1', 'WITHSCORES'),
      stream: () => client.call('XINFO', 'STREAM', key, 'FULL'),
    };
    shown.push([key, type, await client.pttl(key), await read[type]?.()]);
  }
  return shown;
}

async function fill(client: Redis): Promise<void> {
  await client.set('string', 'zwölf \0 €');
  await client.set('expiring', '1', 'EX', 1000);
  await client.hset('hash', { a: '1', b: '2' });
  await client.rpush('list', '1', '2', '3');
  await client.sadd('set', 'x', 'y', 'z');
  await client.spop('set');
  await client.zadd('zset', '1.5', 'a', 'inf', 'b');
  for (let entry = 0; entry < 300; entry += 1) await client.xadd('stream', 'MAXLEN', '~', '250', '*', 'n', String(entry));
  await client.xdel('stream', (await client.xrange('stream', '-', '+', 'COUNT', 2))[1]?.[0] as string);
  await client.xgroup('CREATE', 'stream', 'group', '0');
  await client.xreadgroup('GROUP', 'group', 'reader', 'COUNT', 3, 'STREAMS', 'stream', '>');
  await client.xgroup('CREATE', 'empty', 'group', '$', 'MKSTREAM');
  await client.multi().incr('counter').incr('counter').exec();
  await client.eval("redis.call('SET', KEYS[1], redis.call('TIME')[1]) redis.call('INCR', KEYS[2])", 2, 'time', 'counter');
  await client.select(3);
  await client.set('elsewhere', '1');
  await client.select(0);
}

test('what was written is there again, with another process and later', async (t) => {
  const clock = new VirtualClock();
  const first = createMemoryRedis({ clock, appendOnlyFile: t.context.file });
  await fill(first.client());
  await clock.advance('1s');
  const before = await snapshot(first.client());
  await first.close();
  const second = createMemoryRedis({ clock, appendOnlyFile: t.context.file });
  t.deepEqual(await snapshot(second.client()), before);
  t.is(await second.client({ db: 3 }).get('elsewhere'), '1');
  await clock.advance('1h');
  t.is(await second.client().get('expiring'), null);
  await second.close();
});

test('a rewritten log is shorter and holds the same', async (t) => {
  const clock = new VirtualClock();
  const first = createMemoryRedis({ clock, appendOnlyFile: t.context.file });
  const client = first.client();
  await fill(client);
  for (let round = 0; round < 500; round += 1) await client.set('string', `round ${round}`);
  const before = await snapshot(client);
  const { size } = statSync(t.context.file);
  await client.bgrewriteaof();
  t.true(statSync(t.context.file).size < size);
  await client.set('after', 'the rewrite');
  await client.del('after');
  await first.close();
  const second = createMemoryRedis({ clock, appendOnlyFile: t.context.file });
  t.deepEqual(await snapshot(second.client()), before);
  await second.close();
});

test('a log that breaks off is cut before the record that does, and whole transactions count as one', async (t) => {
  const { file } = t.context;
  const first = createMemoryRedis({ appendOnlyFile: file });
  const client = first.client();
  await client.set('a', '1');
  await client.multi().set('b', '1').set('c', '1').exec();
  await first.close();
  const whole = readFileSync(file);
  for (let lost = 1; lost < 60; lost += 7) {
    truncateSync(file, 0);
    appendFileSync(file, whole.subarray(0, whole.length - lost));
    const again = createMemoryRedis({ appendOnlyFile: file });
    t.deepEqual(await again.client().mget('a', 'b', 'c'), ['1', null, null]);
    await again.client().set('d', '1');
    await again.close();
    const third = createMemoryRedis({ appendOnlyFile: file });
    t.deepEqual(await third.client().mget('a', 'b', 'd'), ['1', null, '1']);
    await third.close();
  }
});

test('a log that cannot be read refuses everything and is left as it is', async (t) => {
  appendFileSync(t.context.file, '*1\r\n$4\r\nPING\r\nnonsense');
  const redis = createMemoryRedis({ appendOnlyFile: t.context.file });
  const client = redis.client({ enableReadyCheck: false, protocol: 2, disableClientInfo: true });
  await t.throwsAsync(client.get('a'), { message: /^ERR the append-only file cannot be read/ });
  await redis.close();
  t.is(readFileSync(t.context.file, 'utf8'), '*1\r\n$4\r\nPING\r\nnonsense');
});

test('one file belongs to one Redis at a time', async (t) => {
  const redis = createMemoryRedis({ appendOnlyFile: t.context.file });
  t.throws(() => createMemoryRedis({ appendOnlyFile: t.context.file }), { message: /is in use by process/ });
  await redis.close();
  await createMemoryRedis({ appendOnlyFile: t.context.file }).close();
});

test('whatever was done, the log makes the same data of it', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock, log: true });
  const client = redis.client({ protocol: 2, retryStrategy: () => 1 });
  client.on('error', () => undefined);
  for (const row of sample(sequences(40), { numRuns: 60, seed: 7 })) {
    for (const words of row) {
      // Waiting would need somebody who moves the clock, subscribing another client.
      if (/^(HELLO|SELECT|.*SUBSCRIBE|WATCH|RESET|B.*|SCRIPT|EVALSHA.*)$/i.test(words[0] ?? '') || words.includes('BLOCK')) continue;
      await client.call(words[0] ?? '', ...words.slice(1)).catch(() => undefined);
    }
    await client.discard().catch(() => undefined);
    const before = await snapshot(client);
    redis.faults.crash();
    redis.faults.restart();
    t.deepEqual(await snapshot(client), before, JSON.stringify(row));
    if (row.length % 3 === 0) await client.flushall();
    await clock.advance(500);
  }
  await redis.close();
});

test('a waiting client that was served is served again from the log', async (t) => {
  const redis = createMemoryRedis({ log: true });
  const [waiting, other] = [redis.client(), redis.client()];
  const popped = waiting.blpop('a', 'b', 0);
  await other.ping();
  await other.multi().rpush('b', '1', '2').rpush('a', '3').exec();
  t.deepEqual(await popped, ['b', '1']);
  redis.faults.crash();
  redis.faults.restart();
  t.deepEqual(await redis.client().lrange('b', 0, -1), ['2']);
  t.deepEqual(await redis.client().lrange('a', 0, -1), ['3']);
  await redis.close();
});
