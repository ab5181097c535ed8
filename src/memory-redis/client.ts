import { Redis, type RedisOptions } from 'ioredis';
import { connectorFor } from './connector.js';
import type { Engine } from './engine.js';

/** The ioredis options that make a client talk to this engine instead of a server. */
export function connectorOptions(engine: Engine): Pick<RedisOptions, 'Connector'> {
  return { Connector: connectorFor(engine) };
}

/** An ioredis client of this engine. */
export function createClient(engine: Engine, options: RedisOptions = {}): Redis {
  // The type of ioredis' clients depends on this option; its other value would make another type of all replies.
  return new Redis({ ...options, ...connectorOptions(engine) } as RedisOptions & { replyMapping?: 'legacy' });
}
