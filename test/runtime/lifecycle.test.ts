import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import { z } from 'zod';
import { command, event, type IdleTimeoutError } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { startTestSystem, VirtualClock } from '../../src/testing.js';
import { Append, Appended, countActor, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

void test;

/** A handler that stays until it is let go, and says when it has begun. */
function gate() {
  let begun: () => void = () => undefined;
  let letGo: () => void = () => undefined;
  const entered = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const left = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const signals: AbortSignal[] = [];
  const pass = async (_word: string, ctx: { signal: AbortSignal }): Promise<void> => {
    signals.push(ctx.signal);
    begun();
    await left;
  };
  return { entered, letGo: () => letGo(), pass, signals };
}

onBoth(
  'a command to a type that no node hosts is accepted, signalled, and handled once somebody does',
  { actors: [], shards: 2 },
  async (t, { system, start }) => {
    const unhosted = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'unhosted')));
    const { messageId } = await system.tell(Append, { key: 'a', word: 'one' }, { track: true });
    t.like(await unhosted, { kind: 'unhosted', actor: 'list' });
    const host = await start({ actors: [listActor()], shards: 2 });
    await host.idle();
    t.deepEqual(await host.attach(Append, messageId), { length: 1 });
  },
);

{
  const { entered, letGo, pass } = gate();
  void letGo;
  onBoth('idle rejects with what is left when it takes too long', { actors: [listActor(pass)], shards: 1 }, async (t, store) => {
    const { system } = store;
    await system.tell(Append, { key: 'a', word: 'one' });
    await system.tell(Append, { key: 'a', word: 'two' });
    await entered;
    const idle = system.idle({ timeout: '50ms' });
    idle.catch(() => undefined);
    await store.pass('60ms');
    const error = await t.throwsAsync<IdleTimeoutError>(idle, { code: 'IDLE_TIMEOUT' });
    t.deepEqual(error.left, [{ actor: 'list', shard: 0, inbox: 2, waiting: 0, facts: false }]);
    t.regex(error.message, /list\/0 \(inbox 2/);
  });
}

for (const [title, then] of [
  ['stop finishes what is in hand, commits it, and leaves the rest in the log', 'finish'],
  ['stop gives up what does not finish within its grace, and nothing of it is committed', 'give up'],
] as const) {
  const gates = [gate(), gate()];
  let next = 0;
  onBoth(
    title,
    () => {
      const mine = gates[next++] as ReturnType<typeof gate>;
      return { actors: [listActor(mine.pass)], shards: 1, control: mine } as never;
    },
    async (t, { system, start, pass, redis, kind }) => {
      const mine = gates[kind === 'memory' ? 0 : 1] as ReturnType<typeof gate>;
      await system.tell(Append, { key: 'a', word: 'one' });
      await system.tell(Append, { key: 'a', word: 'two' });
      await mine.entered;
      const stopped = system.stop({ grace: then === 'finish' ? '5s' : '20ms' });
      await t.throwsAsync(system.tell(Append, { key: 'a', word: 'three' }), { code: 'STOPPED' });
      if (then === 'finish') mine.letGo();
      else await pass('30ms');
      await stopped;
      if (then === 'give up') t.true(mine.signals[0]?.aborted, 'the handler was told');
      mine.letGo();
      t.is(await redis('XLEN', '{sut:0}:list:commands'), then === 'finish' ? 1 : 2);
      t.is(await redis('HGET', '{sut:0}:list:partition', 'nonce'), null, 'released: nobody waits for the lease');
      const heir = await start({ actors: [listActor()], shards: 1 });
      await heir.idle();
      t.deepEqual(await heir.state(listActor(), 'a'), { words: ['one', 'two'] });
    },
  );
}

onBoth(
  "thousands of messages told at once are all handled, each in its key's order",
  { actors: [listActor(), countActor()], shards: 2 },
  async (t, { system }) => {
    const words = Array.from({ length: 3_000 }, (_, i) => `w${i}`);
    await Promise.all(words.map((word, i) => system.tell(Append, { key: `k${i % 7}`, word })));
    await system.idle();
    for (let k = 0; k < 7; k += 1) t.deepEqual(await system.state(listActor(), `k${k}`), { words: words.filter((_, i) => i % 7 === k) });
    t.is((await system.state(countActor(), 'all'))?.words.length, 3_000, 'and each fact that they published was taken in once');
  },
);

onBoth(
  'observers see what this system sends after they subscribe, and can go on from a position',
  { actors: [listActor()] },
  async (t, { system }) => {
    const seen: { word: string; position: string }[] = [];
    const subscription = system.events(Appended).subscribe(({ data, position }) => seen.push({ word: data.word, position }));
    for (const word of ['one', 'two', 'three']) await system.ask(Append, { key: 'a', word });
    await firstValueFrom(system.events(Appended, { from: 'start' }).pipe(filter(({ data }) => data.word === 'three')));
    t.deepEqual(
      seen.map(({ word }) => word),
      ['one', 'two', 'three'],
    );
    subscription.unsubscribe();
    const after = system.events(Appended, { from: seen[0]?.position as never });
    t.is((await firstValueFrom(after)).data.word, 'two');
  },
);

test('activations in memory are bounded, however many keys there are', async (t) => {
  const { system, stop } = await startTestSystem({ actors: [listActor() as never] });
  const keys = 12_000;
  for (let from = 0; from < keys; from += 2_000) {
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => system.tell(Append, { key: `k${from + i}`, word: 'one' })));
    await system.idle();
  }
  const activations = system.supervisors.children[0]?.activations ?? Number.POSITIVE_INFINITY;
  t.true(activations <= 7_000, `${activations} activations`);
  t.deepEqual(await system.ask(Append, { key: 'k0', word: 'two' }), { length: 2 }, 'and those that left come back with their state');
  await stop();
});

