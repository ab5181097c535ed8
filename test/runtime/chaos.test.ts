/**
 * Everything at once, on both stores: see test/support/chaos.ts. `CHAOS_SEEDS=500` runs more seeds on the in-process Redis, `CHAOS_SEED=17`
 * that one alone; a run on a real Redis has its seed too, but time of its own.
 */
import test from 'ava';
import { Redis } from 'ioredis';
import { ActorSystem, type StartOptions } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { sleep } from '../../src/message/clock.js';
import { fraction, seededRandom } from '../../src/message/random.js';
import { startTestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { chaos, type World } from '../support/chaos.js';
import { type Hooks, hooked } from '../support/hooked.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';

const one = process.env['CHAOS_SEED'];
const seeds = one === undefined ? Array.from({ length: Number(process.env['CHAOS_SEEDS'] ?? 20) }, (_, i) => i + 1) : [Number(one)];

test.serial(
  `nothing is lost, nothing done twice, nothing out of order, whatever happens (in-process, ${seeds.length} seeds)`,
  async (t) => {
    t.timeout(600_000);
    for (const seed of seeds) {
      const clock = new VirtualClock();
      const memory = createMemoryRedis({ clock });
      const raw = memory.client();
      const chance = seededRandom(seed);
      const hooks: Hooks = {};
      const redis = hooked(memory, hooks);
      const world: World = {
        name: 'chaos',
        start: async (actors, options, of) =>
          (await startTestSystem({ name: 'chaos', ...options, actors, redis, clock, seed: of } as TestSystemOptions & { actors: [] }))
            .system,
        redis: (command, ...args) => raw.call(command, ...args),
        pass: (ms) => clock.advance(ms),
        sleep: (ms) => sleep(clock, ms),
        lose: (share) => {
          hooks.loses = share === 0 ? () => false : () => fraction(chance) < share;
        },
      };
      await chaos(t, world, seed, { keys: 6, words: 20, faults: 12, lease: '2000ms' });
      raw.disconnect();
      await memory.close();
    }
  },
);

if (redisServerOnPath()) {
  test.serial('nothing is lost, nothing done twice, nothing out of order, whatever happens (redis-server)', async (t) => {
    t.timeout(120_000);
    const server = await startRedisServer();
    const raw = new Redis(server.url);
    const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    try {
      const name = 'chaos';
      const world: World = {
        name,
        start: (actors, options) => ActorSystem.start({ name, redis: server.url, ...options, actors } as StartOptions & { actors: [] }),
        redis: (command, ...args) => raw.call(command, ...args),
        pass: wait,
        sleep: wait,
      };
      await chaos(t, world, Number(one ?? 1), { keys: 6, words: 40, faults: 12, lease: '1500ms' });
    } finally {
      raw.disconnect();
      await server.stop();
    }
  });
}
