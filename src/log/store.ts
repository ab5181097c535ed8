import type { Redis, RedisOptions } from 'ioredis';
import type { MemoryRedis } from '../memory-redis/index.js';
import type { Clock } from '../message/clock.js';
import { InvalidValueError } from '../message/errors.js';
import { READ_BLOCK_IN_PROCESS_MS, READ_BLOCK_MS, SOCKET_TIMEOUT_MS } from '../message/limits.js';
import { type CommandClass, type WrittenClass, writtenBy } from './request.js';

/** ioredis' only door, which opens with the first store: whoever only imports messages does not wait for it. */

/** A client that another copy of ioredis made, perhaps of another version, as BullMQ brings one. */
export interface ForeignClient {
  readonly options: object;
  readonly duplicate: (...args: never[]) => unknown;
}

/** Where the log lives. */
export type RedisTarget = string | RedisOptions | Redis | ForeignClient | MemoryRedis;

const CONNECT_TIMEOUT_MS = 5_000;

/** Makes clients for one target. */
export class Store {
  readonly Written: WrittenClass;

  constructor(
    /** for messages: without user, password and query */
    readonly place: string,
    private readonly make: (options: RedisOptions) => Redis,
    /** ioredis' */
    Base: CommandClass,
    /** ends with the system when the system made it */
    private readonly own: MemoryRedis | undefined,
    /** how long a blocking read may take to return, ms */
    readonly readBlock: number = READ_BLOCK_MS,
  ) {
    this.Written = writtenBy(Base);
  }

  /** There is one user, who may do everything. */
  get inProcess(): boolean {
    return this.place === 'memory:';
  }

  client(name: string, options: RedisOptions = {}): Redis {
    return this.make({
      lazyConnect: true,
      connectionName: name,
      protocol: 2,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      ...options,
    });
  }

  async close(): Promise<void> {
    await this.own?.close();
  }
}

function isMemoryRedis(target: object): target is MemoryRedis {
  return 'client' in target && 'listen' in target;
}

function isClient(target: object): target is ForeignClient {
  return 'options' in target && 'duplicate' in target && typeof target.options === 'object' && target.options !== null;
}

const TARGETS = "'memory:', an address such as 'redis://host:6379', ioredis options or a client";
/** ioredis would take options without any of these for a Redis on this machine, and so those with a misspelt name. */
const PLACES = ['host', 'port', 'path', 'sentinels', 'Connector'] as const;

/** @throws InvalidValueError `INVALID_OPTION` */
function optionsOf(target: RedisOptions | ForeignClient): RedisOptions {
  if ('isCluster' in target && target.isCluster) {
    throw new InvalidValueError('INVALID_OPTION', 'redis', 'a client of a Redis Cluster', 'one of a single Redis');
  }
  // Of its own properties, as ioredis takes them: what is inherited, as a URL's host, would be seen here alone.
  const given: RedisOptions & { url?: unknown } = { ...(isClient(target) ? target.options : target) };
  if (given.keyPrefix)
    throw new InvalidValueError('INVALID_OPTION', 'redis.keyPrefix', given.keyPrefix, 'none; the system name is the prefix');
  if (PLACES.some((name) => given[name] !== undefined)) return given;
  const found = given.url === undefined ? `options with ${Object.keys(given).join(', ') || 'nothing'}` : 'options with url';
  throw new InvalidValueError(
    'INVALID_OPTION',
    'redis',
    found,
    `options with ${PLACES.join(', ')}; an address is given by itself, as a text`,
  );
}

/** An address that cannot be read may still hold a password. */
function withoutPassword(address: string): string {
  const query = address.indexOf('?');
  const plain = query < 0 ? address : `${address.slice(0, query)}?…`;
  const at = plain.lastIndexOf('@');
  return at < 0 ? plain : `…${plain.slice(at)}`;
}

function placeOf({ path, host, port, sentinels, name }: RedisOptions): string {
  if (path) return withoutPassword(path);
  if (sentinels) return `${name ?? 'a master'} of ${sentinels.length} sentinels`;
  return withoutPassword(`redis://${host ?? 'localhost'}:${port ?? 6379}`);
}

/**
 * @param target `'memory:'` for an in-process Redis of its own; a `redis://` or `rediss://` address; ioredis options; an ioredis client,
 *   also one of another copy of ioredis (its options are taken, it is not used itself); or a MemoryRedis to share
 * @throws InvalidValueError `INVALID_OPTION`
 */
export async function openStore(target: RedisTarget, clock: Clock): Promise<Store> {
  if (target === 'memory:') {
    const { createMemoryRedis } = await import('../memory-redis/index.js'); // few need it beside a real one
    const memory = createMemoryRedis({ clock });
    return new Store('memory:', (options) => memory.client(options), (await import('ioredis')).Command, memory, READ_BLOCK_IN_PROCESS_MS);
  }
  if (typeof target === 'string') {
    const address = URL.canParse(target) ? new URL(target) : undefined;
    if (address === undefined || (address.protocol !== 'redis:' && address.protocol !== 'rediss:')) {
      throw new InvalidValueError('INVALID_OPTION', 'redis', withoutPassword(target), TARGETS);
    }
    const { Redis: Client, Command } = await import('ioredis');
    const make = (options: RedisOptions): Redis =>
      new Client(target, { ...options, socketTimeout: SOCKET_TIMEOUT_MS, replyMapping: 'legacy' });
    return new Store(`${address.protocol}//${address.host}`, make, Command, undefined);
  }
  if (target === null || typeof target !== 'object') {
    throw new InvalidValueError('INVALID_OPTION', 'redis', target, TARGETS);
  }
  if (isMemoryRedis(target)) {
    return new Store(
      'memory:',
      (options) => target.client(options),
      (await import('ioredis')).Command,
      undefined,
      READ_BLOCK_IN_PROCESS_MS,
    );
  }
  const { Redis: Client, Command } = await import('ioredis');
  const given = optionsOf(target);
  return new Store(
    placeOf(given),
    (options) => new Client({ ...given, ...options, socketTimeout: SOCKET_TIMEOUT_MS, replyMapping: 'legacy' }),
    Command,
    undefined,
  );
}
