/**
 * A Redis in this process: the embedded default of errand, the store under its tests, and usable alone.
 * It speaks Redis 7.0's commands and protocol; what differs is listed in its README.
 */
import type { Redis, RedisOptions } from 'ioredis';
import { type Clock, systemClock } from '../message/clock.js';
import { connectorOptions, createClient } from './client.js';
import { Engine } from './engine.js';
import { type Listening, listen } from './server.js';

export type { Listening } from './server.js';

export interface MemoryRedisOptions {
  /** Whose time rules: stream ids, TIME, expiry, the time-outs of blocking commands. Default: the machine's clock. */
  readonly clock?: Clock;
}

/** An in-process Redis. Clients made by `client` and connections to `listen`'s port see the same data. */
export interface MemoryRedis {
  /** A new ioredis client over an in-memory connection. It has to be ended like any other: `quit()` or `disconnect()`. */
  client(options?: RedisOptions): Redis;
  /** For those who make their own ioredis clients: spread these over their options, `new Redis({ ...options, ...redis.connectorOptions() })`. */
  connectorOptions(): Pick<RedisOptions, 'Connector'>;
  /** Opens a port on 127.0.0.1 for other processes and tools; 0 picks one. Resolves when it is open. */
  listen(port: number): Promise<Listening>;
  /** Ends all connections and the clients made by `client`, and closes all ports. Resolves when they are closed. */
  close(): Promise<void>;
}

/** Creates an empty in-process Redis; returns at once and connects to nothing. */
export function createMemoryRedis(options: MemoryRedisOptions = {}): MemoryRedis {
  const engine = new Engine(options.clock ?? systemClock);
  const listening = new Set<Listening>();
  const clients = new Set<Redis>();
  return {
    client(clientOptions) {
      const client = createClient(engine, clientOptions);
      clients.add(client);
      client.once('end', () => clients.delete(client));
      return client;
    },
    connectorOptions: () => connectorOptions(engine),
    async listen(port) {
      const opened = await listen(engine, port);
      listening.add(opened);
      return opened;
    },
    async close() {
      for (const client of clients) client.disconnect();
      engine.close();
      await Promise.all([...listening].map((opened) => opened.close()));
    },
  };
}
