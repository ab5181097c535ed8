import type { Args } from '../args.js';
import { printed } from '../bytes.js';
import type { Client } from '../client-state.js';
import { HashValue, ListValue, SetValue } from '../collections.js';
import { ALL_KEYS, type CommandSpec, command, NO_KEYS, ONE_KEY } from '../command-table.js';
import type { Database, Value } from '../database.js';
import { GlobBudget, globMatches } from '../glob.js';
import { parseInteger } from '../numbers.js';
import { CommandError, NO_SUCH_KEY, OK, type Reply, Status, SYNTAX_ERROR } from '../reply.js';
import { SortedSet } from '../sorted-set.js';
import { type ExpiryUnit, moment } from './expiry-times.js';
import { readScan } from './scan.js';

function typeName(value: Value | undefined): string {
  if (value === undefined) return 'none';
  if (typeof value === 'string') return 'string';
  if (value instanceof HashValue) return 'hash';
  if (value instanceof ListValue) return 'list';
  if (value instanceof SetValue) return 'set';
  return value instanceof SortedSet ? 'zset' : 'stream';
}

function remove(client: Client, args: Args): Reply {
  let count = 0;
  for (let at = 1; at < args.count; at += 1) if (client.db.remove(args.text(at))) count += 1;
  return count;
}

function exists(client: Client, args: Args): Reply {
  let count = 0;
  for (let at = 1; at < args.count; at += 1) if (client.db.get(args.text(at)) !== undefined) count += 1;
  return count;
}

function expire(unit: ExpiryUnit, name: string) {
  return (client: Client, args: Args): Reply => {
    const { db } = client;
    const key = args.text(1);
    const condition = readConditions(args);
    const at = moment(client, args, 2, unit, name);
    if (db.get(key) === undefined) return 0;
    const current = db.expiry(key);
    if (condition.has('NX') && current !== undefined) return 0;
    if (condition.has('XX') && current === undefined) return 0;
    if (condition.has('GT') && (current === undefined || at <= current)) return 0;
    if (condition.has('LT') && current !== undefined && at >= current) return 0;
    if (at <= client.engine.now) db.remove(key);
    else db.setExpiry(key, at);
    return 1;
  };
}

function readConditions(args: Args): Set<string> {
  const conditions = new Set<string>();
  for (let at = 3; at < args.count; at += 1) {
    const word = args.upper(at);
    if (!['NX', 'XX', 'GT', 'LT'].includes(word)) throw new CommandError(`ERR Unsupported option ${printed(args.text(at))}`);
    conditions.add(word);
  }
  if (conditions.has('NX') && conditions.size > 1)
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible');
  if (conditions.has('GT') && conditions.has('LT')) throw new CommandError('ERR GT and LT options at the same time are not compatible');
  return conditions;
}

/** What is left of a key's time: -2 without the key, -1 without an expiry. */
function timeLeft(shape: (at: number, now: number) => number) {
  return (client: Client, args: Args): Reply => {
    const key = args.text(1);
    if (client.db.get(key) === undefined) return -2;
    const at = client.db.expiry(key);
    return at === undefined ? -1 : shape(at, client.engine.now);
  };
}

function persist(client: Client, args: Args): Reply {
  const key = args.text(1);
  if (client.db.get(key) === undefined || client.db.expiry(key) === undefined) return 0;
  client.db.setExpiry(key, undefined);
  return 1;
}

function keys({ db }: Client, args: Args): Reply {
  const pattern = args.text(1);
  const budget = new GlobBudget();
  return [...db.keys()].filter((key) => db.get(key) !== undefined && globMatches(pattern, key, budget));
}

function scan(client: Client, args: Args): Reply {
  const { db, engine } = client;
  const options = readScan(args, 1, true);
  const { cursor, items } = engine.cursors.scan(db, () => db.keys(), options.cursor, options.count);
  const budget = new GlobBudget();
  const found = items.filter((key) => {
    if (options.match !== undefined && !globMatches(options.match, key, budget)) return false;
    const value = db.get(key);
    return value !== undefined && (options.type === undefined || options.type === typeName(value));
  });
  return [cursor, found];
}

function rename(onlyNew: boolean) {
  return (client: Client, args: Args): Reply => {
    const { db } = client;
    const from = args.text(1);
    const to = args.text(2);
    const value = db.get(from);
    if (value === undefined) throw NO_SUCH_KEY;
    if (onlyNew && db.get(to) !== undefined) return 0;
    if (from !== to) {
      const at = db.expiry(from);
      db.remove(from);
      db.remove(to);
      db.set(to, value);
      if (at !== undefined) db.setExpiry(to, at);
    }
    return onlyNew ? 1 : OK;
  };
}

function copyValue(value: Value): Value {
  if (typeof value === 'string') return value;
  return value.clone();
}

function copy(client: Client, args: Args): Reply {
  let target = client.db;
  let replace = false;
  for (let at = 3; at < args.count; at += 1) {
    if (args.is(at, 'REPLACE')) replace = true;
    else if (args.is(at, 'DB') && at + 1 < args.count) {
      at += 1;
      target = databaseOf(client, args.int(at));
    } else throw SYNTAX_ERROR;
  }
  const [from, to] = [args.text(1), args.text(2)];
  if (target === client.db && from === to) throw new CommandError('ERR source and destination objects are the same');
  const value = client.db.get(from);
  if (value === undefined || (!replace && target.get(to) !== undefined)) return 0;
  const at = client.db.expiry(from);
  client.engine.checkRoom(client.db.estimatedBytes(from, value));
  target.set(to, copyValue(value));
  if (at !== undefined) target.setExpiry(to, at);
  return 1;
}

