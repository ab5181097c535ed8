/** Interleavings that are rare by nature, made certain: each of these once lost, doubled or delayed something. */
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import type { ActorClass, ActorSystem } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { startTestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { type Hooks, hooked, turns } from '../support/hooked.js';
import { Append, Appended, countActor, listActor } from '../support/shop.js';

const supervisors = [{ name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['500ms' as const] } }] }];

function stage(hooks: Hooks = {}) {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const raw = redis.client();
  const kill = async (purpose: string): Promise<void> => {
    for (const line of String(await raw.call('CLIENT', 'LIST')).split('\n')) {
      if (line.includes(`name=errand:sut:${purpose}`)) await raw.call('CLIENT', 'KILL', 'ID', /\bid=(\d+)/.exec(line)?.[1] ?? '');
    }
  };
  const through = hooked(redis, hooks);
  let seed = 0;
  const start = async (actors: readonly ActorClass[], options: Omit<TestSystemOptions, 'redis'> = {}): Promise<ActorSystem> => {
    seed += 1;
    const given = { name: 'sut', shards: 1, ...options, actors, redis: through, clock, seed };
    return (await startTestSystem(given as TestSystemOptions & { actors: [] })).system;
  };
  const close = async (...systems: readonly ActorSystem[]): Promise<void> => {
    for (const system of systems) await system.stop({ grace: 0 });
    raw.disconnect();
    await redis.close();
  };
  const steal = (shard: number, ms: number): Promise<unknown> =>
    raw.call('HSET', `{sut:${shard}}:list:partition`, 'nonce', 'thief', 'node', 'thief', 'until', clock.now() + ms);
  return { clock, start, raw, kill, steal, close };
}

test('a scheduled message goes back into the inbox once, also when its key is looked at again meanwhile', async (t) => {
  const hooks: Hooks = {};
  const { clock, start, close } = stage(hooks);
  const List = listActor((word, ctx) => {
    if (word === 'flaky' && ctx.attempt === 1) throw new Error('not yet');
  });
  const system = await start([List], { supervisors });
  await system.tell(Append, { key: 'a', word: 'later' }, { delay: '50ms' });
  await clock.settle();
  let times = 0;
  hooks.after = (command) => {
    if (command !== 'HMGET') return undefined;
    times += 1;
    // While the due messages are being read, another key begins to wait, and the alarm is set anew.
    return times > 1 ? undefined : system.tell(Append, { key: 'b', word: 'flaky' }).then(() => turns(40));
  };
  await clock.advance('50ms');
  await clock.advance('1s');
  await system.idle();
  t.deepEqual(await system.state(List, 'a'), { words: ['later'] });
  t.deepEqual(await system.state(List, 'b'), { words: ['flaky'] });
  await close(system);
});

for (const pipelined of [false, true]) {
  const what = pipelined ? "a pipelined key's next message does not wait" : "a key's next message waits";
  test(`${what} for the commit of the one before it; another key's does not`, async (t) => {
    const hooks: Hooks = {};
    const { clock, start, close } = stage(hooks);
    const begun: string[] = [];
    const system = await start([listActor((word) => void begun.push(word), { pipelined })]);
    await system.ask(Append, { key: 'a', word: 'first' }); // its state is in memory
    await system.ask(Append, { key: 'b', word: 'first' });
    await system.idle();
    begun.length = 0;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    hooks.before = (command, connection) => (command === 'EVALSHA' && connection === 'control' ? held : undefined);
    await Promise.all(['a', 'a', 'b'].map((key, i) => system.tell(Append, { key, word: `${key}${i}` })));
    await clock.settle();
    t.deepEqual([...begun].sort(), pipelined ? ['a0', 'a1', 'b2'] : ['a0', 'b2']);
    release();
    await clock.settle();
    await system.idle();
    t.deepEqual([...begun].sort(), ['a0', 'a1', 'b2']);
    await close(system);
  });
}

test('a node that was cut off takes its partitions back as soon as it is connected again', async (t) => {
  const hooks: Hooks = {};
  const { clock, start, kill, close } = stage(hooks);
  const system = await start([listActor()], { lease: '60s' });
  await system.ask(Append, { key: 'a', word: 'one' });
  hooks.refuses = () => true;
  await kill('control');
  await clock.advance('3s');
  hooks.refuses = () => false;
  const asked = system.ask(Append, { key: 'a', word: 'two' });
  await clock.advance('3s');
  t.deepEqual(await Promise.race([asked, turns(5)]), { length: 2 });
  await close(system);
});

test('each partition that others hold is asked for when its own lease ends', async (t) => {
  const { clock, start, steal, close } = stage();
  const system = await start([listActor()], { shards: 2, lease: '60s' });
  const acquired: number[] = [];
  const lost = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'partition-lost')));
  system.signals.subscribe((signal) => signal.kind === 'partition-acquired' && acquired.push(signal.shard));
  await steal(0, 2_000);
  await steal(1, 15_000);
  await Promise.all(['a', 'b', 'c', 'd'].map((key) => system.tell(Append, { key, word: 'x' })));
  await lost;
  await clock.advance('2500ms');
  t.deepEqual(acquired, [0]);
  await clock.advance('13s');
  t.deepEqual(acquired, [0, 1]);
  await close(system);
});

