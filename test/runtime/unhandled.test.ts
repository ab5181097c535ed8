/** What a node has no handler for waits for one of another build, in its place, and not for ever. Issue 14, B2. */
import test from 'ava';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import type { ActorSystem } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import type { Signal } from '../../src/runtime/signals.js';
import { startTestSystem, VirtualClock } from '../../src/testing.js';
import { Add, Gifted, NewOrder, OldOrder, Scales, supervised, Wrap } from '../support/builds.js';
import { onBoth, type Store } from '../support/stores.js';

const SHARDS = 8;
const LEASE = '2s';
const common = { shards: SHARDS, lease: LEASE } as const;
const KEYS = Array.from({ length: 12 }, (_, i) => `k${i}`);

type Of<K extends Signal['kind']> = Extract<Signal, { kind: K }>;
const next = <K extends Signal['kind']>(system: ActorSystem, kind: K): Promise<Of<K>> =>
  firstValueFrom(system.signals.pipe(filter((signal): signal is Of<K> => signal.kind === kind)));

/** Three words for each key, of which only a newer build knows the second. */
async function tellAll(system: ActorSystem): Promise<void> {
  for (const key of KEYS) {
    await system.tell(Add, { key, word: 'one' });
    await system.tell(Wrap, { key, word: 'two' });
    await system.tell(Add, { key, word: 'three' });
  }
}

async function allInOrder(t: Parameters<Parameters<typeof onBoth>[2]>[0], system: ActorSystem): Promise<void> {
  for (const key of KEYS) t.deepEqual(await system.state(NewOrder, key), { words: ['one', 'two', 'three'] }, key);
  t.deepEqual((await system.deadLetters.list()).items, []);
}

async function settled({ pass }: Store, system: ActorSystem): Promise<void> {
  const idle = system.idle();
  await pass('5s');
  await idle;
}

for (const order of ['block', 'park', 'skip'] as const) {
  const supervisors = supervised({ recoverability: { immediate: 0, delayed: [], order } });
  const old = { ...common, actors: [OldOrder], supervisors };
  const fresh = { ...common, actors: [NewOrder], supervisors };

  onBoth(
    `${order}: what an old node does not know waits in its place until a new node comes, and other keys go on`,
    old,
    async (t, store) => {
      const { system, start } = store;
      const unhandled = next(system, 'unhandled');
      const client = await start({ ...common, actors: [] });
      await tellAll(client);
      t.like(await unhandled, { actor: 'order', type: 'wrap', of: 'command', reason: 'UNKNOWN_MESSAGE', knownBy: [] });
      t.is(await client.ask(Add, { key: 'other', word: 'goes on' }), 'OldOrder');
      await settled(store, client); // what nobody can handle does not count
      for (const key of KEYS) t.deepEqual(await client.state(OldOrder, key), { words: ['one'] });
      await start(fresh);
      await settled(store, client);
      await allInOrder(t, client);
    },
  );

  onBoth(`${order}: an old node that joins new ones gives away what it does not know`, fresh, async (t, store) => {
    const { start, pass } = store;
    const joined = await start(old);
    const share = next(joined, 'partition-acquired');
    await pass('3s');
    await share;
    const client = await start({ ...common, actors: [] });
    await tellAll(client);
    await settled(store, client);
    await allInOrder(t, client);
  });
}

onBoth(
  'whoever asks for what only a newer node knows gets the answer once that node has come',
  { ...common, actors: [OldOrder] },
  async (t, store) => {
    const { system, start, pass } = store;
    const unhandled = next(system, 'unhandled');
    const asked = system.ask(Wrap, { key: 'a', word: 'x' });
    await unhandled;
    const fresh = await start({ ...common, actors: [NewOrder] });
    await pass('3s');
    t.is(await asked, 'wrapped');
    t.deepEqual((await fresh.deadLetters.list()).items, []);
  },
);

onBoth('facts and replies that only newer nodes handle wait as well', { ...common, shards: 1, actors: [NewOrder] }, async (t, store) => {
  const { system, start, redis, pass } = store;
  // Taken in, and answered, by the newer node; then an older one comes to own the partition.
  await system.tell(Wrap, { key: 'a', word: 'heavy' });
  await settled(store, system);
  await system.stop();
  const old = await start({ ...common, shards: 1, actors: [OldOrder] });
  const waits = firstValueFrom(
    old.signals.pipe(
      filter((signal): signal is Of<'unhandled'> => signal.kind === 'unhandled'),
      take(2),
      toArray(),
    ),
  );
  const inbox = ['XADD', '{sut:0}:order:commands', '*'] as const;
  await redis(...inbox, 'id', 'f-1', 'type', 'gifted', 'kind', 'event', 'subject', 'b', 'data', '{"key":"b","word":"fact"}');
  const scales = await start({ ...common, shards: 1, actors: [Scales] });
  await pass('2s');
  t.deepEqual((await waits).map(({ of, type }) => `${of} ${type}`).toSorted(), ['event gifted', 'reply weigh']);
  await old.stop();
  const again = await start({ ...common, shards: 1, actors: [NewOrder] });
  await settled(store, again);
  t.deepEqual(await again.state(NewOrder, 'a'), { words: ['heavy', 'weighed completed'] });
  t.deepEqual(await again.state(NewOrder, 'b'), { words: ['fact'] });
  t.deepEqual((await scales.deadLetters.list()).items, []);
});

