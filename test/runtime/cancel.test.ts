/** Cancelling a command: of completed and cancelled exactly one happens, and whoever asked learns which. */
import test from 'ava';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import { type ActorSystem, InvalidValueError, type ResultMessage } from '../../src/index.js';
import { startTestSystem } from '../../src/testing.js';
import { beforeCommit } from '../support/before-commit.js';
import { Append, listActor } from '../support/shop.js';
import { type Options, onBoth, type Store } from '../support/stores.js';

const policy = [
  { name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['20s' as const], order: 'block' as const } }] },
];

const parking = [{ name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: [], order: 'park' as const } }] }];

/** `slow` waits until it is aborted or released; `bad` fails once. */
function stage(): Options & { aborted: string[]; begun: () => Promise<void>; release: () => void } {
  const aborted: string[] = [];
  let onBegun: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (onBegun = resolve));
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const List = listActor((word, ctx) => {
    if (word === 'bad' && ctx.attempt === 1) throw new Error('not yet');
    if (word !== 'slow') return undefined;
    onBegun();
    return new Promise((resolve, reject) => {
      released.then(resolve, reject);
      ctx.signal.addEventListener('abort', () => {
        aborted.push((ctx.signal.reason as { code: string }).code);
        reject(new Error('stopped'));
      });
    });
  });
  return { actors: [List], supervisors: policy, shards: 1, aborted, begun: () => begun, release: () => release() };
}
type Staged = ReturnType<typeof stage>;

const client = ({ start }: Store): Promise<ActorSystem> => start({ actors: [], shards: 1 });
const words = async (system: ActorSystem, key = 'a'): Promise<string[]> => (await system.state(listActor(), key))?.words ?? [];
const marks = ({ redis }: Store): Promise<unknown> => redis('HLEN', '{sut:0}:list:cancelled');

async function ended({ pass }: Store, system: ActorSystem, messageId: string): Promise<string> {
  const attached = system.attach(Append, messageId).then(
    () => 'completed',
    (error: { code: string }) => error.code,
  );
  await pass('5s');
  return attached;
}

onBoth('a message that has not begun never begins; those beside it do not notice', stage, async (t, store, given) => {
  const { system } = store;
  const { begun, release } = given as Staged;
  await system.tell(Append, { key: 'a', word: 'slow' });
  const { messageId } = await system.tell(Append, { key: 'a', word: 'two' }, { track: true });
  await system.tell(Append, { key: 'a', word: 'three' });
  await begun();
  const other = await client(store);
  t.is(await other.cancel(messageId), 'cancelled');
  release();
  t.is(await ended(store, other, messageId), 'CANCELLED');
  await system.idle();
  t.deepEqual(await words(system), ['slow', 'three']);
  t.is(await marks(store), 0);
  t.is(await other.cancel(messageId), 'cancelled', 'whoever asks again learns the same');
});

onBoth('a running handler is told to stop, and what it did is not committed', stage, async (t, store, given) => {
  const { system } = store;
  const { begun, aborted } = given as Staged;
  const { messageId } = await system.tell(Append, { key: 'a', word: 'slow' });
  const result = firstValueFrom(system.results(Append, { from: 'start' }));
  await system.tell(Append, { key: 'a', word: 'next' });
  await begun();
  t.is(await system.cancel(messageId), 'cancelled');
  await store.pass('1s');
  const { status, ...rest } = await result;
  t.like({ status, ...rest }, { status: 'failed', messageId, error: { code: 'CANCELLED' } });
  await system.idle();
  t.deepEqual(aborted, ['CANCELLED']);
  t.deepEqual(await words(system), ['next']);
});

onBoth('what is settled, and what nobody knows, is too late; it leaves no mark', stage, async (t, store) => {
  const { system } = store;
  const tracked = await system.tell(Append, { key: 'a', word: 'one' }, { track: true });
  const plain = await system.tell(Append, { key: 'a', word: 'two' });
  await system.idle();
  const other = await client(store);
  for (const { messageId } of [tracked, plain]) t.is(await other.cancel(messageId), 'too-late');
  t.is(await other.cancel('0.0198c2'), 'too-late');
  t.is(await marks(store), 0);
  await t.throwsAsync(other.cancel('order-12005'), { instanceOf: InvalidValueError, code: 'INVALID_ID' });
  await t.throwsAsync(other.cancel('7.0198c2'), { code: 'INVALID_ID' });
  await system.idle();
  t.deepEqual(await words(system), ['one', 'two']);
});

