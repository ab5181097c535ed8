import test from 'ava';
import type { RedisOptions } from 'ioredis';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';

/** A client that tells of failures at once instead of hiding them. */
const PLAIN: RedisOptions = { maxRetriesPerRequest: 0, retryStrategy: () => null, enableOfflineQueue: false, enableReadyCheck: false };

test('a dropped request is not carried out, and its connection falls silent', async (t) => {
  const redis = createMemoryRedis();
  const [client, other] = [redis.client(), redis.client()];
  await client.ping();
  redis.faults.inject('SET', 'drop-request');
  const never = client.set('a', '1').catch(() => 'lost');
  const behind = client.get('a').catch(() => 'lost');
  t.is(await other.get('a'), null);
  t.is(await other.set('b', '1'), 'OK');
  client.disconnect();
  t.deepEqual(await Promise.all([never, behind]), ['lost', 'lost']);
  await redis.close();
});

test('a dropped reply leaves the work done', async (t) => {
  const redis = createMemoryRedis();
  const [client, other] = [redis.client(), redis.client()];
  await client.ping();
  redis.faults.inject((request) => request.command === 'INCR' && request.words[1] === 'a', 'drop-reply');
  const never = client.incr('a').catch(() => 'lost');
  t.is(await other.get('a'), '1');
  client.disconnect();
  t.is(await never, 'lost');
  await redis.close();
});

test('a connection is reset before or after a request', async (t) => {
  const redis = createMemoryRedis();
  const other = redis.client();
  for (const [fault, value] of [
    ['close-before', null],
    ['close-after', '1'],
  ] as const) {
    const client = redis.client(PLAIN);
    client.on('error', () => undefined);
    await new Promise((resolve) => client.once('ready', resolve));
    redis.faults.inject('SET', fault);
    await t.throwsAsync(client.set('a', '1'));
    t.is(await other.get('a'), value);
  }
  await redis.close();
});

test('a rule holds for as many requests as it says, and can be withdrawn', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const client = redis.client();
  await client.ping();
  const withdraw = redis.faults.inject('GET', { delay: 50 }, { times: 3 });
  const started = clock.now();
  const late = client.get('a').then(() => clock.now() - started);
  await clock.advance(100);
  t.is(await late, 50);
  withdraw();
  t.is(await client.get('a'), null);
  await redis.close();
});

test('standing still, nothing is answered; then everything is', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await client.ping();
  redis.faults.pause();
  let answered = false;
  const reply = client.ping().then(() => {
    answered = true;
    return undefined;
  });
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.false(answered);
  redis.faults.resume();
  await reply;
  t.true(answered);
  await redis.close();
});

test('after a crash clients come back to the data that is left', async (t) => {
  const redis = createMemoryRedis({ log: true });
  const client = redis.client({ retryStrategy: () => 5 });
  client.on('error', () => undefined);
  const sha = (await client.script('LOAD', 'return 1')) as string;
  await client.set('a', '1');
  await client.set('a', '2');
  await client.multi().set('a', '3').set('b', '3').exec();
  redis.faults.crash({ lose: 1 });
  const waiting = client.mget('a', 'b');
  await new Promise((resolve) => setTimeout(resolve, 30));
  redis.faults.restart();
  t.deepEqual(await waiting, ['2', null]);
  await t.throwsAsync(client.evalsha(sha, 0), { message: /^NOSCRIPT/ });
  redis.faults.crash();
  redis.faults.restart();
  t.is(await client.get('a'), '2');
  await redis.close();
});

test('losing writes needs a log', (t) => {
  const redis = createMemoryRedis();
  t.throws(() => redis.faults.crash({ lose: 1 }), { message: /needs a log/ });
});
