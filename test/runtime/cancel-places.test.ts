/** `cancelled` means that the message ends as cancelled, wherever it is and wherever it is going; nobody need ask again. // issue 14, A5 */
import test, { type ExecutionContext } from 'ava';
import { z } from 'zod';
import { Actor, type ActorClass, type ActorContext, type ActorSystem, actor, command, type DataOf, handles } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { derivedId } from '../../src/message/ids.js';
import { startTestSystem, VirtualClock } from '../../src/testing.js';
import { type BeforeCommit, beforeCommit } from '../support/before-commit.js';
import { type Hooks, hooked } from '../support/hooked.js';
import { Append, listActor } from '../support/shop.js';
import { type Options, onBoth, type Store } from '../support/stores.js';

const recoverability = (order: 'block' | 'park', ...delayed: '1h'[]) => [
  { name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed, order } }] },
];
const words = async (system: ActorSystem, key = 'a'): Promise<string[]> => (await system.state(listActor(), key))?.words ?? [];
const marks = ({ redis }: Store): Promise<unknown> => redis('HLEN', '{sut:0}:list:cancelled');

/** How each message ended, by id. */
function endings(system: ActorSystem): Map<string, string> {
  const ends = new Map<string, string>();
  system.results(Append, { from: 'start' }).subscribe((result) => {
    ends.set(result.messageId, result.status === 'failed' ? result.error.code : 'completed');
  });
  return ends;
}

// ---- on its way to where it rests ----------------------------------------------------------------------------------------------------

/** `bad` fails at its first attempt, after it has told the test. */
function failing(onBad: () => void): ActorClass {
  return listActor((word, ctx) => {
    if (word !== 'bad' || ctx.attempt > 1) return;
    onBad();
    throw new Error('not yet');
  });
}

interface OnItsWay {
  /** the message that is cancelled on its way */
  readonly id: string;
  /** what else is left to end, once that is known to have ended */
  readonly tidy?: () => Promise<unknown>;
}

/** Cancels a message just before the commit that moves it is sent; it must end at once, and for good. */
async function endsOnItsWay(
  t: ExecutionContext,
  given: { supervisors?: ReturnType<typeof recoverability> },
  moves: (stage: BeforeCommit, cancelNext: (id: () => string) => void, onBad: (run: () => void) => void) => Promise<OnItsWay>,
): Promise<{ lost: number }> {
  let bad: () => void = () => undefined;
  const begun = await beforeCommit({ ...given, actors: [failing(() => bad())] });
  const { system, other, clock, arm, redis, close } = begun;
  const ends = endings(other);
  let lost = 0;
  system.signals.subscribe(({ kind }) => (lost += kind === 'partition-lost' ? 1 : 0));
  let answer: string | undefined;
  const cancelNext = (id: () => string): void => arm(async () => (answer = await other.cancel(id())));
  const { id, tidy } = await moves(begun, cancelNext, (run) => (bad = run));
  await clock.advance('2s');
  t.is(answer, 'cancelled');
  t.is(ends.get(id), 'CANCELLED', 'without being asked again');
  await tidy?.();
  await clock.advance('2s');
  const raw = redis.client();
  t.deepEqual(
    await Promise.all(['cancelled', 'scheduled', 'schedule', 'aside', 'aside:a'].map((name) => raw.exists(`{sut:0}:list:${name}`))),
    [0, 0, 0, 0, 0],
    'and nothing is left of it',
  );
  raw.disconnect();
  await clock.advance('2h');
  await system.idle();
  t.deepEqual(await words(system), []);
  t.is(ends.get(id), 'CANCELLED');
  t.deepEqual((await other.deadLetters.list()).items, []);
  await close();
  return { lost };
}

test('A5: a message that is on its way to the schedule while it is looked for ends as cancelled', async (t) => {
  const { lost } = await endsOnItsWay(t, {}, async ({ system }, cancelNext) => {
    let id = '';
    cancelNext(() => id);
    id = derivedId(0, 'command:list:append', 'a', 'x');
    await system.tell(Append, { key: 'a', word: 'bad' }, { delay: '1h', idempotencyKey: 'x' });
    return { id };
  });
  t.is(lost, 0, 'and its partition goes on as it is');
});

test('A5: a message that is on its way behind a waiting key while it is looked for ends as cancelled', async (t) => {
  const { lost } = await endsOnItsWay(t, { supervisors: recoverability('block', '1h') }, async ({ system, clock, other }, cancelNext) => {
    const first = await system.tell(Append, { key: 'a', word: 'bad' });
    await clock.advance('1s');
    const id = derivedId(0, 'command:list:append', 'a', 'x');
    cancelNext(() => id);
    await system.tell(Append, { key: 'a', word: 'bad' }, { idempotencyKey: 'x' });
    return { id, tidy: () => other.cancel(first.messageId) };
  });
  t.is(lost, 0, 'and its partition goes on as it is');
});

