import { createMemoryRedis, type MemoryRedis } from '../memory-redis/index.js';
import type { Duration } from '../message/duration.js';
import { seededRandom } from '../message/random.js';
import { VirtualClock } from '../message/virtual-clock.js';
import type { ActorClass, Checked } from './actor.js';
import { ActorSystem, type StartOptions } from './actor-system.js';
import { present, type Some } from './options.js';

export { VirtualClock };

/** A system under virtual time, and what it stands on. `await using` (or `stop()`) ends it all. */
export interface TestSystem extends AsyncDisposable {
  readonly system: ActorSystem;
  /** the one clock under everything */
  readonly clock: VirtualClock;
  /** the in-process Redis below */
  readonly redis: MemoryRedis;
  /** Stops the system and closes the in-process Redis. */
  readonly stop: (options?: { grace?: Duration | undefined }) => Promise<void>;
}

export type TestSystemOptions = Some<Omit<StartOptions, 'redis'>> & {
  /**
   * The in-process Redis. Give the same one to several systems to let them share it.
   * @default one of its own
   */
  redis?: MemoryRedis | undefined;
  /**
   * The clock under everything.
   * @default one that stands at 2030-01-01T00:00:00Z
   */
  clock?: VirtualClock | undefined;
  /**
   * Every id, nonce and jitter comes from it, and from the number of systems that were started on `redis` before.
   * @default 1
   */
  seed?: number | undefined;
};

/** Fewer than in production: each costs a little with every renewal, and tests move hours. */
const SHARDS = 4;

/** Counts the systems started on one in-process Redis; it stands in there, as an append-only file outlives the Redis that wrote it. */
const STARTED = 'errand:test-systems';

/** Counts also where the memory is full. */
const COUNT = "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])";

/** No two may draw the same ids: Redis would take one's messages for the other's, sent again. */
async function startedBefore(redis: MemoryRedis): Promise<number> {
  const client = redis.client({ lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return Number(await client.eval(COUNT, 1, STARTED)) - 1;
  } catch {
    return 0; // a Redis that is not there: the start will say so
  } finally {
    client.disconnect();
  }
}

/** Spreads what differs by one over all 32 bits (Knuth's multiplicative hash). */
const SPREAD = 0x9e3779b1;

/**
 * Starts a system on an in-process Redis with one virtual clock under both: the production code, with time that moves when you say so.
 * Leases are renewed in that time, too: where a test moves days, a `lease` such as `'1h'` makes it quick.
 * @param options as `ActorSystem.start`; `name` defaults to `test`, `shards` to 4 (one that joins takes what is recorded)
 * @throws as `ActorSystem.start`
 */
export async function startTestSystem<const A extends readonly ActorClass[]>(
  options: TestSystemOptions & { actors: { [I in keyof A]: A[I] & Checked<A[I]> } },
): Promise<TestSystem> {
  const { clock = new VirtualClock(), seed = 1, redis = createMemoryRedis({ clock }), ...rest } = options;
  const own = options.redis === undefined;
  const joins = !own && options.actors.length === 0; // as a client of a system that is there already
  const before = own ? 0 : await startedBefore(redis);
  const system = await ActorSystem.startWith(
    { name: 'test', ...present(rest), actors: options.actors, redis },
    { clock, random: seededRandom(seed + before * SPREAD), newShards: joins ? undefined : SHARDS },
  );
  const stop = async (stopOptions?: { grace?: Duration | undefined }): Promise<void> => {
    await system.stop(stopOptions);
    if (own) await redis.close();
  };
  return { system, clock, redis, stop, [Symbol.asyncDispose]: () => stop() };
}