onBoth(
  'a parked message that is cancelled after somebody has asked to put it away ends as cancelled',
  () => ({ ...stage(), supervisors: parking }),
  async (t, store, given) => {
    const { system, start } = store;
    const { messageId } = await system.tell(Append, { key: 'a', word: 'bad' }, { track: true });
    await system.idle();
    await system.stop();
    const other = await client(store);
    t.is(await other.deadLetters.discard({ actor: 'list' }), 1);
    t.is(await other.cancel(messageId), 'cancelled');
    const next = await start(given);
    t.is(await ended(store, next, messageId), 'CANCELLED');
    await next.idle();
    t.is(await marks(store), 0);
    t.deepEqual((await other.deadLetters.list()).items, []);
  },
);

onBoth('whoever cancels again what has ended as cancelled learns the same, and leaves no mark', stage, async (t, store, given) => {
  const { system } = store;
  const { begun, release } = given as Staged;
  await system.tell(Append, { key: 'a', word: 'slow' });
  const { messageId } = await system.tell(Append, { key: 'a', word: 'two' }); // no outcome is recorded
  await begun();
  t.is(await system.cancel(messageId), 'cancelled');
  release();
  await system.idle();
  t.is(await marks(store), 0);
  const other = await client(store);
  t.is(await other.cancel(messageId), 'cancelled');
  t.is(await marks(store), 0);
});

onBoth(
  'what waits behind a parked message, and the parked message itself, are taken out of the way at once',
  () => ({
    ...stage(),
    supervisors: parking,
  }),
  async (t, store) => {
    const { system } = store;
    const bad = await system.tell(Append, { key: 'a', word: 'bad' }, { track: true });
    const two = await system.tell(Append, { key: 'a', word: 'two' });
    await system.tell(Append, { key: 'a', word: 'three' });
    await system.idle();
    const results = firstValueFrom(system.results(Append, { from: 'start' }).pipe(take(3), toArray()));
    const other = await client(store);
    t.is(await other.cancel(two.messageId), 'cancelled');
    await system.idle();
    t.is(await marks(store), 0);
    t.is((await system.deadLetters.list()).items.length, 1);
    t.is(await other.cancel(bad.messageId), 'cancelled');
    t.is(await ended(store, other, bad.messageId), 'CANCELLED');
    await system.idle();
    t.deepEqual(await words(system), ['three']);
    t.deepEqual((await system.deadLetters.list()).items, [], 'its letter points to nothing, and is gone');
    t.deepEqual(
      (await results).map((result) => [result.messageId === two.messageId, result.status === 'failed' && result.error.code]),
      [
        [true, 'CANCELLED'],
        [false, 'CANCELLED'],
        [false, false],
      ],
    );
    t.is(await marks(store), 0);
    t.is(await other.cancel(two.messageId), 'cancelled');
  },
);

onBoth('what waits for a retry, and what is scheduled, is cancelled at once, long before its time', stage, async (t, store) => {
  const { system } = store;
  const delayed = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'retry-delayed')));
  const later = await system.tell(Append, { key: 'b', word: 'later' }, { delay: '1h', track: true });
  const soon = await system.tell(Append, { key: 'b', word: 'soon' }, { delay: '2s', track: true });
  const bad = await system.tell(Append, { key: 'a', word: 'bad' }, { track: true });
  await system.tell(Append, { key: 'a', word: 'behind' });
  await delayed;
  const other = await client(store);
  t.is(await other.cancel(later.messageId), 'cancelled');
  t.is(await system.cancel(bad.messageId), 'cancelled');
  t.is(await ended(store, other, later.messageId), 'CANCELLED');
  t.is(await ended(store, system, bad.messageId), 'CANCELLED');
  t.is(await marks(store), 0);
  t.is(await system.cancel(later.messageId), 'cancelled', 'whoever asks again learns the same');
  t.is(await ended(store, system, soon.messageId), 'completed', 'what is scheduled beside it does not notice');
  t.deepEqual([await words(system, 'a'), await words(system, 'b')], [['behind'], ['soon']]);
  await store.pass('2h');
  await system.idle();
  t.deepEqual(await words(system, 'b'), ['soon']);
  t.is(await store.redis('HLEN', '{sut:0}:list:scheduled'), 0);
});