test('a node that is stopped while it is not the owner, but was, leaves nothing for others to wait for', async (t) => {
  const { clock, start, kill, close } = stage();
  const system = await start([listActor()], { lease: '60s' });
  await system.ask(Append, { key: 'a', word: 'one' });
  const stopped = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'connected'))).then(() => system.stop());
  await kill('control');
  await clock.advance('1s');
  await stopped;
  const next = await start([listActor()], { lease: '60s' });
  t.deepEqual(await Promise.race([next.ask(Append, { key: 'a', word: 'two' }), turns(200)]), { length: 2 });
  await close(next);
});

test('a node that is stopped while it renews does not live on in the list of nodes', async (t) => {
  const hooks: Hooks = {};
  const { clock, start, raw, close } = stage(hooks);
  const system = await start([listActor()], { lease: '3s' });
  let stopping: Promise<void> | undefined;
  let removed = (): void => undefined;
  hooks.before = (command) => {
    if (command === 'ZREM') removed();
    if (command !== 'ZADD' || stopping !== undefined) return undefined;
    // The heartbeat is sent just after the node has taken itself off the list; or never.
    stopping = system.stop();
    return Promise.race([turns(200), new Promise<void>((resolve) => (removed = resolve))]);
  };
  await clock.advance('1s');
  t.not(stopping, undefined);
  await stopping;
  t.is(await raw.call('ZCARD', 'sut:nodes'), 0);
  await close();
});

test('a subscriber whose cursor was wiped takes in what there is, from the start', async (t) => {
  const { clock, start, raw, close } = stage();
  const system = await start([countActor()]);
  await system.publish(Appended, { key: 'a', word: 'one' });
  await system.idle();
  await raw.call('DEL', '{sut:0}:count:partition', '{sut:0}:event:appended', '{sut:0}:count:state:all');
  await system.publish(Appended, { key: 'a', word: 'two' });
  await clock.advance('30s');
  t.deepEqual(await system.state(countActor(), 'all'), { words: ['two'] });
  await close(system);
});

test('an entry with more fields than one script can pass on is refused, and the stream goes on', async (t) => {
  const { clock, start, raw, close } = stage();
  const system = await start([listActor(), countActor()]);
  const many = Array.from({ length: 8_000 }, (_, i) => `x${i}`);
  const data = JSON.stringify({ key: 'a', word: 'big' });
  const due = new Date(clock.now() + 1_000).toISOString();
  await raw.call('XADD', '{sut:0}:event:appended', '*', 'id', 'm-1', 'type', 'appended', 'subject', 'a', 'data', data, ...many);
  await raw.call(
    'XADD',
    '{sut:0}:list:commands',
    '*',
    'id',
    'm-2',
    'type',
    'append',
    'subject',
    'a',
    'data',
    data,
    'duetime',
    due,
    ...many,
  );
  await system.tell(Append, { key: 'a', word: 'next' });
  await clock.advance('5s');
  await system.idle();
  t.deepEqual(await system.state(listActor(), 'a'), { words: ['next'] });
  t.deepEqual(await system.state(countActor(), 'all'), { words: ['next'] });
  t.deepEqual(
    (await system.deadLetters.list()).items.map(({ actor, reason }) => [actor, reason]),
    [
      ['count', 'ENTRY_TOO_LARGE'],
      ['list', 'ENTRY_TOO_LARGE'],
    ],
  );
  await close(system);
});

test('a full Redis is drained also by a node that has lost its connection, or is new', async (t) => {
  const hooks: Hooks = {};
  const { clock, start, raw, kill, close } = stage(hooks);
  const client = await start([]);
  const first = await start([listActor(), countActor()]);
  await first.idle();
  hooks.refuses = (purpose) => purpose === 'control';
  await kill('control');
  await clock.advance('1s');
  await client.tell(Append, { key: 'a', word: 'one' });
  await raw.call('CONFIG', 'SET', 'maxmemory', '1');
  hooks.refuses = () => false;
  await clock.advance('30s');
  t.is(await raw.call('XLEN', '{sut:0}:list:commands'), 0);
  await first.stop();
  const second = await start([listActor(), countActor()]);
  t.deepEqual(await second.state(listActor(), 'a'), { words: ['one'] });
  await raw.call('CONFIG', 'SET', 'maxmemory', '0');
  await close(client, second);
});

