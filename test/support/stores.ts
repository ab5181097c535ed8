import test, { type ExecutionContext } from 'ava';
import { type ActorClass, ActorSystem, type StartOptions } from '../../src/index.js';
import { createMemoryRedis, type MemoryRedis } from '../../src/memory-redis/index.js';
import { systemClock } from '../../src/message/clock.js';
import { seededRandom, systemRandom } from '../../src/message/random.js';
import type { Sizes } from '../../src/message/sizes.js';
import { startTestSystem, type TestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { type RunningRedis, redisServerOnPath, startRedisServer } from './redis-server.js';

/**
 * Every behavioural test runs on both stores. On the in-process Redis it moves time; on a real one time passes by itself, so such tests use
 * short limits and check the outcome.
 */

export interface Store {
  readonly kind: 'memory' | 'redis';
  readonly system: ActorSystem;
  /** another system on the same store and clock */
  readonly start: (options: Options) => Promise<ActorSystem>;
  /** Lets time pass: on the in-process store the clock is moved; on a real one nothing is done. */
  readonly pass: (by: Parameters<VirtualClock['advance']>[0]) => Promise<void>;
  /** One raw command. */
  readonly redis: (command: string, ...args: (string | number)[]) => Promise<unknown>;
  /** only on the in-process store */
  readonly clock: VirtualClock | undefined;
  readonly url: string | undefined;
}

/** @param sizes bounds that the test lowers */
export type Options = Partial<Omit<StartOptions, 'redis'>> & { actors: readonly ActorClass[]; sizes?: Partial<Sizes> };
type Body = (t: ExecutionContext, store: Store, options: Options) => Promise<void>;

let server: Promise<RunningRedis> | undefined;
let systems = 0;
const real = redisServerOnPath();

test.before(() => {
  if (real) server = startRedisServer();
  else if (process.env.CI === 'true') throw new Error('redis-server is not on PATH: in CI the real half must run');
  else console.warn('redis-server is not on PATH: the half of these tests that needs a real Redis is left out');
});

test.after.always(async () => {
  await (await server)?.stop();
});

type OnMemory = Options & { redis: MemoryRedis; clock: VirtualClock; seed: number };

/** As `startTestSystem`, with bounds that the public door does not have. */
async function startOnMemory({ sizes, ...options }: OnMemory): Promise<Pick<TestSystem, 'system' | 'stop'>> {
  if (sizes === undefined) return startTestSystem(options as TestSystemOptions & { actors: [] });
  const { clock, seed, ...rest } = options;
  const system = await ActorSystem.startWith(rest as StartOptions & { actors: [] }, {
    clock,
    random: seededRandom(seed),
    newShards: 4,
    sizes,
  });
  return { system, stop: (how) => system.stop(how) };
}

async function onMemory(t: ExecutionContext, options: Options, body: Body): Promise<void> {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock, declaredKeysOnly: true }); // what a cluster would refuse, no script of ours may do
  const { system, stop } = await startOnMemory({ name: 'sut', shards: 4, ...options, clock, redis, seed: 1 });
  const client = redis.client();
  const more: ActorSystem[] = [];
  let seed = 100;
  try {
    await body(
      t,
      {
        kind: 'memory',
        system,
        clock,
        url: undefined,
        redis: (command, ...args) => client.call(command, ...args),
        pass: (by) => clock.advance(by),
        start: async (other) => {
          seed += 1;
          const started = await startOnMemory({ name: 'sut', ...other, redis, clock, seed });
          more.push(started.system);
          return started.system;
        },
      },
      options,
    );
  } finally {
    for (const one of more) await one.stop({ grace: 0 });
    client.disconnect();
    await stop({ grace: 0 });
    await redis.close();
  }
}

async function onRedis(t: ExecutionContext, options: Options, body: Body): Promise<void> {
  const { url } = (await server) as RunningRedis;
  systems += 1;
  const name = `sut-${process.pid}-${systems}`; // each test has the server to itself, by name
  const { Redis } = await import('ioredis');
  const client = new Redis(url);
  const all: ActorSystem[] = [];
  const start = async (other: Options): Promise<ActorSystem> => {
    const { sizes, ...rest } = other;
    const own = { name, redis: url, shards: 4, ...rest } as StartOptions & { actors: [] };
    const started = await ActorSystem.startWith(own, { clock: systemClock, random: systemRandom, sizes });
    all.push(started);
    return started;
  };
  try {
    const system = await start(options);
    const redis = (command: string, ...args: (string | number)[]): Promise<unknown> =>
      client.call(command, ...args.map((arg) => (typeof arg === 'string' ? arg.replaceAll('{sut:', `{${name}:`) : arg)));
    await body(t, { kind: 'redis', system, clock: undefined, url, redis, pass: () => Promise.resolve(), start }, options);
  } finally {
    for (const one of all) await one.stop({ grace: 0 });
    client.disconnect();
  }
}

/** One behaviour, on each store. In keys given to `redis`, the system is called `sut` on both. */
export function onBoth(title: string, options: Options | (() => Options), body: Body): void {
  const made = (): Options => (typeof options === 'function' ? options() : options);
  test(`${title} (in-process)`, (t) => onMemory(t, made(), body));
  if (real) test(`${title} (redis-server)`, (t) => onRedis(t, made(), body));
}
