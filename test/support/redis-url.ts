/**
 * For whole programs, which take an address: each test gets an empty Redis of its own behind one, in-process and real. Without a
 * `redis-server` on PATH the real half is left out and says so; with CI=true that is a failure.
 */
import test, { type ExecutionContext } from 'ava';
import { createMemoryRedis } from 'errand/memory-redis';
import { redisServerOnPath, startRedisServer } from './redis-server.js';

export interface RedisAddress {
  readonly url: string;
}

type Implementation = (t: ExecutionContext, store: RedisAddress) => Promise<void>;

const present = redisServerOnPath();
let told = false;

/** On a `redis-server` of its own, which ends with the test. */
export function onRealRedis(title: string, implementation: Implementation): void {
  const real = `${title} (redis-server)`;
  if (present) {
    test(real, async (t) => {
      const server = await startRedisServer();
      try {
        await implementation(t, server);
      } finally {
        await server.stop();
      }
    });
  } else if (process.env.CI === 'true') {
    test(real, (t) => t.fail('redis-server is not on PATH, and CI=true lets nothing be left out'));
  } else {
    if (!told) console.warn('redis-server is not on PATH: the real half of these tests is left out');
    told = true;
    test.skip(real, async (t) => implementation(t, { url: '' }));
  }
}

/** On both, one test each. */
export function onEachStore(title: string, implementation: Implementation): void {
  test(`${title} (in-process)`, async (t) => {
    const redis = createMemoryRedis();
    try {
      await implementation(t, await redis.listen(0));
    } finally {
      await redis.close();
    }
  });
  onRealRedis(title, implementation);
}