for (const order of ['block', 'park'] as const) {
  const where = order === 'block' ? 'to a retry' : 'to being parked';
  test(`A5: a message that is on its way ${where} while it is looked for ends as cancelled`, async (t) => {
    await endsOnItsWay(
      t,
      { supervisors: recoverability(order, ...(order === 'block' ? (['1h'] as const) : [])) },
      async ({ system }, cancelNext, onBad) => {
        let id = '';
        onBad(() => cancelNext(() => id));
        ({ messageId: id } = await system.tell(Append, { key: 'a', word: 'bad' }));
        return { id };
      },
    );
  });
}

// ---- where it rests ------------------------------------------------------------------------------------------------------------------

/** `stuck` waits until it is told to stop, each time anew. */
function stage(): Options & { begun: () => Promise<void>; release: () => void } {
  let onBegun: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (onBegun = resolve));
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const List = listActor((word, ctx) => {
    if (word === 'bad' && ctx.attempt === 1) throw new Error('not yet');
    if (word !== 'slow') return undefined;
    onBegun();
    return released;
  });
  return { actors: [List], supervisors: recoverability('park'), shards: 1, begun: () => begun, release: () => release() };
}
type Staged = ReturnType<typeof stage>;

onBoth('A5: a message far behind in the list of a key that is at work ends at once', stage, async (t, store, given) => {
  const { system } = store;
  const { begun, release } = given as Staged;
  const bad = await system.tell(Append, { key: 'a', word: 'bad' });
  await system.idle(); // parked; whatever is told now goes to its list
  await system.tell(Append, { key: 'a', word: 'slow' });
  const told = await Promise.all(Array.from({ length: 150 }, (_, i) => system.tell(Append, { key: 'a', word: `w${i}` }, { track: true })));
  await system.idle();
  t.is(await system.cancel(bad.messageId), 'cancelled');
  await begun(); // a piece of the list is in memory, its first message at work
  const gone = [20, 21, 140, 149].map((i) => told[i]?.messageId ?? '');
  const other = await store.start({ actors: [], shards: 1 });
  for (const id of gone) t.is(await other.cancel(id), 'cancelled');
  for (const id of gone) await t.throwsAsync(other.attach(Append, id, { timeout: '20s' }), { code: 'CANCELLED' });
  t.is(await marks(store), 0);
  release();
  await store.pass('5s');
  await system.idle();
  const expected = told.map((_, i) => `w${i}`).filter((_, i) => ![20, 21, 140, 149].includes(i));
  t.deepEqual(await words(system), ['slow', ...expected], 'those beside them do not notice');
});

onBoth(
  'A5: a message that waits for an open breaker ends at once, from the inbox and from its list',
  () => ({
    actors: [listActor(() => Promise.reject(new Error('the line is down')))],
    supervisors: [
      {
        name: 's',
        children: [
          {
            actor: 'list',
            breaker: { failures: 2, probeEvery: '1h' },
            recoverability: { immediate: 0, delayed: ['1s', '1h'], order: 'block' },
          },
        ],
      },
    ],
    shards: 1,
  }),
  async (t, store) => {
    const { system } = store;
    const opened = new Promise<void>((resolve) => system.signals.subscribe(({ kind }) => kind === 'breaker-opened' && resolve()));
    const retried = await system.tell(Append, { key: 'c', word: 'one' }, { track: true });
    await system.tell(Append, { key: 'a', word: 'one' });
    await opened;
    const fresh = await system.tell(Append, { key: 'b', word: 'two' }, { track: true });
    await store.pass('2s');
    for (const { messageId } of [fresh, retried]) {
      t.is(await system.cancel(messageId), 'cancelled');
      await t.throwsAsync(system.attach(Append, messageId, { timeout: '20s' }), { code: 'CANCELLED' });
    }
    t.is(await marks(store), 0);
  },
);

