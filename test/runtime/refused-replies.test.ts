/** An error that Redis answers is never taken for a value (issue 14, A3). A key of another type stands for everything that Redis refuses. */
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import type { ActorSystem } from '../../src/index.js';
import { RedisError } from '../../src/index.js';
import { startTestSystem } from '../../src/testing.js';
import { until } from '../support/fleet.js';
import { Append, Appended, countActor, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

void test;

const supervisors = [{ name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['3s'], order: 'block' } }] }];
const fault = (system: ActorSystem) => firstValueFrom(system.signals.pipe(filter((signal) => signal.kind === 'fault')));

onBoth(
  'messages set aside stay where they are while Redis refuses to tell of them, and go on in order afterwards',
  () => {
    const List = listActor((word) => {
      if (word === 'flaky') throw new Error('down');
    });
    return { actors: [List], supervisors, shards: 1 } as never;
  },
  async (t, { system, start, redis, pass }) => {
    const receipts = [];
    for (const word of ['flaky', 'later']) receipts.push(await system.tell(Append, { key: 'k', word }, { track: true }));
    await pass('100ms');
    await until('both wait', 10_000, async () => Number(await redis('LLEN', '{sut:0}:list:aside:k')) === 2);
    await system.tell(Append, { key: 'k', word: 'last' });
    await system.stop();

    const waiting = '{sut:0}:list:aside';
    await redis('RENAME', waiting, '{sut:0}:kept');
    await redis('SET', waiting, 'of another type');
    const again = await start({ actors: [listActor()], supervisors: supervisors as never, lease: '2s', shards: 1 });
    const said = fault(again);
    await pass('1s');
    const { where, code, message } = (await said) as { where: string; code: string; message: string };
    t.deepEqual([where, code], ['list/0', 'REDIS_WRONG_TYPE']);
    t.regex(message, /:0\}:list:aside'/, 'the signal names the key');

    await redis('RENAME', '{sut:0}:kept', waiting);
    const idle = again.idle();
    await pass('10s');
    await idle;
    t.deepEqual(await again.state(listActor(), 'k'), { words: ['flaky', 'later', 'last'] });
    for (const [i, { messageId }] of receipts.entries()) t.deepEqual(await again.attach(Append, messageId), { length: i + 1 });
    t.deepEqual((await again.deadLetters.list()).items, []);
  },
);

onBoth(
  'idle() does not take a refusal for an empty inbox',
  () => ({ actors: [listActor()], shards: 2 }),
  async (t, { system, redis }) => {
    await system.idle();
    await redis('SET', '{sut:1}:list:schedule', 'of another type');
    const error = await t.throwsAsync(system.idle({ timeout: '5s' }), { instanceOf: RedisError, code: 'REDIS_WRONG_TYPE' });
    t.regex(error?.message ?? '', /:1\}:list:schedule'/);
    await redis('DEL', '{sut:1}:list:schedule');
    await t.notThrowsAsync(system.idle());
  },
);

onBoth(
  'one outcome that cannot be read is told to whoever asks for it, and to nobody else',
  () => ({ actors: [listActor()], shards: 1 }),
  async (t, { system, redis }) => {
    const [first, second, third] = await Promise.all(
      ['a', 'b', 'c'].map((key) => system.tell(Append, { key, word: 'one' }, { track: true })),
    );
    await system.idle();
    const record = (of: typeof first): string => `{sut:0}:outcome:${of?.messageId}`;
    await redis('DEL', record(first));
    await redis('RPUSH', record(first), 'of another type');
    await redis('SET', record(second), '- {"status":');
    const [wrong, torn, whole] = await Promise.allSettled(
      [first, second, third].map((one) => system.attach(Append, one?.messageId ?? '', { timeout: '5s' })),
    );
    t.like(wrong, { status: 'rejected', reason: { code: 'REDIS_WRONG_TYPE' } });
    t.like(torn, { status: 'rejected', reason: { code: 'REDIS_REPLY' } });
    t.deepEqual(whole, { status: 'fulfilled', value: { length: 1 } });
  },
);

onBoth(
  'a record of the system that cannot be is refused by name',
  () => ({ actors: [listActor()], shards: 1 }),
  async (t, { start, redis, system }) => {
    await redis('HSET', `${system.name}:system`, 'shards', 'many');
    const error = await t.throwsAsync(start({ actors: [], shards: undefined }), { instanceOf: RedisError, code: 'SYSTEM_RECORD' });
    t.regex(error?.message ?? '', /:system' says shards: 'many'/);
    await redis('HSET', `${system.name}:system`, 'shards', '1');
  },
);

onBoth(
  'a score that only people write is never a time: what is due later does not run in circles, and all else goes on',
  () => ({ actors: [listActor()], shards: 1 }),
  async (t, { system, redis, start, pass }) => {
    const { messageId } = await system.tell(Append, { key: 'a', word: 'later' }, { delay: '2s', track: true });
    await system.idle();
    await redis('ZADD', '{sut:0}:list:schedule', '+inf', 'by hand');
    await redis('ZADD', '{sut:0}:list:aside', '-inf', 'nobody');
    await system.stop();
    const again = await start({ actors: [listActor()], shards: 1 });
    t.deepEqual(await again.ask(Append, { key: 'b', word: 'one' }), { length: 1 });
    const later = again.attach(Append, messageId, { timeout: '20s' });
    await pass('3s');
    t.deepEqual(await later, { length: 1 });
    t.is(await redis('ZCARD', '{sut:0}:list:aside'), 0, 'a key with no messages waits for nothing');
  },
);

test('facts are kept where a cursor cannot be read, which is named, and all else is swept', async (t) => {
  const { system, clock, redis, stop } = await startTestSystem({ actors: [countActor() as never], shards: 2, lease: '6h' });
  const raw = redis.client();
  const length = async (shard: number): Promise<number> => Number(await raw.call('XLEN', `{test:${shard}}:event:appended`));
  await Promise.all(Array.from({ length: 600 }, (_, i) => system.publish(Appended, { key: `k${i}`, word: 'w' })));
  await system.idle();
  const [kept, trimmed] = [await length(0), await length(1)];
  t.true(kept > 200 && trimmed > 200, 'every shard has some');
  const named = new Set<string>();
  system.signals.subscribe((signal) => signal.kind === 'fault' && signal.where === 'retention' && named.add(signal.message));
  await raw.call('RENAME', '{test:0}:count:partition', '{test:0}:kept');
  await raw.call('SET', '{test:0}:count:partition', 'of another type');
  await clock.advance('8d');
  t.is(await length(0), kept);
  t.true((await length(1)) < 150, 'old, and taken in');
  const said = [...named].join();
  t.regex(said, /HGET '\{test:0\}:count:partition'/);
  raw.disconnect();
  await stop({ grace: 0 });
});