onBoth(
  'a node that is not told how many shards there are takes what is recorded',
  { actors: [listActor()], shards: 2 },
  async (t, { start }) => {
    const second = await start({ actors: [countActor()], shards: undefined });
    t.is(second.shards, 2);
  },
);

onBoth(
  'an idempotency key belongs to one kind of message: the same one elsewhere is another message',
  { actors: [], shards: 1 },
  async (t, { system }) => {
    const data = z.object({ id: z.string() });
    const key = (d: { id: string }): string => d.id;
    const messages = [command('cancel', { to: 'a', key, data }), command('cancel', { to: 'b', key, data })] as const;
    const sent = [];
    for (const message of messages) sent.push(await system.tell(message, { id: 'x' }, { idempotencyKey: 'k' }));
    sent.push(await system.publish(event('cancel', { key, data }), { id: 'x' }, { idempotencyKey: 'k' }));
    t.deepEqual(
      sent.map(({ duplicate }) => duplicate),
      [false, false, false],
    );
    t.is(new Set(sent.map(({ messageId }) => messageId)).size, 3);
  },
);

test('systems on one in-process Redis, one after the other or side by side, take nothing for sent again', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const started = () => startTestSystem({ actors: [listActor() as never], redis, clock });
  const first = await started();
  await first.system.tell(Append, { key: 'a', word: 'one' });
  await first.system.idle();
  await first.stop();
  const [second, third] = [await started(), await started()];
  for (const word of ['two', 'three']) await second.system.tell(Append, { key: 'a', word });
  for (const word of ['four', 'five']) await third.system.tell(Append, { key: 'a', word });
  const idle = Promise.all([second.system.idle(), third.system.idle()]);
  await clock.advance('30s');
  await idle;
  t.deepEqual(await second.system.state(listActor(), 'a'), { words: ['one', 'two', 'three', 'four', 'five'] });
  for (const { stop } of [second, third]) await stop();
  await redis.close();
});

test('a system on the file that another one left takes nothing for sent again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'errand-left-'));
  for (const length of [1, 2, 3]) {
    const clock = new VirtualClock();
    const redis = createMemoryRedis({ clock, appendOnlyFile: join(folder, 'log.aof') });
    const { system, stop } = await startTestSystem({ actors: [listActor() as never], redis, clock });
    await system.tell(Append, { key: 'a', word: 'one' });
    await system.idle();
    t.is((await system.state(listActor(), 'a'))?.words.length, length);
    await stop();
    await redis.close();
  }
  rmSync(folder, { recursive: true });
});
