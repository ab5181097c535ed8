import test from 'ava';
import { Link } from '../../src/log/connection.js';
import { compareIds, type Entry } from '../../src/log/entry.js';
import { Reader, type Source } from '../../src/log/reader.js';
import { openStore } from '../../src/log/store.js';
import { createMemoryRedis, type MemoryRedis } from '../../src/memory-redis/index.js';
import { type Clock, systemClock } from '../../src/message/clock.js';
import { READ_BYTES_MOST } from '../../src/message/limits.js';
import { seededRandom } from '../../src/message/random.js';
import { VirtualClock } from '../../src/testing.js';

/** Follows a stream and keeps the ids it was given. */
class Follower implements Source {
  readonly seen: string[] = [];
  /** those that are too large */
  readonly large: string[] = [];
  #position: string;
  #enough: () => void = () => undefined;

  constructor(
    readonly stream: string,
    from: string,
  ) {
    this.#position = from;
  }

  position(): string {
    return this.#position;
  }

  wanted(): number {
    return 3;
  }

  deliver(entries: readonly Entry[]): void {
    this.seen.push(...entries.map(({ id }) => id));
    this.large.push(...entries.filter(({ oversize }) => oversize !== undefined).map(({ id }) => id));
    this.#position = this.seen.at(-1) ?? this.#position;
    this.#enough();
  }

  /** Resolves once it stands at `id`. */
  reaches(id: string): Promise<void> {
    return new Promise((resolve) => {
      this.#enough = () => compareIds(this.#position, id) >= 0 && resolve();
      this.#enough();
    });
  }
}

/** A reader and its two connections to an in-process Redis. */
async function readerOn(
  memory: MemoryRedis,
  clock: Clock,
  onFault: (error: Error) => void,
  entryBytes?: number,
): Promise<{ reader: Reader; control: Link }> {
  const store = await openStore(memory, clock);
  const link = (name: string, greet?: Reader['greeting']): Link =>
    new Link({ store, name, clock, random: seededRandom(1), ...(greet === undefined ? {} : { greet }) });
  const control = link('control');
  let reader: Reader;
  const read = link('read', (redis) => reader.greeting(redis));
  reader = new Reader(read, control, clock, onFault, 1, entryBytes);
  await Promise.all([control.open(), read.open()]);
  return { reader, control };
}

test('several sources follow one stream, each from its own position, without gaps and without seeing anything twice', async (t) => {
  const memory = createMemoryRedis();
  const { reader, control } = await readerOn(memory, systemClock, (error) => t.fail(error.message));
  const ids = Array.from({ length: 20 }, (_, i) => `${i + 1}-0`);
  for (const id of ids) await control.call('XADD', ['s', id, 'n', id]);
  const followers = [new Follower('s', '12-0'), new Follower('s', '0-0'), new Follower('s', '7-0'), new Follower('s', '20-0')];
  for (const follower of followers) reader.add(follower);
  reader.start();
  await Promise.all(followers.map((follower) => follower.reaches('20-0')));
  await control.call('XADD', ['s', '21-0', 'n', '21']);
  await Promise.all(followers.map((follower) => follower.reaches('21-0')));
  await reader.stop();
  control.close();
  await memory.close();
  const all = [...ids, '21-0'];
  t.deepEqual(
    followers.map(({ seen }) => seen),
    [all.slice(12), all, all.slice(7), ['21-0']],
  );
});

test('a read that does not come back, because its connection died silently, is called back now and then, not without end', async (t) => {
  const clock = new VirtualClock();
  const memory = createMemoryRedis({ clock });
  const { reader, control } = await readerOn(memory, clock, (error) => t.fail(error.message));
  let calls = 0;
  memory.faults.inject(({ command, words }) => {
    if (command === 'CLIENT' && words[1] === 'UNBLOCK') calls += 1;
    return false;
  }, 'drop-request');
  memory.faults.inject('XREAD', 'drop-request');
  reader.add(new Follower('s', '0-0'));
  reader.start();
  await clock.settle();
  reader.add(new Follower('t', '0-0'));
  await clock.advance('5s');
  t.true(calls > 10, `${calls} calls`);
  t.true(calls < 100, `${calls} calls`);
  await reader.stop();
  control.close();
  await memory.close();
});