onBoth(
  'A5: a message that was cancelled while no owner lived does not wait for those before it',
  () => {
    let onBegun: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (onBegun = resolve));
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const List = listActor((word, ctx) => {
      if (word !== 'slow') return undefined;
      if (ctx.attempt === 1) throw new Error('not yet');
      onBegun();
      return released;
    });
    const supervisors = [
      { name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['200ms' as const], order: 'block' as const } }] },
    ];
    return { actors: [List], supervisors, shards: 1, begun: () => begun, release: () => release() };
  },
  async (t, store, given) => {
    const { system, start, pass } = store;
    const { begun, release } = given as Staged;
    const waits = new Promise<void>((resolve) => system.signals.subscribe(({ kind }) => kind === 'retry-delayed' && resolve()));
    await system.tell(Append, { key: 'a', word: 'slow' });
    const { messageId } = await system.tell(Append, { key: 'a', word: 'two' }, { track: true });
    await waits;
    await system.stop();
    const other = await start({ actors: [], shards: 1 });
    t.is(await other.cancel(messageId), 'cancelled');
    const next = await start(given);
    await pass('1s');
    await begun();
    await t.throwsAsync(next.attach(Append, messageId, { timeout: '20s' }), { code: 'CANCELLED' });
    release();
    await pass('1s');
    await next.idle();
    t.deepEqual(await words(next), ['slow']);
    t.is(await marks(store), 0);
  },
);

const Note = command('note', { to: 'desk', key: (d) => d.key, data: z.object({ key: z.string() }) });
const Ship = command('ship', { to: 'desk', key: (d) => d.key, data: z.object({ key: z.string() }) });

@actor('desk')
class Desk extends Actor<{ notes: number }> {
  override initialState() {
    return { notes: 0 };
  }

  @handles(Ship)
  ship(): never {
    throw new Error('the line is down');
  }

  @handles(Note)
  note() {
    this.state.notes += 1;
  }
}

onBoth(
  'A5: behind a message that is cancelled while it waits for an open breaker the next one goes on',
  {
    actors: [Desk],
    supervisors: [
      {
        name: 's',
        children: [{ actor: 'desk', breaker: { failures: 1, probeEvery: '1h' }, recoverability: { immediate: 0, delayed: ['1h'] } }],
      },
    ],
    shards: 1,
  },
  async (t, { system, pass }) => {
    const opened = new Promise<void>((resolve) => system.signals.subscribe(({ kind }) => kind === 'breaker-opened' && resolve()));
    await system.tell(Ship, { key: 'a' });
    await opened;
    const { messageId } = await system.tell(Ship, { key: 'b' });
    const behind = await system.tell(Note, { key: 'b' }, { track: true });
    t.is(await system.cancel(messageId), 'cancelled');
    await pass('1s');
    await system.attach(Note, behind.messageId, { timeout: '20s' });
    t.deepEqual(await system.state(Desk, 'b'), { notes: 1 });
  },
);

// ---- what the answer comes from ------------------------------------------------------------------------------------------------------

onBoth(
  'A5: whoever cancels what he has cancelled himself is told so, however many results have come since',
  stage,
  async (t, store, given) => {
    const { system } = store;
    const { begun, release } = given as Staged;
    await system.tell(Append, { key: 'a', word: 'slow' });
    const { messageId } = await system.tell(Append, { key: 'a', word: 'two' });
    await begun();
    t.is(await system.cancel(messageId), 'cancelled');
    release();
    await Promise.all(Array.from({ length: 600 }, (_, i) => system.tell(Append, { key: 'b', word: String(i) })));
    await system.idle();
    t.is(await system.cancel(messageId), 'cancelled');
    t.is(await marks(store), 0);
  },
);

test('A5: a message that ends as cancelled while it is looked for is cancelled, however many results come meanwhile', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const begin = async (actors: readonly ActorClass[], hooks: Hooks, seed: number): Promise<ActorSystem> =>
    (await startTestSystem({ name: 'sut', shards: 1, actors: actors as [], redis: hooked(redis, hooks), clock, seed })).system;
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const Stuck = listActor((word, ctx) =>
    word === 'stuck' ? new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('stopped')))) : undefined,
  );
  const host = await begin([Stuck], {}, 1);
  // It has made its mark, and is about to look.
  const slow = await begin([], { before: (name) => (name === 'XRANGE' ? held : undefined) }, 2);
  const { messageId } = await host.tell(Append, { key: 'a', word: 'stuck' });
  await clock.settle();
  const answer = slow.cancel(messageId);
  await clock.settle();
  t.is(await host.cancel(messageId), 'cancelled');
  await Promise.all(Array.from({ length: 600 }, (_, i) => host.tell(Append, { key: 'b', word: String(i) })));
  await host.idle();
  release();
  t.is(await answer, 'cancelled');
  await Promise.all([slow, host].map((system) => system.stop({ grace: 0 })));
  await redis.close();
});

// ---- types that nobody hosts, and two who cancel ---------------------------------------------------------------------------------------

const Forward = command('forward', { to: 'forwarder', key: (d) => d.key, data: z.object({ key: z.string(), delay: z.number() }) });

