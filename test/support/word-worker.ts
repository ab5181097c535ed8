/** A process of its own that hosts the lists: see words.ts and fleet.ts. It tells its parent what happens to it, and ends with it. */
import { ActorSystem, RedisError } from '../../src/index.js';
import { List } from './words.js';

async function main(): Promise<void> {
  const { name, redis, shards, lease } = JSON.parse(process.argv[2] ?? '') as {
    name: string;
    redis: string;
    shards: number;
    lease: `${number}ms`;
  };
  process.on('disconnect', () => process.exit());
  const recoverability = { immediate: 1, delayed: ['100ms', '100ms'], order: 'block' } as const;
  const supervisors = [{ name: 's', children: [{ actor: 'list', recoverability }] }];
  // Its node's name stands only in the log, and is how Redis calls it.
  let node: unknown;
  const nothing = (): void => undefined;
  const logger = {
    debug: nothing,
    warn: nothing,
    error: nothing,
    info: (fields: unknown) => {
      if (typeof fields === 'object' && fields !== null && 'node' in fields) node = fields.node;
    },
  };
  const start = async (): Promise<ActorSystem> => {
    try {
      return await ActorSystem.start({ name, redis, shards, lease, supervisors, logger, actors: [List] });
    } catch (error) {
      // The faults that the tests make may hit the start itself; whoever runs a service starts it again.
      if (error instanceof RedisError) return start();
      throw error;
    }
  };
  const system = await start();
  system.signals.subscribe((signal) => process.send?.(signal));
  process.send?.({ kind: 'ready', node });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
