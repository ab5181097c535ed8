/** Nodes of several builds beside each other: partitions move to nodes that can handle what waits there, and to nobody else. Issue 14, B2. */
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import type { ActorSystem } from '../../src/index.js';
import { recordBuild } from '../../src/log/builds.js';
import { Keys } from '../../src/log/keys.js';
import { shardOf } from '../../src/log/shard.js';
import { meets, needOf, parseBuild, recorded, refusedBy } from '../../src/runtime/build.js';
import { fairOwner } from '../../src/runtime/fair-share.js';
import { startTestSystem } from '../../src/testing.js';
import { Add, AddMany, CountingOrder, NewOrder, OldOrder, RetiredOrder, StrictOrder, WideOrder, Wrap } from '../support/builds.js';
import { onBoth, type Store } from '../support/stores.js';

const SHARDS = 8;
const common = { shards: SHARDS, lease: '5s' } as const;
const KEYS = Array.from({ length: 16 }, (_, i) => `k${i}`);

/** Partitions that a node gives away from now on, in order. One that a busy machine lost is none of them. */
function given(system: ActorSystem): number[] {
  const seen: number[] = [];
  system.signals.subscribe((signal) => {
    if (signal.kind === 'partition-released') seen.push(signal.shard);
  });
  return seen;
}

const owned = (system: ActorSystem): number[] =>
  (system.supervisors.children[0] ?? system.supervisors.supervisors[0]?.children[0])?.partitions.toSorted((a, b) => a - b) ?? [];

async function settled({ pass }: Store, system: ActorSystem): Promise<void> {
  const idle = system.idle();
  await pass('10s');
  await idle;
}

/** A second node, once each has its share. */
async function join(store: Store, options: Parameters<Store['start']>[0]): Promise<ActorSystem> {
  const joined = await store.start({ ...common, ...options });
  const share = firstValueFrom(joined.signals.pipe(filter(({ kind }) => kind === 'partition-acquired')));
  await store.pass('5s');
  if (owned(joined).length === 0) await share;
  return joined;
}

// ---- the rule ------------------------------------------------------------------------------------------------------------------------

const version = (digest: string, ...handles: string[]) => new Map([['order', { digest, handles: new Set(handles) }]]);
const old = { node: 'old', types: ['order'], build: version('a', 'command add') };
const more = Array.from({ length: 3 }, (_, i) => ({ ...old, node: `old${i}` }));
const newer = { node: 'new', types: ['order'], build: version('b', 'command add', 'command wrap') };
const silent = { node: 'silent', types: ['order'] };
const wish = (need: string, waits = true) => ({ need, waits });

test('only what nodes cannot handle alike moves a partition, and only to a node that can', (t) => {
  const nodes = [old, ...more, newer, silent];
  for (let shard = 0; shard < 64; shard += 1) {
    const usual = fairOwner('order', shard, nodes);
    t.is(fairOwner('order', shard, nodes, [wish('command wrap')]), 'new');
    t.is(fairOwner('order', shard, nodes, [wish('command wrap', false)]), 'new', 'it stays there for a while');
    t.is(fairOwner('order', shard, nodes, [wish('command nobody')]), usual);
    t.is(
      fairOwner('order', shard, [silent, ...more], [wish('command add')]),
      fairOwner('order', shard, more),
      'who says nothing of itself is asked last',
    );
    t.not(fairOwner('order', shard, nodes, [wish('command add not a')]), 'old');
    t.is(fairOwner('order', shard, nodes, [wish('command add not a,b')]), usual);
    const two = [newer, { ...newer, node: 'new2' }];
    t.is(
      fairOwner('order', shard, [...nodes, two[1] as typeof newer], [wish('command wrap')]),
      fairOwner('order', shard, two),
      'among those as ever',
    );
    // Of two builds that each know what the other does not, the one that is waited for.
    t.is(
      fairOwner('order', shard, nodes, [wish('command add not b', false), wish('command wrap', false), wish('command add not a')]),
      'new',
    );
  }
});

test('a build is told and read as it is; what is not to be read says nothing', (t) => {
  const build = version('a', 'command add', 'event gifted', 'request cancel');
  const { name, text } = recorded(build);
  t.regex(name, /^[\w-]{12}$/);
  t.deepEqual(parseBuild(text), build);
  t.not(recorded(version('a', 'command add')).name, name);
  for (const broken of ['', '7', '{"order":5}', '{"order":', '[[]]', '{"order":[5]}'])
    t.is(parseBuild(broken).get('order'), undefined, broken);
  const need = needOf({ kind: 'command', type: 'add' }, ['b', 'a', 'b']);
  t.is(need, 'command add not a,b');
  t.deepEqual(refusedBy(need), ['a', 'b']);
  t.false(meets(build.get('order'), need));
  t.true(meets(build.get('order'), needOf({ kind: 'event', type: 'gifted' })));
});

