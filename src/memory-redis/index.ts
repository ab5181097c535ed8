/**
 * A Redis in this process: the embedded default of errand, the store under its tests, and usable alone.
 * It speaks Redis 7.0's commands and protocol; what differs is listed in its README.
 */
import type { Redis, RedisOptions } from 'ioredis';
import { type Clock, systemClock } from '../message/clock.js';
import { connectorOptions, createClient } from './client.js';
import { DEFAULT_OPTIONS, Engine } from './engine.js';
import type { Fault, RequestMatch } from './faults.js';
import { FileLogStore, MemoryLogStore, type SyncPolicy } from './log-store.js';
import { type Listening, listen } from './server.js';

export type { Fault, RequestMatch, SeenRequest } from './faults.js';
export type { Listening } from './server.js';

export interface MemoryRedisOptions {
  /**
   * The clock of stream ids, TIME, expiry, and the time-outs of blocking commands.
   * @default the machine's clock
   */
  readonly clock?: Clock | undefined;
  /**
   * A file in which all writes are logged, and from which the data is rebuilt when there is any. Commands wait until that is done.
   * What has been answered survives the end of this process; `CONFIG SET appendfsync always` makes it survive a power cut too.
   * @default none: the data ends with the process
   */
  readonly appendOnlyFile?: string | undefined;
  /**
   * Logs writes in memory, so that `faults.crash({ lose })` can lose some. For tests; it grows with every write.
   * @default false
   */
  readonly log?: boolean | undefined;
  /**
   * Refuses a script every key that is not among its KEYS, as a cluster would in the end; a single Redis does not look. For tests.
   * @default false
   */
  readonly declaredKeysOnly?: boolean | undefined;
  /**
   * The run from which on a simple script is compiled to JavaScript, some times faster than the WebAssembly Lua: 1 for at once, Infinity for
   * never.
   * @default 3
   */
  readonly compileScriptsFrom?: number | undefined;
}

/** Switches for tests of what is built on Redis: each does what a network, a machine or a Redis may do. */
export interface MemoryRedisFaults {
  /**
   * The next requests that match suffer the fault.
   * @param times how many of them; default 1
   * @returns withdraws what is left of the rule
   */
  inject(match: RequestMatch, fault: Fault, options?: { readonly times?: number | undefined }): () => void;
  /** Withdraws all rules. */
  clear(): void;
  /** Stands still, as a stopped process: nothing is read, done or answered. */
  pause(): void;
  resume(): void;
  /**
   * Ends as a killed Redis does: connections break off and new ones are refused until `restart`; scripts are forgotten.
   * @param options.lose how many of the last writes (commands, transactions, scripts) had not reached the disk; needs `log` or `appendOnlyFile`. Default 0
   */
  crash(options?: { readonly lose?: number | undefined }): void;
  /** Comes back after `crash`, with the data that is left. */
  restart(): void;
}

/** An in-process Redis. Clients made by `client` and connections to `listen`'s port see the same data. */
export interface MemoryRedis {
  /** A new ioredis client over an in-memory connection. It has to be ended like any other: `quit()` or `disconnect()`. */
  client(options?: RedisOptions): Redis;
  /** For those who make their own ioredis clients: spread these over their options, `new Redis({ ...options, ...redis.connectorOptions() })`. */
  connectorOptions(): Pick<RedisOptions, 'Connector'>;
  /** Opens a port on 127.0.0.1 for other processes and tools; 0 picks one. Resolves when it is open. */
  listen(port: number): Promise<Listening>;
  /** For tests: loses requests and replies, stands still, crashes. */
  readonly faults: MemoryRedisFaults;
  /** Ends all connections and the clients made by `client`, and closes all ports. Resolves when they are closed. */
  close(): Promise<void>;
}

/** Creates an empty in-process Redis; returns at once and connects to nothing. */
export function createMemoryRedis(options: MemoryRedisOptions = {}): MemoryRedis {
  const clock = options.clock ?? systemClock;
  const engine: Engine = new Engine(
    clock,
    options.appendOnlyFile === undefined ? (options.log ? new MemoryLogStore() : undefined) : openFile(options.appendOnlyFile),
    {
      declaredKeysOnly: options.declaredKeysOnly ?? DEFAULT_OPTIONS.declaredKeysOnly,
      compileScriptsFrom: options.compileScriptsFrom ?? DEFAULT_OPTIONS.compileScriptsFrom,
    },
  );
  function openFile(path: string): FileLogStore {
    return new FileLogStore(
      path,
      () => engine.settings.get('appendfsync') as SyncPolicy,
      () => clock.monotonic(),
    );
  }
  if (options.appendOnlyFile !== undefined) engine.settings.set('appendonly', 'yes');
  let paused = false;

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
    faults: {
      inject: (match, fault, { times = 1 } = {}) => engine.faults.add(match, fault, times),
      clear: () => engine.faults.clear(),
      pause() {
        if (!paused) engine.pause();
        paused = true;
      },
      resume() {
        if (paused) engine.resume();
        paused = false;
      },
      crash: ({ lose = 0 } = {}) => engine.crash(lose),
      restart: () => engine.restart(),
    },
    async close() {
      for (const client of clients) client.disconnect();
      engine.close();
      await Promise.all([...listening].map((opened) => opened.close()));
    },
  };
}
