import type { ActorClass, ActorSystem, StartOptions } from '../../src/index.js';
import { createMemoryRedis, type MemoryRedis } from '../../src/memory-redis/index.js';
import { startTestSystem, VirtualClock } from '../../src/testing.js';
import { type Hooks, hooked } from './hooked.js';
import { listActor } from './shop.js';

/** A system whose next commit waits for what a test does just before it, and a client beside it. */
export interface BeforeCommit {
  readonly system: ActorSystem;
  /** a client on the same store, whose own requests wait for nothing */
  readonly other: ActorSystem;
  readonly clock: VirtualClock;
  readonly redis: MemoryRedis;
  /** what else the test does to the requests of `system` */
  readonly hooks: Hooks;
  /** Runs before the next commit of `system` is sent. */
  readonly arm: (run: (other: ActorSystem) => Promise<unknown>) => void;
  readonly close: () => Promise<void>;
}

export async function beforeCommit(
  given: { actors?: readonly ActorClass[]; supervisors?: StartOptions['supervisors'] } = {},
): Promise<BeforeCommit> {
  const { actors = [listActor()], ...options } = given;
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const hooks: Hooks = {};
  let armed: ((other: ActorSystem) => Promise<unknown>) | undefined;
  const through = hooked(redis, {
    before: (command, connection) => {
      if (command !== 'EVALSHA' || connection !== 'control' || armed === undefined) return hooks.before?.(command, connection);
      const run = armed;
      armed = undefined;
      return run(other).then(() => undefined);
    },
    after: (command, connection) => hooks.after?.(command, connection),
    afterPipeline: () => hooks.afterPipeline?.(),
  });
  const { system } = await startTestSystem({
    name: 'sut',
    shards: 1,
    lease: '1h',
    ...options,
    actors: actors as [],
    redis: through,
    clock,
  });
  const { system: other } = await startTestSystem({ name: 'sut', shards: 1, actors: [], redis, clock, seed: 9 });
  await system.idle();
  const close = async (): Promise<void> => {
    await system.stop({ grace: 0 });
    await other.stop({ grace: 0 });
    await redis.close();
  };
  return { system, other, clock, redis, hooks, arm: (run) => (armed = run), close };
}