// ---- shares --------------------------------------------------------------------------------------------------------------------------

onBoth(
  'partitions move to a node that knows what waits, once; those without such messages stay where they are',
  { ...common, actors: [OldOrder] },
  async (t, store) => {
    const { system, pass } = store;
    const fresh = await join(store, { actors: [NewOrder] });
    const [before, freshBefore] = [owned(system), owned(fresh)];
    t.true(before.length > 0 && freshBefore.length > 0);
    const [left, back] = [given(system), given(fresh)];
    const shards = before.slice(0, Math.ceil(before.length / 2));
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`).filter((key) => shards.includes(shardOf(key, SHARDS)));
    for (const word of ['one', 'two', 'three']) {
      for (const key of keys.slice(0, 20)) await fresh.tell(Wrap, { key, word });
      await settled(store, fresh);
      for (const key of keys.slice(0, 20)) await fresh.tell(Add, { key, word: `and ${word}` });
      await settled(store, fresh);
    }
    await pass('1m');
    for (const key of keys.slice(0, 20))
      t.deepEqual(await fresh.state(NewOrder, key), { words: ['one', 'and one', 'two', 'and two', 'three', 'and three'] });
    t.deepEqual(
      left.toSorted((a, b) => a - b),
      shards,
    );
    t.deepEqual(back, []);
    const stayed = before.filter((shard) => !shards.includes(shard));
    t.true(owned(system).every((shard) => stayed.includes(shard)));
    if (store.clock !== undefined) t.deepEqual(owned(system), stayed);
    t.deepEqual((await fresh.deadLetters.list()).items, []);
  },
);

onBoth(
  'of two builds that each know what the other does not, each has its turn; nothing becomes a dead letter',
  { ...common, shards: 1, actors: [OldOrder] },
  async (t, store) => {
    const { system } = store;
    const other = await store.start({ ...common, shards: 1, actors: [RetiredOrder] });
    const seen = [given(system), given(other)];
    for (const word of ['one', 'two']) {
      await system.tell(Add, { key: 'a', word });
      await system.tell(Wrap, { key: 'a', word: `${word}, wrapped` });
    }
    const idle = system.idle({ timeout: '60s' });
    await store.pass('40s');
    await idle;
    t.deepEqual(await system.state(OldOrder, 'a'), { words: ['one', 'one, wrapped', 'two', 'two, wrapped'] });
    t.true(seen.flat().length <= 5, seen.flat().join(' '));
    t.deepEqual((await system.deadLetters.list()).items, []);
  },
);

// ---- what schemas refuse -------------------------------------------------------------------------------------------------------------

onBoth('data that the older schema refuses goes to the newer build', { ...common, actors: [OldOrder] }, async (t, store) => {
  const fresh = await join(store, { actors: [WideOrder] });
  for (const key of KEYS) {
    await fresh.tell(AddMany, { key, word: 'one' });
    await fresh.tell(AddMany, { key, word: ['two', 'three'] });
    await fresh.tell(AddMany, { key, word: 'four' });
  }
  await settled(store, fresh);
  for (const key of KEYS) t.deepEqual(await fresh.state(WideOrder, key), { words: ['one', 'two', 'three', 'four'] });
  t.deepEqual((await fresh.deadLetters.list()).items, []);
});

onBoth(
  'data that every build refuses is a dead letter once each has seen it',
  { ...common, shards: 1, actors: [OldOrder] },
  async (t, store) => {
    const { system, redis, pass } = store;
    const bad = async (id: string): Promise<void> => {
      await redis('XADD', '{sut:0}:order:commands', '*', 'id', id, 'type', 'add', 'subject', 'a', 'data', '{"key":"a"}');
    };
    await bad('m-1');
    await settled(store, system);
    t.deepEqual(
      (await system.deadLetters.list()).items.map(({ reason }) => reason),
      ['INVALID_DATA'],
      'at once, where there is one build',
    );
    const fresh = await store.start({ ...common, shards: 1, actors: [WideOrder] });
    await pass('3s');
    const letter = [system, fresh].map((one) => firstValueFrom(one.signals.pipe(filter(({ kind }) => kind === 'dead-letter'))));
    await bad('m-2');
    await pass('10s');
    t.like(await Promise.race(letter), { messageId: 'm-2', reason: 'INVALID_DATA' });
    await settled(store, system);
    t.is((await system.deadLetters.list()).items.length, 2);
    t.deepEqual(await redis('KEYS', '{sut:0}:order:unhandled'), []);
  },
);

onBoth('state that a newer build wrote is left to it', { ...common, actors: [StrictOrder] }, async (t, store) => {
  const { system, pass } = store;
  const fresh = await join(store, { actors: [CountingOrder] });
  for (const key of KEYS) await fresh.tell(Add, { key, word: 'one' });
  await settled(store, fresh);
  const states = await Promise.all(KEYS.map((key) => fresh.state(CountingOrder, key)));
  t.true(
    states.some((state) => (state as { count?: number } | undefined)?.count === 1),
    'some are of the newer build',
  );
  // Everything goes to the older one, which cannot read some of it; then a newer one comes.
  await fresh.stop();
  await pass('5s');
  const again = await store.start({ ...common, actors: [CountingOrder] });
  for (const key of KEYS) await again.tell(Add, { key, word: 'two' });
  await settled(store, again);
  for (const key of KEYS) t.deepEqual((await again.state(CountingOrder, key))?.words, ['one', 'two'], key);
  t.deepEqual((await system.deadLetters.list()).items, []);
});

// ---- nodes of the version before -----------------------------------------------------------------------------------------------------

onBoth(
  'a heartbeat is read by nodes that know nothing of builds, and theirs by ours',
  { ...common, actors: [OldOrder], shards: 1 },
  async (t, store) => {
    const { system, redis, pass } = store;
    const name = system.name;
    const [member = ''] = (await redis('ZRANGE', `${name}:nodes`, 0, -1)) as string[];
    const [node = '', ...types] = member.split(' '); // as they read it
    t.true(types.includes('order'));
    t.true(
      types.every((type) => type === 'order' || type.includes('=')),
      'what else it says is no actor type',
    );
    t.regex(node, /^\w+$/);
    // One of theirs, which would own all there is by its name.
    const theirs = Array.from({ length: 64 }, (_, i) => `theirs${i}`).find(
      (one) =>
        fairOwner('order', 0, [
          { node: one, types },
          { node, types },
        ]) === one,
    );
    const lost = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'partition-released')));
    await redis('ZADD', `${name}:nodes`, 4_102_444_800_000, `${theirs} order`);
    await pass('2s');
    await lost;
    t.deepEqual(owned(system), []);
    await redis('ZREM', `${name}:nodes`, `${theirs} order`);
  },
);

onBoth(
  'a node says which messages it knows, and old builds are forgotten',
  { ...common, actors: [NewOrder], shards: 1 },
  async (t, store) => {
    const { system, redis } = store;
    const { name } = system;
    const [member = ''] = (await redis('ZRANGE', `${name}:nodes`, 0, -1)) as string[];
    const build =
      member
        .split(' ')
        .find((word) => word.startsWith('build='))
        ?.slice('build='.length) ?? '';
    const text = (await redis('HGET', `${name}:system`, `build:${build}`)) as string;
    const { handles } = parseBuild(text).get('order') ?? { handles: new Set<string>() };
    t.deepEqual(
      [...handles].filter((one) => !one.startsWith('request')),
      ['command add', 'command wrap', 'event gifted', 'reply weigh'],
    );
    const link = { call: (command: string, args: readonly (string | number)[]) => redis(command, ...args) };
    for (let i = 0; i < 40; i += 1) await recordBuild(link as never, new Keys(name, 1), `b${i}`, '{}');
    const builds = ((await redis('HKEYS', `${name}:system`)) as string[]).filter((field) => field.startsWith('build:'));
    t.true(builds.length <= 33, String(builds.length));
    t.true(builds.includes(`build:${build}`), 'that of a node that lives stays');
  },
);

test('a node whose build was wiped from Redis records it again before its next heartbeat', async (t) => {
  await using sut = await startTestSystem({ actors: [NewOrder], shards: 1, lease: '5s' });
  const { clock, redis } = sut;
  const client = redis.client();
  const builds = async () => (await client.hkeys('test:system')).filter((field) => field.startsWith('build:'));
  const before = await builds();
  t.is(before.length, 1);
  await client.hdel('test:system', ...before);
  await clock.advance('2s');
  t.deepEqual(await builds(), before);
  client.disconnect();
});
