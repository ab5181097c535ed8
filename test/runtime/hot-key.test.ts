/** A key with more messages than its share of memory must not keep the others out. */
import test from 'ava';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { sleep } from '../../src/message/clock.js';
import { startTestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { Append, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

const hot = Array.from({ length: 40 }, (_, i) => `hot ${i}`);

/** Each word of the hot key takes a second; memory has room for eight messages. */
function stage(fails: (word: string, attempt: number) => boolean = () => false) {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const raw = redis.client();
  const List = listActor(async (word, ctx) => {
    if (word.startsWith('hot')) await sleep(clock, 1_000, ctx.signal);
    if (fails(word, ctx.attempt)) throw new Error('not yet');
  });
  const child = { actor: 'list', prefetch: 8, concurrency: 4, recoverability: { immediate: 0, delayed: ['3s'] } };
  const start = async (seed: number) => {
    const options = {
      name: 'sut',
      shards: 1,
      lease: '3s',
      actors: [List],
      redis,
      clock,
      seed,
      supervisors: [{ name: 's', children: [child] }],
    };
    return (await startTestSystem(options as unknown as TestSystemOptions & { actors: [] })).system;
  };
  const close = async (): Promise<void> => {
    raw.disconnect();
    await redis.close();
  };
  return { clock, redis, raw, List, start, close };
}

test('the keys behind a slow hot key are handled at once, and the hot key keeps its order', async (t) => {
  const { clock, raw, List, start, close } = stage();
  const system = await start(1);
  for (const word of hot) await system.tell(Append, { key: 'hot', word });
  await system.tell(Append, { key: 'other', word: 'short' });
  await clock.advance('900ms');
  t.deepEqual(await system.state(List, 'other'), { words: ['short'] }, 'it did not wait for a single hot word');
  t.is(await raw.call('XLEN', '{sut:0}:list:commands'), 0, 'the rest is set aside');
  await system.tell(Append, { key: 'hot', word: 'hot last' });
  await clock.advance('45s');
  await system.idle();
  t.deepEqual(await system.state(List, 'hot'), { words: [...hot, 'hot last'] });
  t.deepEqual(((await raw.call('KEYS', '{sut:0}:list:aside*')) as string[]).sort(), []);
  await system.stop();
  await close();
});

test('the order of a hot key is kept when its owner dies in the middle, and when its words fail', async (t) => {
  const { clock, raw, List, start, close } = stage((word, attempt) => /[05]$/.test(word) && attempt === 1);
  const system = await start(1);
  for (const word of hot) await system.tell(Append, { key: 'hot', word });
  for (let i = 0; i < 6; i += 1) {
    await clock.advance(i * 1_000 + 300);
    await raw.call('HSET', '{sut:0}:list:partition', 'nonce', 'dead', 'node', 'dead', 'until', clock.now() - 1);
    await system.tell(Append, { key: 'hot', word: `hot late ${i}` });
    await clock.advance('1500ms');
  }
  await clock.advance('5m');
  await system.idle();
  const { words } = (await system.state(List, 'hot')) ?? { words: [] };
  t.deepEqual(words, [...hot, ...Array.from({ length: 6 }, (_, i) => `hot late ${i}`)]);
  t.deepEqual((await system.deadLetters.list()).items, []);
  await system.stop();
  await close();
});

test('a fast hot key stays in its inbox: nothing is written twice', async (t) => {
  const { clock, redis, List, start, close } = stage();
  const system = await start(1);
  const counts = { commits: 0, asides: 0 };
  redis.faults.inject(
    ({ words }) => {
      // A commit's writes come packed in one word.
      if (words.some((word) => word.includes('XTRIM'))) counts.commits += 1;
      if (words.some((word) => word.includes('RPUSH'))) counts.asides += 1;
      return false;
    },
    { delay: 0 },
  );
  const words = Array.from({ length: 500 }, (_, i) => `word ${i}`);
  await Promise.all(words.map((word) => system.tell(Append, { key: 'fast', word })));
  await clock.advance('1s');
  await system.idle();
  t.deepEqual(await system.state(List, 'fast'), { words });
  t.true(counts.commits > 0);
  t.is(counts.asides, 0);
  await system.stop();
  await close();
});

onBoth(
  'a hot key that never comes to rest does not keep others out',
  () => {
    const List = listActor((word) => (word.startsWith('hot') ? new Promise((resolve) => setImmediate(resolve)) : undefined));
    return { actors: [List], shards: 1, supervisors: [{ name: 's', children: [{ actor: 'list', prefetch: 5, concurrency: 2 }] }] };
  },
  async (t, { system, pass }) => {
    const told = hot.map((word) => system.tell(Append, { key: 'hot', word }));
    await Promise.all(told);
    const other = system.ask(Append, { key: 'other', word: 'short' });
    await pass('1s');
    t.deepEqual(await other, { length: 1 });
    const idle = system.idle();
    await pass('10s');
    await idle;
    t.deepEqual(await system.state(listActor(), 'hot'), { words: hot });
  },
);
