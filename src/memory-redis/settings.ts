import { constants } from 'node:buffer';
import { getHeapStatistics } from 'node:v8';
import { globMatches } from './glob.js';
import { parseInteger } from './numbers.js';

/** How much of the heap this Redis may take before it refuses writes, unless CONFIG SET maxmemory says otherwise. */
const HEAP_SHARE = 0.5;

/** What CONFIG GET shows and CONFIG SET takes. Few of them change what is done here; the others are remembered and shown. */
const DEFAULTS: Readonly<Record<string, string>> = {
  maxmemory: '0',
  'maxmemory-policy': 'noeviction',
  'maxmemory-samples': '5',
  appendonly: 'no',
  appendfsync: 'everysec',
  'aof-use-rdb-preamble': 'yes',
  save: '',
  databases: '16',
  timeout: '0',
  'tcp-keepalive': '300',
  port: '0',
  bind: '127.0.0.1 -::1',
  dir: '/',
  maxclients: '10000',
  'proto-max-bulk-len': '536870912',
  'client-query-buffer-limit': '1073741824',
  'maxmemory-clients': '1073741824',
  'client-output-buffer-limit': 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  'stream-node-max-bytes': '4096',
  'stream-node-max-entries': '100',
  'list-max-listpack-size': '-2',
  'hash-max-listpack-entries': '512',
  'hash-max-listpack-value': '64',
  'set-max-intset-entries': '512',
  'zset-max-listpack-entries': '128',
  'zset-max-listpack-value': '64',
  'notify-keyspace-events': '',
  'lua-time-limit': '5000',
  'busy-reply-threshold': '5000',
  'lazyfree-lazy-user-del': 'no',
  'lazyfree-lazy-expire': 'no',
  'slowlog-log-slower-than': '10000',
  'slowlog-max-len': '128',
  'latency-monitor-threshold': '0',
  'cluster-enabled': 'no',
  requirepass: '',
  'min-replicas-to-write': '0',
  'min-replicas-max-lag': '10',
  hz: '10',
  loglevel: 'notice',
};

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1000, kb: 1024, m: 1e6, mb: 1024 ** 2, g: 1e9, gb: 1024 ** 3 };
const MEMORY_SETTINGS = new Set(['maxmemory', 'maxmemory-clients', 'proto-max-bulk-len', 'client-query-buffer-limit']);
const MOST_INT = 2n ** 31n - 1n;
const MOST_LONG = 2n ** 63n - 1n;
/** Settings that are whole numbers, and within what. */
const NUMBERS: Readonly<Record<string, readonly [least: bigint, most: bigint]>> = {
  maxclients: [1n, 2n ** 32n - 1n],
  timeout: [0n, MOST_INT],
  hz: [0n, MOST_INT],
  'tcp-keepalive': [0n, MOST_INT],
  'maxmemory-samples': [1n, MOST_INT],
  'lua-time-limit': [0n, MOST_LONG],
  'busy-reply-threshold': [0n, MOST_LONG],
  'slowlog-log-slower-than': [-1n, MOST_LONG],
  'slowlog-max-len': [0n, MOST_LONG],
  'latency-monitor-threshold': [0n, MOST_LONG],
};
/** Settings that are one of a few words. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  'maxmemory-policy': [
    'volatile-lru',
    'volatile-lfu',
    'volatile-random',
    'volatile-ttl',
    'allkeys-lru',
    'allkeys-lfu',
    'allkeys-random',
    'noeviction',
  ],
  appendfsync: ['everysec', 'always', 'no'],
  loglevel: ['debug', 'verbose', 'notice', 'warning'],
};
const SWITCHES = new Set(['appendonly', 'aof-use-rdb-preamble', 'lazyfree-lazy-user-del', 'lazyfree-lazy-expire']);
const LEAST_BULK_BYTES = 1024 * 1024;
const IMMUTABLE = new Set(['databases', 'cluster-enabled']);

export class Settings {
  readonly #values = new Map(Object.entries(DEFAULTS));
  /** In bytes; 0 for no limit. */
  maxMemory = 0;
  /** Largest bulk string in a request (proto-max-bulk-len). */
  bulkBytes = Number(DEFAULTS['proto-max-bulk-len']);
  /** Bytes a connection may hold beside the data: unfinished requests, a transaction's queue, what it watches and listens to. */
  queryBufferLimit = Number(DEFAULTS['client-query-buffer-limit']);
  /** Bytes that all connections together may hold, replies that they have not taken among them. 0 in the setting stands for no limit. */
  connectionsLimit = Number(DEFAULTS['maxmemory-clients']);
  /** Longest string value: as long as a bulk string may be, or a string of JavaScript, which is 24 bytes short of 512 MiB. */
  get stringBytes(): number {
    return Math.min(this.bulkBytes, constants.MAX_STRING_LENGTH);
  }
  maxClients = Number(DEFAULTS['maxclients']);

  constructor() {
    // Values live in the heap of the process, and a full heap ends the process. A full Redis only says OOM.
    this.set('maxmemory', String(Math.floor(getHeapStatistics().heap_size_limit * HEAP_SHARE)));
  }

  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  matching(pattern: string): [string, string][] {
    return [...this.#values].filter(([name]) => globMatches(pattern.toLowerCase(), name));
  }

  /** Why the setting cannot be this value; undefined when it can. */
  refusal(name: string, value: string): string | undefined {
    const reason = this.#fault(name, value);
    return reason && `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
  }

  #fault(name: string, value: string): string | undefined {
    if (IMMUTABLE.has(name)) return "can't set immutable config";
    if (MEMORY_SETTINGS.has(name)) {
      const bytes = memory(value);
      if (bytes === undefined) return 'argument must be a memory value';
      return name === 'proto-max-bulk-len' && bytes < LEAST_BULK_BYTES ? between(BigInt(LEAST_BULK_BYTES), MOST_LONG) : undefined;
    }
    if (SWITCHES.has(name)) return ['yes', 'no'].includes(value.toLowerCase()) ? undefined : "argument must be 'yes' or 'no'";
    const choices = CHOICES[name];
    if (choices !== undefined)
      return choices.includes(value.toLowerCase()) ? undefined : `argument(s) must be one of the following: ${choices.join(', ')}`;
    const range = NUMBERS[name];
    return range && outside(value, range);
  }

  set(name: string, value: string): void {
    const word = SWITCHES.has(name) || CHOICES[name] !== undefined;
    this.#values.set(name, MEMORY_SETTINGS.has(name) ? String(memory(value)) : word ? value.toLowerCase() : value);
    if (name === 'maxmemory') this.maxMemory = memory(value) ?? 0;
    if (name === 'proto-max-bulk-len') this.bulkBytes = memory(value) ?? 0;
    if (name === 'client-query-buffer-limit') this.queryBufferLimit = memory(value) ?? 0;
    if (name === 'maxmemory-clients') this.connectionsLimit = memory(value) || Infinity;
    if (name === 'maxclients') this.maxClients = Number(value);
  }
}

function outside(value: string, [least, most]: readonly [bigint, bigint]): string | undefined {
  const number = parseInteger(value);
  if (number === undefined) return "argument couldn't be parsed into an integer";
  return number < least || number > most ? between(least, most) : undefined;
}

function between(least: bigint, most: bigint): string {
  return `argument must be between ${least} and ${most} inclusive`;
}

function memory(value: string): number | undefined {
  const match = /^(\d+)([a-z]*)$/i.exec(value);
  const unit = match === null ? undefined : UNITS[(match[2] as string).toLowerCase()];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}
