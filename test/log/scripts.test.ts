import test, { type ExecutionContext } from 'ava';
import { Appender } from '../../src/log/appender.js';
import { CommitBatch, commit } from '../../src/log/commit.js';
import { Link, openStore } from '../../src/log/connection.js';
import { Keys } from '../../src/log/keys.js';
import { acquire, release, renew } from '../../src/log/lease.js';
import { loadScripts, runScript } from '../../src/log/scripts.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { type Clock, systemClock } from '../../src/message/clock.js';
import { seededRandom } from '../../src/message/random.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';
import { type RunningRedis, redisServerOnPath, startRedisServer } from '../support/redis-server.js';

/** The five scripts themselves, on both stores. */

const keys = new Keys('s', 4);
const random = seededRandom(7);
const partition = { type: 'list', shard: 1 };
const inbox = keys.inbox('list', 1);

interface Bench {
  readonly link: Link;
  readonly clock: Clock;
  readonly advance: (ms: number) => Promise<void>;
}

let server: Promise<RunningRedis> | undefined;
const real = redisServerOnPath();
test.before(() => {
  if (real) server = startRedisServer();
});
test.after.always(async () => (await server)?.stop());

function onBoth(title: string, body: (t: ExecutionContext, bench: Bench) => Promise<void>): void {
  test(`${title} (in-process)`, async (t) => {
    const clock = new VirtualClock();
    const memory = createMemoryRedis({ clock, declaredKeysOnly: true });
    const link = new Link({ store: await openStore(memory, clock), name: 'test', clock, random, greet: loadScripts });
    await link.open();
    await body(t, { link, clock, advance: (ms) => clock.advance(ms) });
    link.close();
    await memory.close();
  });
  if (!real) return;
  test.serial(`${title} (redis-server)`, async (t) => {
    const link = new Link({
      store: await openStore((await server)?.url ?? '', systemClock),
      name: 'test',
      clock: systemClock,
      random,
      greet: loadScripts,
    });
    await link.open();
    await link.call('FLUSHALL');
    await body(t, { link, clock: systemClock, advance: () => Promise.resolve() });
    link.close();
  });
}

const batchOf = (sequence: number, ...words: string[]): (string | number)[] => [
  sequence,
  60_000,
  3,
  ...words.flatMap((word) => [2, 1, 0, '-', 0, 2, 'word', word]),
];
const append = (link: Link, sequence: number, ...words: string[]): Promise<unknown> =>
  runScript(link, 'append', [keys.producer(1, 'p'), inbox], batchOf(sequence, ...words));

onBoth('a batch that is sent again is applied once and answered as before', async (t, { link }) => {
  const first = await append(link, 1, 'a', 'b');
  t.is(await append(link, 1, 'a', 'b'), first);
  t.is(await link.call('XLEN', [inbox]), 2);
});

onBoth('a long batch, whose arguments go packed, means the same as short ones', async (t, { link }) => {
  const producer = [keys.producer(1, 'p'), inbox];
  const words = Array.from({ length: 40 }, (_, i) => `ä${i}`);
  const roomy = (sequence: number, ...some: string[]): (string | number)[] => batchOf(sequence, ...some).with(2, 100);
  const first = await runScript(link, 'append', producer, roomy(1, ...words));
  t.is(await runScript(link, 'append', producer, roomy(1, ...words)), first);
  t.regex(String(await runScript(link, 'append', producer, roomy(2, 'last'))), /^\d+-\d+$/);
  t.is(await runScript(link, 'append', producer, roomy(1, ...words)), 'stale');
  const entries = (await link.call('XRANGE', [inbox, '-', '+'])) as [string, string[]][];
  t.deepEqual(
    entries.map(([, fields]) => fields),
    [...words, 'last'].map((word) => ['word', word]),
  );
});

onBoth('a batch older than the last one is ignored', async (t, { link }) => {
  await append(link, 2, 'b');
  t.is(await append(link, 1, 'a'), 'stale');
  t.is(await link.call('XLEN', [inbox]), 1);
});

onBoth('an inbox that is full refuses the message, and only that one', async (t, { link }) => {
  const words = String(await append(link, 1, 'a', 'b', 'c', 'd')).split(' ');
  t.is(words.length, 4);
  t.is(words[3], 'full');
  t.is(await link.call('XLEN', [inbox]), 3);
});

onBoth('a partition has one owner until its lease ends, or it is released', async (t, { link, advance }) => {
  const owner = { nonce: 'n1', node: 'one', lease: 10_000, previous: [] };
  t.is((await acquire(link, keys, partition, owner)).kind, 'acquired');
  const other = { nonce: 'n2', node: 'two', lease: 10_000, previous: [] };
  t.like(await acquire(link, keys, partition, other), { kind: 'held', node: 'one' });
  t.deepEqual(await renew(link, keys, [{ ...partition, nonce: 'n1' }], 10_000), []);
  t.deepEqual(await renew(link, keys, [{ ...partition, nonce: 'n2' }], 10_000), [{ ...partition, nonce: 'n2' }]);
  t.deepEqual(await release(link, keys, [{ ...partition, nonce: 'n1' }]), []);
  t.is((await acquire(link, keys, partition, { ...other, lease: 1 })).kind, 'acquired');
  await advance(2);
  t.is((await acquire(link, keys, partition, { ...owner, previous: ['n1', 'n2'] })).kind, 'acquired', 'it was ours, or its lease is over');
});

onBoth('a commit with another nonce writes nothing', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  const batch = new CommitBatch(keys.partition('list', 1));
  batch.write('SET', keys.state('list', 1, 'a'), '1 {}');
  t.is(await commit(link, 'n2', batch), 'fenced');
  t.is(await link.call('EXISTS', [keys.state('list', 1, 'a')]), 0);
  t.is(await commit(link, 'n1', batch), 'committed');
  t.is(await link.call('GET', [keys.state('list', 1, 'a')]), '1 {}');
});

onBoth('a commit whose condition does not hold writes nothing', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  const move = (from: string, to: string): CommitBatch => {
    const batch = new CommitBatch(keys.partition('list', 1));
    batch.expect('cursor:x', from);
    batch.append(inbox, ['fact', to]);
    batch.write('HSET', keys.partition('list', 1), 'cursor:x', to);
    return batch;
  };
  t.is(await commit(link, 'n1', move('', '1-0')), 'committed');
  t.is(await commit(link, 'n1', move('', '1-0')), 'changed', 'the same facts are not taken in twice');
  t.is(await link.call('XLEN', [inbox]), 1);
  t.is(await commit(link, 'n1', move('1-0', '2-0')), 'committed');
});

onBoth('a flushed script cache is no failure', async (t, { link }) => {
  await link.call('SCRIPT', ['FLUSH']);
  await append(link, 1, 'a');
  t.is(await link.call('XLEN', [inbox]), 1);
});

onBoth('what is told in one turn is one batch, and each message gets its own answer', async (t, { link, clock }) => {
  const appender = new Appender({ link, keys, clock, producer: 'q', sendTimeout: 1_000, inboxLimit: 2 });
  const one = (word: string) =>
    appender.append(1, { messageId: word, stream: inbox, bounded: true, fields: ['word', word], outcome: undefined }).then(
      () => word,
      (error: unknown) => (error as { code: string }).code,
    );
  t.deepEqual(await Promise.all(['a', 'b', 'c'].map(one)), ['a', 'b', 'INBOX_FULL']);
  t.regex(String(await link.call('GET', [keys.producer(1, 'q')])), /^1 \S+ \S+ full$/, 'one batch, one sequence');
  appender.close();
  t.is(await one('d'), 'STOPPED');
});