onBoth('what is cancelled in the turn in which it becomes due ends once', stage, async (t, store) => {
  const { system } = store;
  const results = firstValueFrom(system.results(Append).pipe(take(31), toArray()));
  const told = await Promise.all(
    Array.from({ length: 30 }, (_, i) => system.tell(Append, { key: `k${i}`, word: 'due' }, { delay: 300 + (i % 3), track: true })),
  );
  const other = await client(store);
  const asked = Promise.all(told.map(({ messageId }, i) => (i % 2 === 0 ? other : system).cancel(messageId)));
  await store.pass('300ms');
  const answers = await asked;
  await store.pass('5s');
  await system.idle();
  await system.tell(Append, { key: 'z', word: 'last' });
  const ends = new Map<string, string>();
  for (const one of await results) {
    t.false(ends.has(one.messageId), 'one result a message');
    ends.set(one.messageId, one.status === 'failed' ? one.error.code : 'too-late');
  }
  t.deepEqual(
    told.map(({ messageId }) => ends.get(messageId)?.toLowerCase()),
    answers,
  );
  t.is(await marks(store), 0);
});

onBoth('what is cancelled while no owner lives is cancelled by the next one', stage, async (t, store) => {
  const { system, start } = store;
  await system.stop();
  const other = await client(store);
  const { messageId } = await other.tell(Append, { key: 'a', word: 'one' }, { track: true });
  await other.tell(Append, { key: 'a', word: 'two' });
  t.is(await other.cancel(messageId), 'cancelled');
  const next = await start({ actors: [listActor()], shards: 1 });
  t.is(await ended(store, next, messageId), 'CANCELLED');
  await next.idle();
  t.deepEqual(await words(next), ['two']);
});

onBoth(
  'under load each message ends once, and the answer is what happened',
  () => ({ actors: [listActor()], shards: 1 }),
  async (t, store) => {
    const { system } = store;
    const other = await client(store);
    const count = 200;
    const results = firstValueFrom(system.results(Append).pipe(take(count), toArray()));
    const lost: string[] = [];
    system.signals.subscribe((signal) => signal.kind === 'partition-lost' && lost.push(signal.reason));
    const answers = new Map<string, string>();
    const told = Array.from({ length: count }, async (_, i) => {
      const { messageId } = await system.tell(Append, { key: `k${i % 7}`, word: `w${i}` }, { track: i % 2 === 0 });
      if (i % 3 === 0) answers.set(messageId, await other.cancel(messageId));
      return [messageId, `w${i}`, `k${i % 7}`] as const;
    });
    const sent = await Promise.all(told);
    await store.pass('30s');
    await system.idle();
    const ends = new Map((await results).map((result: ResultMessage<typeof Append>) => [result.messageId, result]));
    t.is(ends.size, count);
    for (const [messageId, word, key] of sent) {
      const result = ends.get(messageId);
      const cancelled = result?.status === 'failed' && result.error.code === 'CANCELLED';
      t.is((await words(system, key)).includes(word), !cancelled, word);
      if (answers.has(messageId)) t.is(answers.get(messageId), cancelled ? 'cancelled' : 'too-late', word);
      else t.false(cancelled);
    }
    t.is(await marks(store), 0);
    for (const reason of lost) t.is(reason, 'changed');
  },
);