test('idle waits for what this node works at, also when its heartbeat has lapsed', async (t) => {
  const { clock, start, raw, close } = stage();
  const List = listActor((_word, ctx) => {
    if (ctx.attempt === 1) throw new Error('not yet');
  });
  const system = await start([List], { supervisors });
  await system.tell(Append, { key: 'a', word: 'one' });
  await clock.settle();
  await raw.call('DEL', 'sut:nodes');
  let over = false;
  const idle = system.idle().then(() => {
    over = true;
  });
  await clock.settle();
  t.false(over);
  await clock.advance('2s');
  await idle;
  t.deepEqual(await system.state(List, 'a'), { words: ['one'] });
  await close(system);
});

test('idle does not miss what is settled while it looks', async (t) => {
  const hooks: Hooks = {};
  const { clock, start, close } = stage(hooks);
  const system = await start([listActor()]);
  await clock.settle();
  let told: Promise<unknown> | undefined;
  hooks.before = (command) => {
    if (command !== 'ZRANGE' || told !== undefined) return undefined;
    told = system.tell(Append, { key: 'a', word: 'one' });
    return told.then(() => undefined);
  };
  // It was seen in the inbox; before that is known, it is settled.
  hooks.afterPipeline = () => turns(60);
  t.is(await Promise.race([system.idle().then(() => 'idle'), turns(400)]), 'idle');
  t.not(told, undefined);
  await close(system);
});

test('idle waits for a connection that is lost', async (t) => {
  const { clock, start, kill, close } = stage();
  const system = await start([listActor()]);
  await system.ask(Append, { key: 'a', word: 'one' });
  const down = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'disconnected')));
  await kill('control');
  await down;
  const idle = system.idle().then(
    () => 'idle',
    (error: unknown) => String(error),
  );
  await clock.advance('3s');
  t.is(await Promise.race([idle, turns(50)]), 'idle');
  await close(system);
});

test('ask does without wake-ups when their connection cannot be made', async (t) => {
  const { start, close } = stage({ refuses: (purpose) => purpose === 'wake' });
  const system = await start([listActor()]);
  t.deepEqual(await system.ask(Append, { key: 'a', word: 'one' }), { length: 1 });
  await close(system);
});

test('what is told before stop is sent before the end', async (t) => {
  const { start, raw, close } = stage();
  const system = await start([]);
  const told = Array.from({ length: 3_000 }, (_, i) => system.tell(Append, { key: `k${i}`, word: 'one' }));
  const all = Promise.allSettled(told);
  await system.stop();
  t.is((await all).filter(({ status }) => status === 'rejected').length, 0);
  t.is(await raw.call('XLEN', '{sut:0}:list:commands'), 3_000);
  await close();
});

test('observers share one connection, and one that begins while Redis is away waits for it', async (t) => {
  const { clock, start, raw, kill, close } = stage();
  const system = await start([listActor()]);
  const down = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'disconnected')));
  await kill('control');
  await down;
  const first = firstValueFrom(system.results(Append));
  await clock.advance('1s');
  const seen = firstValueFrom(system.results(Append));
  await system.ask(Append, { key: 'a', word: 'one' });
  await Promise.all([first, seen]);
  t.is(String(await raw.call('CLIENT', 'LIST')).split('name=errand:sut:observe').length, 2);
  await close(system);
});

test('a state is kept for a time that is no whole number of milliseconds', async (t) => {
  const { start, raw, close } = stage();
  const children = [{ actor: 'list', state: { keepFor: '1500.5ms' as const } }];
  const system = await start([listActor()], { supervisors: [{ name: 's', children }] });
  const asked = system.ask(Append, { key: 'a', word: 'one' });
  t.deepEqual(await Promise.race([asked, turns(100)]), { length: 1 });
  t.is(await raw.call('PTTL', '{sut:0}:list:state:a'), 1_501);
  await close(system);
});

test('a read under way is called back for a new source, also when the connection for that is lost', async (t) => {
  const hooks: Hooks = {};
  const { clock, start, kill, close } = stage(hooks);
  const system = await start([listActor()]);
  const client = await start([]);
  await system.ask(Append, { key: 'a', word: 'one' });
  client.events(Appended).subscribe();
  await clock.settle();
  let lost = false;
  hooks.before = (command) => {
    if (command !== 'CLIENT' || lost) return undefined;
    lost = true;
    return kill('control').then(() => turns(5));
  };
  const seen = firstValueFrom(client.results(Append, { from: 'start' }));
  await clock.advance('3s');
  t.true(lost);
  t.like(await Promise.race([seen, turns(50)]), { status: 'completed' });
  await close(system, client);
});

test('what is published on the channel of wake-ups by others is nobody’s', async (t) => {
  const { start, raw, close } = stage();
  const system = await start([listActor()]);
  await system.ask(Append, { key: 'a', word: 'one' });
  const [channel] = (await raw.call('PUBSUB', 'CHANNELS', 'sut:wake:*')) as string[];
  t.is(await raw.call('PUBLISH', channel ?? '', 'no wake-up at all'), 1);
  t.deepEqual(await system.ask(Append, { key: 'a', word: 'two' }), { length: 2 });
  await close(system);
});
