/** Messages that kill their process, and their neighbours. A process that ends without a word leaves an expired lease that it did not release. */
import test from 'ava';
import type { ActorClass } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { Gate } from '../../src/runtime/gate.js';
import { startTestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { Append, listActor } from '../support/shop.js';

const never = new Promise<void>(() => undefined);

/** One node and one partition, whose owner seems to have died whenever `takeOver` is called: this node takes it over from a dead one. */
function stage() {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const raw = redis.client();
  const partition = '{sut:0}:list:partition';
  /** handlers that run now */
  const running = new Set<string>();
  const starts: string[][] = [];
  const takeOver = async (): Promise<void> => {
    running.clear(); // whatever ran in the process that died
    await raw.call('HSET', partition, 'nonce', 'dead', 'node', 'dead', 'until', clock.now() - 1);
    await clock.advance('10s');
  };
  const start = async (script: (word: string, started: number) => Promise<void> | void) => {
    const List = listActor(async (word) => {
      running.add(word);
      starts.push([...running]);
      await script(word, starts.filter((run) => run.at(-1) === word).length);
      running.delete(word);
    });
    const supervisors = [
      {
        name: 's',
        children: [{ actor: 'list', attemptTimeout: '1h' as const, recoverability: { immediate: 0, delayed: ['1m' as const] } }],
      },
    ];
    const options = { name: 'sut', shards: 1, lease: '3s', actors: [List], redis, clock, supervisors };
    const { system } = await startTestSystem(options as unknown as TestSystemOptions & { actors: [] });
    return { system, List };
  };
  const suspects = () => raw.call('HGETALL', '{sut:0}:list:suspects') as Promise<string[]>;
  const cut = async (): Promise<void> => {
    for (const line of String(await raw.call('CLIENT', 'LIST')).split('\n')) {
      if (line.includes('name=errand:sut:control')) await raw.call('CLIENT', 'KILL', 'ID', /\bid=(\d+)/.exec(line)?.[1] ?? '');
    }
    await clock.advance('3s');
  };
  return { clock, start, raw, takeOver, cut, starts, suspects, redis };
}

test('a message that kills its process is set down at its third kill alone; its neighbours and its key go on', async (t) => {
  const { clock, start, takeOver, starts, suspects, raw, redis } = stage();
  // The neighbour is never given the time to finish while the other one may kill the process.
  const { system, List } = await start((word, started) =>
    word === 'poison' || (word === 'neighbour' && started <= 3) ? never : undefined,
  );
  const { messageId } = await system.tell(Append, { key: 'a', word: 'poison' }, { track: true });
  await system.tell(Append, { key: 'a', word: 'behind' });
  await system.tell(Append, { key: 'b', word: 'neighbour' });
  await clock.settle();
  t.deepEqual(starts.at(-1), ['poison', 'neighbour'], 'they run side by side');
  for (let i = 0; i < 3; i += 1) await takeOver();
  t.deepEqual(starts.at(-1), ['poison'], 'it runs alone');
  await system.tell(Append, { key: 'c', word: 'other' });
  await clock.settle();
  t.deepEqual(starts.at(-1), ['poison'], 'nothing else runs beside it');
  for (let i = 0; i < 3; i += 1) {
    t.deepEqual((await system.deadLetters.list()).items, [], `after ${i} kills it is still tried`);
    await takeOver();
  }
  await system.idle();
  const { items } = await system.deadLetters.list();
  t.is(items.length, 1);
  t.like(items[0], { actor: 'list', key: 'a', messageId, reason: 'POISON' });
  await t.throwsAsync(system.attach(Append, messageId), { code: 'DEAD_LETTERED' });
  t.deepEqual(await system.state(List, 'a'), { words: ['behind'] });
  t.deepEqual(await system.state(List, 'b'), { words: ['neighbour'] });
  t.deepEqual(await system.state(List, 'c'), { words: ['other'] });
  t.deepEqual(await suspects(), [], 'nobody is suspected any more');
  await system.stop();
  raw.disconnect();
  await redis.close();
});

test('an owner that lost its connection lives: what ran alone meanwhile has killed nobody', async (t) => {
  const { start, takeOver, cut, suspects, system, close } = await suspected((_word, started) => (started <= 9 ? never : undefined));
  for (let i = 0; i < 5; i += 1) await cut();
  t.deepEqual((await suspects()).slice(1), ['3 0 running']);
  t.deepEqual((await system.deadLetters.list()).items, []);
  await takeOver();
  t.deepEqual(await suspects(), [], 'its tenth start was its last');
  t.deepEqual(await system.state(start, 'a'), { words: ['slow'] });
  await close();
});

test('a suspect that waits for its next attempt is not running: who dies meanwhile was not killed by it', async (t) => {
  const { clock, takeOver, suspects, system, close } = await suspected((_word, started) => {
    if (started <= 3) return never;
    throw new Error('down');
  });
  t.deepEqual((await suspects()).slice(1), ['3 0'], 'it failed, and waits');
  for (let i = 0; i < 3; i += 1) await takeOver();
  t.deepEqual((await suspects()).slice(1), ['3 0'], 'it waits for later: it cannot have been the one');
  await clock.advance('2m');
  await system.idle();
  t.deepEqual(
    (await system.deadLetters.list()).items.map(({ reason }) => reason),
    ['HANDLER_FAILED'],
  );
  t.deepEqual(await suspects(), []);
  await close();
});

/** A message that was there at three unclean take-overs, and runs alone now. */
async function suspected(script: (word: string, started: number) => Promise<void> | void) {
  const { start, takeOver, cut, suspects, raw, redis, clock } = stage();
  const { system, List } = await start(script);
  await system.tell(Append, { key: 'a', word: 'slow' });
  await clock.settle();
  for (let i = 0; i < 3; i += 1) await takeOver();
  const close = async (): Promise<void> => {
    await system.stop({ grace: 0 });
    raw.disconnect();
    await redis.close();
  };
  return { start: List, system, takeOver, cut, suspects, clock, close };
}

test('a gate lets many in, or one alone, in the order in which they came', async (t) => {
  const gate = new Gate();
  const log: string[] = [];
  t.true(gate.tryEnter());
  t.true(gate.tryEnter());
  let finish = (): void => undefined;
  const alone = gate.alone(async () => {
    log.push('alone');
    await new Promise<void>((resolve) => (finish = resolve));
    log.push('done');
  });
  const later = gate.enter().then(() => log.push('later'));
  const again = gate.alone(async () => void log.push('again'));
  t.false(gate.tryEnter(), 'somebody waits to be alone');
  gate.leave();
  await Promise.resolve();
  t.deepEqual(log, []);
  gate.leave();
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(log, ['alone']);
  finish();
  await Promise.all([alone, later]);
  t.deepEqual(log, ['alone', 'done', 'later']);
  gate.leave();
  await again;
  t.true(gate.tryEnter());
});

test('what is suspected of a message stays when it is set aside behind its key', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const raw = redis.client();
  const supervisors = [{ name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['1m' as const] } }] }];
  const List = listActor((word, { attempt }) => {
    if (word === 'bad' && attempt === 1) throw new Error('not yet');
  });
  const options = { name: 'sut', shards: 1, redis, clock, supervisors };
  const { system: client } = await startTestSystem({ ...options, actors: [] });
  await client.tell(Append, { key: 'a', word: 'bad' });
  await client.tell(Append, { key: 'a', word: 'suspect' });
  const [, second] = (await raw.xrange('{sut:0}:list:commands', '-', '+')).map(([entry]) => entry);
  await raw.hset('{sut:0}:list:suspects', second ?? '', '3 2');
  const { system } = await startTestSystem({ ...options, actors: [List] as readonly ActorClass[] as [], seed: 9 });
  await clock.advance('5s');
  t.is(await raw.llen('{sut:0}:list:aside:a'), 2);
  t.is(await raw.hget('{sut:0}:list:suspects', second ?? ''), '3 2');
  await clock.advance('2m');
  t.deepEqual((await system.state(listActor(), 'a'))?.words, ['bad', 'suspect']);
  t.is(await raw.hlen('{sut:0}:list:suspects'), 0);
  raw.disconnect();
  await Promise.all([client, system].map((one) => one.stop({ grace: 0 })));
  await redis.close();
});
