import test from 'ava';
import { Link, openStore } from '../../src/log/connection.js';
import { compareIds, type Entry } from '../../src/log/entry.js';
import { Reader, type Source } from '../../src/log/reader.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { systemClock } from '../../src/message/clock.js';
import { seededRandom } from '../../src/message/random.js';

/** Follows a stream and keeps the ids it was given. */
class Follower implements Source {
  readonly seen: string[] = [];
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

test('several sources follow one stream, each from its own position, without gaps and without seeing anything twice', async (t) => {
  const memory = createMemoryRedis();
  const store = openStore(memory, systemClock);
  const link = (name: string, greet?: Reader['greeting']): Link =>
    new Link({ store, name, clock: systemClock, random: seededRandom(1), ...(greet === undefined ? {} : { greet }) });
  const control = link('control');
  let reader: Reader;
  const read = link('read', (redis) => reader.greeting(redis));
  reader = new Reader(read, control, systemClock, (error) => t.fail(error.message));
  await Promise.all([control.open(), read.open()]);
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