function databaseOf(client: Client, index: number): Database {
  if (index < 0 || index >= client.engine.databases.length) throw new CommandError('ERR DB index is out of range');
  return client.engine.database(index);
}

function moveKey(client: Client, args: Args): Reply {
  const target = databaseOf(client, args.int(2));
  if (target === client.db) throw new CommandError('ERR source and destination objects are the same');
  const key = args.text(1);
  const value = client.db.get(key);
  if (value === undefined || target.get(key) !== undefined) return 0;
  const at = client.db.expiry(key);
  client.db.remove(key);
  target.set(key, value);
  if (at !== undefined) target.setExpiry(key, at);
  return 1;
}

function randomKey(client: Client): Reply {
  // Chance has no place here: the oldest key is as good as any.
  for (const key of client.db.keys()) if (client.db.get(key) !== undefined) return key;
  return null;
}

/** What Redis 7.0 would hold the value as, by its default thresholds. */
function encodingName(value: Value): string {
  if (typeof value === 'string') return parseInteger(value) !== undefined ? 'int' : value.length <= 44 ? 'embstr' : 'raw';
  if (value instanceof HashValue) {
    const small = value.fields.size <= 512 && [...value.fields].every(([field, text]) => field.length <= 64 && text.length <= 64);
    return small ? 'listpack' : 'hashtable';
  }
  if (value instanceof ListValue) return 'quicklist';
  if (value instanceof SetValue)
    return value.members.size <= 512 && [...value.members].every((member) => parseInteger(member) !== undefined) ? 'intset' : 'hashtable';
  if (value instanceof SortedSet)
    return value.size <= 128 && [...value.scores.keys()].every((member) => member.length <= 64) ? 'listpack' : 'skiplist';
  return 'stream';
}

function object(shape: (value: Value) => Reply) {
  return (client: Client, args: Args): Reply => {
    const value = client.db.get(args.text(2));
    return value === undefined ? null : shape(value);
  };
}

const NO_FREQUENCY = new CommandError(
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
);

/** Redis shares the objects of small integers, and counts no references to those. */
function references(value: Value): number {
  return typeof value === 'string' && /^(0|[1-9]\d{0,3})$/.test(value) ? 2_147_483_647 : 1;
}

function memoryUsage(client: Client, args: Args): Reply {
  for (let at = 3; at < args.count; at += 2) {
    if (!args.is(at, 'SAMPLES') || at + 1 >= args.count || args.int(at + 1) < 0) throw SYNTAX_ERROR;
  }
  const key = args.text(2);
  const value = client.db.get(key);
  return value === undefined ? null : client.db.estimatedBytes(key, value);
}

const never = (): Reply => SYNTAX_ERROR;

export const keyCommands: readonly CommandSpec[] = [
  command('del', -2, 'write', ALL_KEYS, remove),
  command('unlink', -2, 'write fast', ALL_KEYS, remove),
  command('exists', -2, 'readonly fast', ALL_KEYS, exists),
  command('touch', -2, 'readonly fast', ALL_KEYS, exists),
  command('type', 2, 'readonly fast', ONE_KEY, (client, args) => new Status(typeName(client.db.get(args.text(1))))),
  command('keys', 2, 'readonly', NO_KEYS, keys),
  command('scan', -2, 'readonly', NO_KEYS, scan),
  command('randomkey', 1, 'readonly', NO_KEYS, randomKey),
  command('rename', 3, 'write', [1, 2, 1], rename(false)),
  command('renamenx', 3, 'write fast', [1, 2, 1], rename(true)),
  command('copy', -3, 'write denyoom', [1, 2, 1], copy),
  command('move', 3, 'write fast', ONE_KEY, moveKey),
  command('expire', -3, 'write fast', ONE_KEY, expire('EX', 'expire')),
  command('pexpire', -3, 'write fast', ONE_KEY, expire('PX', 'pexpire')),
  command('expireat', -3, 'write fast', ONE_KEY, expire('EXAT', 'expireat')),
  command('pexpireat', -3, 'write fast', ONE_KEY, expire('PXAT', 'pexpireat')),
  command('persist', 2, 'write fast', ONE_KEY, persist),
  command(
    'ttl',
    2,
    'readonly fast',
    ONE_KEY,
    timeLeft((at, now) => Math.round((at - now) / 1000)),
  ),
  command(
    'pttl',
    2,
    'readonly fast',
    ONE_KEY,
    timeLeft((at, now) => at - now),
  ),
  command(
    'expiretime',
    2,
    'readonly fast',
    ONE_KEY,
    timeLeft((at) => Math.floor((at + 500) / 1000)),
  ),
  command(
    'pexpiretime',
    2,
    'readonly fast',
    ONE_KEY,
    timeLeft((at) => at),
  ),
  command('object', -2, '', NO_KEYS, never, [
    command('object|encoding', 3, 'readonly', [2, 2, 1], object(encodingName)),
    command('object|refcount', 3, 'readonly', [2, 2, 1], object(references)),
    command(
      'object|idletime',
      3,
      'readonly',
      [2, 2, 1],
      object(() => 0),
    ),
    command(
      'object|freq',
      3,
      'readonly',
      [2, 2, 1],
      object(() => NO_FREQUENCY),
    ),
  ]),
  command('memory', -2, '', NO_KEYS, never, [command('memory|usage', -3, 'readonly', [2, 2, 1], memoryUsage)]),
];
