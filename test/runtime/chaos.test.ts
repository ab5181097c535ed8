/**
 * Everything at once on a real Redis: see test/support/chaos.ts. `CHAOS_SEED=17` draws other faults; the time it runs in is its own.
 * In process, test/simulation/ does the same and more, to the last turn from one seed.
 */
import test from 'ava';
import { Redis } from 'ioredis';
import { ActorSystem, type StartOptions } from '../../src/index.js';
import { chaos, type World } from '../support/chaos.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';

const title = 'nothing is lost, nothing done twice, nothing out of order, whatever happens (redis-server)';

if (!redisServerOnPath()) test.skip(title, (t) => t.fail());
else {
  test.serial(title, async (t) => {
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
      await chaos(t, world, Number(process.env['CHAOS_SEED'] ?? 1), { keys: 6, words: 40, faults: 12, lease: '1500ms' });
    } finally {
      raw.disconnect();
      await server.stop();
    }
  });
}