onBoth(
  'a node that comes back in a newer build handles what waited for it at once, in order',
  { ...common, actors: [OldOrder] },
  async (t, store) => {
    const { system, start } = store;
    const unhandled = next(system, 'unhandled');
    await tellAll(system);
    await unhandled;
    await settled(store, system);
    await system.stop();
    const restarted = await start({ ...common, actors: [NewOrder] });
    await settled(store, restarted);
    await allInOrder(t, restarted);
    t.deepEqual(await store.redis('KEYS', '{sut:*}:order:unhandled'), [], 'no record is left');
  },
);

onBoth(
  'what waits too long is a dead letter that says so, and its key goes on; whoever stood behind it waits no longer for that',
  { ...common, shards: 1, actors: [OldOrder], supervisors: supervised({ unhandledTimeout: 600 }) },
  async (t, store) => {
    const { system, pass } = store;
    const failed = firstValueFrom(system.results(Wrap));
    await system.tell(Wrap, { key: 'a', word: 'one' });
    for (let i = 0; i < 5; i += 1) await system.tell(Wrap, { key: 'a', word: `more ${i}` });
    await system.tell(Add, { key: 'a', word: 'last' });
    const added = firstValueFrom(system.results(Add));
    await pass('1s');
    const result = await failed;
    t.is(result.status, 'failed');
    if (result.status === 'failed') {
      t.is(result.error.code, 'DEAD_LETTERED');
      t.regex(
        result.error.message,
        /^UNKNOWN_MESSAGE: order has no handler for the command 'wrap'; it waited \d+ s for a node that can handle it, and none is there$/,
      );
    }
    await pass('500ms'); // not each its own time
    await added;
    const { items } = await system.deadLetters.list();
    t.deepEqual(
      items.map(({ reason, attempts, parked }) => [reason, attempts, parked]),
      Array.from({ length: 6 }, () => ['UNKNOWN_MESSAGE', 0, false]),
    );
    t.deepEqual(await system.state(OldOrder, 'a'), { words: ['last'] });
    const redriven = await system.deadLetters.redrive(items[0]?.id ?? '');
    t.is(redriven.length, 1);
  },
);

test('the time that a message may wait counts from when it was first seen, whoever owns its partition since', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const start = async () => (await startTestSystem({ actors: [OldOrder], redis, clock, shards: 1, lease: '2m' })).system;
  const first = await start();
  await first.tell(Wrap, { key: 'a', word: 'one' });
  await clock.advance('6m');
  await first.stop();
  await clock.advance('1m');
  const second = await start();
  await clock.advance('2m');
  t.deepEqual((await second.deadLetters.list()).items, [], 'nine of ten minutes');
  await clock.advance('1m');
  const [letter] = (await second.deadLetters.list()).items;
  t.regex(letter?.error.message ?? '', /it waited 600 s for/);
  await second.tell(Wrap, { key: 'a', word: 'two' });
  await clock.advance('9m');
  await second.stop();
  await clock.advance('1h');
  const third = await start();
  t.is((await third.deadLetters.list()).items.length, 1, 'nobody was there: whoever comes has the time to find a node that can');
  await clock.advance('2m');
  t.is((await third.deadLetters.list()).items.length, 2);
  await third.stop();
  await redis.close();
});

onBoth(
  'what waits expires in its time, and is cancelled when somebody asks for it',
  { ...common, actors: [OldOrder] },
  async (t, store) => {
    const { system, pass } = store;
    const unhandled = next(system, 'unhandled');
    const asked = system.ask(Wrap, { key: 'a', word: 'one' }, { expiresIn: '300ms' });
    const expired = t.throwsAsync(asked, { code: 'EXPIRED' });
    await unhandled;
    const { messageId } = await system.tell(Wrap, { key: 'a', word: 'two' }, { track: true });
    const added = system.ask(Add, { key: 'a', word: 'three' });
    await pass('1s');
    await expired;
    t.is(await system.cancel(messageId), 'cancelled');
    t.is(await added, 'OldOrder');
    await t.throwsAsync(system.attach(Wrap, messageId), { code: 'CANCELLED' });
    t.deepEqual(await store.redis('KEYS', '{sut:*}:order:unhandled'), []);
  },
);