/** Tells the list actor, which nobody may host, and says under which id. */
function forwarder(ids: string[]): ActorClass {
  @actor('forwarder')
  class Forwarder extends Actor {
    @handles(Forward)
    forward({ key, delay }: DataOf<typeof Forward>, ctx: ActorContext) {
      ids.push(ctx.tell(Append, { key, word: 'forwarded' }, delay === 0 ? {} : { delay }));
    }
  }
  return Forwarder;
}

for (const delay of [0, 3_600_000]) {
  const what = delay === 0 ? 'waits for' : 'is scheduled for';
  onBoth(
    `A5: a message that ${what} an actor type that nobody has hosted yet is cancelled`,
    { actors: [], shards: 1 },
    async (t, store) => {
      const { system, start, pass } = store;
      const options = delay === 0 ? {} : { delay };
      const told = await system.tell(Append, { key: 'a', word: 'told' }, options);
      const kept = await system.tell(Append, { key: 'b', word: 'kept' });
      const ids: string[] = [];
      const sender = await start({ actors: [forwarder(ids)], shards: 1 });
      await system.tell(Forward, { key: 'a', delay });
      await sender.idle();
      const answers = [];
      for (const id of [told.messageId, ...ids, '0.nobody']) answers.push(await system.cancel(id));
      t.deepEqual(answers, ['cancelled', 'cancelled', 'too-late']);
      const host = await start({ actors: [listActor()], shards: 1 });
      await host.idle();
      t.deepEqual(await words(host, 'b'), ['kept']);
      t.is(await marks(store), 0);
      t.is(await store.redis('ZCARD', '{sut:0}:list:schedule'), 0);
      for (const id of [told.messageId, ...ids]) t.is(await host.cancel(id), 'cancelled', 'as its record says');
      t.is(await host.cancel(kept.messageId), 'too-late');
      await pass('2h');
      t.deepEqual(await words(host), []);
    },
  );
}

onBoth(
  'A5: what only an actor has sent to a type that nobody has hosted yet is cancelled',
  () => ({ actors: [], shards: 1 }),
  async (t, { system, start }) => {
    const ids: string[] = [];
    const sender = await start({ actors: [forwarder(ids)], shards: 1 });
    await system.tell(Forward, { key: 'a', delay: 0 });
    await sender.idle();
    t.deepEqual(await Promise.all(ids.map((id) => system.cancel(id))), ['cancelled']);
    const host = await start({ actors: [listActor()], shards: 1 });
    await host.idle();
    t.deepEqual(await words(host), []);
  },
);

test('A5: of two who cancel a message at the moment it is sent, the one who finds it is told the truth', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  let seeds = 0;
  const begin = async (hooks: Hooks, actors: readonly ActorClass[]): Promise<ActorSystem> => {
    seeds += 1;
    return (await startTestSystem({ name: 'sut', shards: 1, actors: actors as [], redis: hooked(redis, hooks), clock, seed: seeds }))
      .system;
  };
  await (await begin({}, [listActor()])).stop(); // the actor type is known, and no owner lives
  let onLooked: () => void = () => undefined;
  const looked = new Promise<void>((resolve) => (onLooked = resolve));
  let goOn: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  let scripts = 0;
  const early = await begin(
    {
      // It has marked the message and looked everywhere, and takes its mark away.
      before: (name, connection) => {
        if (name !== 'EVALSHA' || connection !== 'control' || ++scripts < 2) return undefined;
        onLooked();
        return held;
      },
    },
    [],
  );
  const late = await begin({}, []);
  const messageId = derivedId(0, 'command:list:append', 'a', 'x');
  const tooEarly = early.cancel(messageId);
  await looked;
  const told = await late.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'x' });
  t.is(told.messageId, messageId);
  t.is(await late.cancel(messageId), 'cancelled');
  goOn();
  t.is(await tooEarly, 'too-late', 'there was no such message when it looked');
  const host = await begin({}, [listActor()]);
  await host.idle();
  t.deepEqual(await words(host), []);
  await t.throwsAsync(host.attach(Append, messageId), { code: 'CANCELLED' });
  await Promise.all([early, late, host].map((system) => system.stop({ grace: 0 })));
  await redis.close();
});

test('A5: the last one who takes his wish back takes the mark away', async (t) => {
  const { system, other, redis, close } = await beforeCommit();
  const raw = redis.client();
  const messageId = derivedId(0, 'command:list:append', 'a', 'x');
  t.deepEqual(await Promise.all([system, other, system].map((one) => one.cancel(messageId))), ['too-late', 'too-late', 'too-late']);
  t.is(await raw.hlen('{sut:0}:list:cancelled'), 0);
  await system.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'x' });
  t.deepEqual(await system.attach(Append, messageId), { length: 1 });
  raw.disconnect();
  await close();
});