// issue 14, A10
test('however large entries suddenly are, a reply is bounded: streams that may hold many are asked for few, in turns when they are too many', async (t) => {
  const memory = createMemoryRedis();
  const atOnce = 5;
  const { reader, control } = await readerOn(memory, systemClock, (error) => t.fail(error.message), READ_BYTES_MOST / atOnce);
  const streams = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const ids = Array.from({ length: 20 }, (_, i) => `${i + 1}-0`);
  for (const stream of streams) for (const id of ids) await control.call('XADD', [stream, id, 'n', id]);
  const followers = streams.map((stream) => new Follower(stream, '0-0'));
  const seen = (): number => followers.reduce((sum, follower) => sum + follower.seen.length, 0);
  const replies: number[] = [];
  const blocked: number[] = [];
  let before = 0;
  memory.faults.inject(({ command, words }) => {
    if (command !== 'XREAD') return false;
    replies.push(seen() - before);
    before = seen();
    if (words.includes('BLOCK')) blocked.push(words.length - words.indexOf('STREAMS') - 1);
    return false;
  }, 'drop-request');
  for (const follower of followers) reader.add(follower);
  reader.start();
  await Promise.all(followers.map((follower) => follower.reaches('20-0')));
  await control.call('XADD', ['s3', '21-0', 'n', '21']);
  await followers[3]?.reaches('21-0');
  await reader.stop();
  control.close();
  await memory.close();
  t.deepEqual(
    followers.map(({ seen: all }) => all),
    streams.map((stream) => (stream === 's3' ? [...ids, '21-0'] : ids)),
  );
  t.true(Math.max(...replies) <= atOnce, `${Math.max(...replies)} entries in one reply`);
  t.true(
    blocked.every((words) => words === 2 * streams.length),
    'a read that waits leaves nobody out',
  );
});

test('an entry that is too large is not asked for again when its reply came to a source that is gone: the next one is given it in its place', async (t) => {
  const clock = new VirtualClock();
  const memory = createMemoryRedis({ clock });
  const { reader, control } = await readerOn(memory, clock, (error) => t.fail(error.message), 5_000);
  const stream = 's';
  for (const id of ['1-0', '3-0', '5-0']) await control.call('XADD', [stream, id, 'n', 'small']);
  await control.call('XADD', [stream, '6-0', 'n', 'x'.repeat(6_000)]);
  for (const id of ['7-0', '8-0', '9-0', '10-0']) await control.call('XADD', [stream, id, 'n', 'small']);
  const asked: string[] = [];
  memory.faults.inject(({ command, words }) => {
    if (command === 'XREAD' || command === 'XRANGE') asked.push(`${command} ${words.filter((word) => word.includes('-')).join(' ')}`);
    return false;
  }, 'drop-request');
  const first = new Follower(stream, '5-0');
  memory.faults.inject('XREAD', { delay: 7_000 });
  reader.add(first);
  reader.start();
  await clock.advance('1s');
  reader.remove(first);
  const second = new Follower(stream, '0-0');
  reader.add(second, true);
  await clock.advance('7s');
  t.deepEqual([first.seen, second.seen], [[], ['1-0', '3-0', '5-0', '6-0', '7-0', '8-0', '9-0', '10-0']]);
  t.deepEqual(second.large, ['6-0']);
  t.deepEqual(asked.slice(0, 4), ['XREAD 5-0', 'XRANGE (0-0 (6-0', 'XRANGE (5-0 (6-0', 'XREAD 6-0']);
  reader.remove(second);
  const third = new Follower(stream, '0-0');
  reader.add(third);
  await clock.settle();
  t.deepEqual(third.seen, second.seen, 'a source that begins anew is read to from the log');
  await reader.stop();
  control.close();
  await memory.close();
});