test('a mark that whoever cancelled left behind is swept once it is old; one whose message waits stays', async (t) => {
  const given = stage();
  const { system, clock, redis, stop } = await startTestSystem({
    name: 'sut',
    shards: 1,
    actors: given.actors as [],
    supervisors: [{ name: 's', children: [{ actor: 'list', attemptTimeout: '5h', prefetch: 1 }] }], // the next message stays in the log
  });
  const raw = redis.client();
  const marked = (): Promise<string[]> => raw.hkeys('{sut:0}:list:cancelled');
  await system.tell(Append, { key: 'a', word: 'slow' });
  const waits = await system.tell(Append, { key: 'a', word: 'two' }, { track: true });
  t.is(await system.cancel(waits.messageId), 'cancelled');
  // Another process marked a message of another type, and ended before it found it there.
  await raw.hset('{sut:0}:list:cancelled', '0.elsewhere', new Date(clock.now()).toISOString());
  await raw.hincrby('{sut:0}:list:partition', 'cancels', 1);
  await clock.advance('30m');
  t.deepEqual((await marked()).sort(), ['0.elsewhere', waits.messageId].sort(), 'whoever made it may still look');
  await clock.advance('2h');
  t.deepEqual(await marked(), [waits.messageId]);
  given.release();
  await t.throwsAsync(system.attach(Append, waits.messageId), { code: 'CANCELLED' });
  await system.idle();
  t.deepEqual(await marked(), []);
  t.deepEqual(await words(system), ['slow']);
  raw.disconnect();
  await stop();
});

onBoth('a cancel that was too late says nothing about the same message told anew', stage, async (t, store) => {
  const { system, redis } = store;
  const { messageId } = await system.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'x' });
  t.is(await ended(store, system, messageId), 'completed');
  await redis('DEL', `{sut:0}:outcome:${messageId}`); // its time is over
  t.is(await system.cancel(messageId), 'too-late');
  await system.idle();
  await system.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'x' });
  t.is(await ended(store, system, messageId), 'completed');
});

test('a mark made when the handler has finished and its commit is on its way still counts', async (t) => {
  const { system, clock, arm, close } = await beforeCommit();
  const sent = await system.tell(Append, { key: 'b', word: 'warm' });
  t.truthy(sent);
  await clock.settle();
  let id = '';
  let answer = '';
  const done = new Promise<void>((resolve) => {
    arm(async (other) => {
      answer = await other.cancel(id);
      resolve();
    });
  });
  const told = system.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'x' });
  ({ messageId: id } = await told);
  const attached = t.throwsAsync(system.attach(Append, id), { code: 'CANCELLED' });
  await clock.advance('5s');
  await done;
  await attached;
  t.is(answer, 'cancelled');
  t.deepEqual(await words(system), []);
  await close();
});

test('a mark for somebody else does not cost a commit that it overtook', async (t) => {
  const { system, clock, arm, close } = await beforeCommit();
  const { messageId } = await system.tell(Append, { key: 'b', word: 'later' }, { delay: '1m' });
  await clock.settle();
  const lost: string[] = [];
  system.signals.subscribe(({ kind }) => kind === 'partition-lost' && lost.push(kind));
  arm((other) => other.cancel(messageId));
  const asked = system.ask(Append, { key: 'a', word: 'one' });
  await clock.advance('1s');
  t.deepEqual(await asked, { length: 1 });
  t.deepEqual(lost, []);
  await clock.advance('2m');
  t.deepEqual(await words(system, 'b'), []);
  await close();
});

test('a message that becomes due while its owner takes it out of the schedule ends once', async (t) => {
  const { system, clock, hooks, close } = await beforeCommit();
  const { messageId } = await system.tell(Append, { key: 'a', word: 'later' }, { delay: '1s', track: true });
  await clock.settle();
  const ends: string[] = [];
  system.results(Append).subscribe((result) => ends.push(`${result.messageId === messageId} ${result.status}`));
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let reads = 0; // the count of marks comes first, then what is scheduled
  hooks.after = (command, connection) => (command === 'HGET' && connection === 'control' && ++reads > 1 ? held : undefined);
  t.is(await system.cancel(messageId), 'cancelled');
  await clock.advance('5s');
  t.deepEqual(ends, [], 'its owner still reads');
  release();
  await clock.advance('5s');
  await system.idle();
  t.deepEqual(ends, ['true failed']);
  t.is(await system.state(listActor(), 'a'), undefined);
  await close();
});