onBoth(
  'a request of a newer kind waits for an owner that knows it, in no key’s way',
  { ...common, shards: 1, actors: [OldOrder] },
  async (t, store) => {
    const { system, start, redis, pass } = store;
    const unhandled = next(system, 'unhandled');
    for (const id of ['r-1', 'r-2'])
      await redis('XADD', '{sut:0}:order:commands', '*', 'id', id, 'type', 'burn', 'kind', 'request', 'subject', 'a', 'data', '1-1');
    t.like(await unhandled, { of: 'request', type: 'burn', key: 'a' });
    t.is(await system.ask(Add, { key: 'a', word: 'one' }), 'OldOrder', 'its key goes on');
    await settled(store, system);
    await system.stop();
    t.is(await redis('XLEN', '{sut:0}:order:commands'), 0);
    const list = (await redis('LRANGE', '{sut:0}:order:aside:{requests}', 0, -1)) as string[];
    t.is(list.length, 2);
    // As if the next owner was of a build that knows it: what it is asked for is a letter that is not there.
    for (const [i, text] of list.entries()) await redis('LSET', '{sut:0}:order:aside:{requests}', i, text.replace('"burn"', '"discard"'));
    const record = (await redis('HGET', '{sut:0}:order:unhandled', '{requests}')) as string;
    await redis('HSET', '{sut:0}:order:unhandled', '{requests}', record.replace('burn', 'discard'));
    const newer = await start({ ...common, shards: 1, actors: [OldOrder] });
    await pass('2s');
    await settled(store, newer);
    t.is(await redis('EXISTS', '{sut:0}:order:aside:{requests}', '{sut:0}:order:aside', '{sut:0}:order:unhandled'), 0);
    t.deepEqual((await newer.deadLetters.list()).items, []);
  },
);

onBoth(
  'requests that nobody comes to know are dead letters, each after its time',
  { ...common, shards: 1, actors: [OldOrder], supervisors: supervised({ unhandledTimeout: 300 }) },
  async (t, store) => {
    const { system, redis, pass } = store;
    const letters = firstValueFrom(
      system.signals.pipe(
        filter(({ kind }) => kind === 'dead-letter'),
        take(2),
        toArray(),
      ),
    );
    for (const id of ['r-1', 'r-2'])
      await redis('XADD', '{sut:0}:order:commands', '*', 'id', id, 'type', 'burn', 'kind', 'request', 'subject', 'a', 'data', '1-1');
    await pass('2s');
    await letters;
    const { items } = await system.deadLetters.list();
    t.deepEqual(
      items.map(({ messageId, reason, key }) => [messageId, reason, key]),
      [
        ['r-1', 'UNKNOWN_MESSAGE', 'a'],
        ['r-2', 'UNKNOWN_MESSAGE', 'a'],
      ],
    );
    t.regex(items[0]?.error.message ?? '', /^an owner cannot be asked to 'burn'; it waited/);
    t.is(await redis('EXISTS', '{sut:0}:order:aside:{requests}', '{sut:0}:order:aside', '{sut:0}:order:unhandled'), 0);
  },
);

onBoth(
  'that messages wait is said once for each type, to signals and to the logger',
  () => {
    const warned: string[] = [];
    const silent = (): void => undefined;
    const logger = { debug: silent, info: silent, error: silent, warn: (_: object, text: string) => warned.push(text) };
    return { ...common, actors: [OldOrder], logger, warned } as never;
  },
  async (t, store, options) => {
    const { system, pass } = store;
    const { warned } = options as unknown as { warned: string[] };
    const said: Of<'unhandled'>[] = [];
    system.signals.subscribe((signal) => signal.kind === 'unhandled' && said.push(signal));
    await tellAll(system);
    await system.publish(Gifted, { key: 'a', word: 'nobody takes it in' });
    await pass('1s');
    await settled(store, system);
    t.deepEqual(
      said.map(({ type }) => type),
      ['wrap'],
    );
    t.is(
      warned.filter((text) => text.startsWith('messages wait for a node that can handle them, and none is there yet: order has no handler'))
        .length,
      1,
    );
  },
);

onBoth(
  'where nothing may wait, what is unknown is a dead letter at once',
  { ...common, actors: [OldOrder], supervisors: supervised({ unhandledTimeout: 0 }) },
  async (t, { system }) => {
    await t.throwsAsync(system.ask(Wrap, { key: 'a', word: 'x' }), {
      code: 'DEAD_LETTERED',
      message: "UNKNOWN_MESSAGE: order has no handler for the command 'wrap'",
    });
  },
);

onBoth(
  'a type that can be no message’s name is a dead letter at once',
  { ...common, shards: 1, actors: [OldOrder] },
  async (t, { system, redis }) => {
    const letter = next(system, 'dead-letter');
    await redis('XADD', '{sut:0}:order:commands', '*', 'id', 'm-1', 'type', 'no name', 'subject', 'a', 'data', '{}');
    t.like(await letter, { reason: 'UNKNOWN_MESSAGE', messageId: 'm-1' });
  },
);
