import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { HashValue } from '../collections.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { addIntegers, parseInteger } from '../numbers.js';
import { CommandError, MapReply, OK, type Reply, SYNTAX_ERROR, wrongArity } from '../reply.js';
import { choose, firstOf } from './repeats.js';
import { scanElements } from './scan.js';

function writable(client: Client, key: string): HashValue {
  return client.db.hash(key) ?? new HashValue();
}

/** Stores a hash that was changed; new ones and old ones alike. */
function store(client: Client, key: string, hash: HashValue): void {
  if (hash.accounted === 0) client.db.set(key, hash);
  else client.db.changed(key, hash);
}

function hset(name: string, answer: (added: number) => Reply) {
  return (client: Client, args: Args): Reply => {
    if (args.count % 2 === 1) throw wrongArity(name);
    const key = args.text(1);
    const hash = writable(client, key);
    let added = 0;
    for (let at = 2; at < args.count; at += 2) if (hash.set(args.text(at), args.text(at + 1))) added += 1;
    store(client, key, hash);
    return answer(added);
  };
}

function hsetnx(client: Client, args: Args): Reply {
  const key = args.text(1);
  const hash = writable(client, key);
  const field = args.text(2);
  if (hash.fields.has(field)) return 0;
  hash.set(field, args.text(3));
  store(client, key, hash);
  return 1;
}

function hmget(client: Client, args: Args): Reply {
  const hash = client.db.hash(args.text(1));
  return args.texts(2).map((field) => hash?.fields.get(field) ?? null);
}

function hdel(client: Client, args: Args): Reply {
  const key = args.text(1);
  const hash = client.db.hash(key);
  if (hash === undefined) return 0;
  let removed = 0;
  for (let at = 2; at < args.count; at += 1) if (hash.delete(args.text(at))) removed += 1;
  if (hash.fields.size === 0) client.db.remove(key);
  else if (removed > 0) client.db.changed(key, hash);
  return removed;
}

function hincrby(client: Client, args: Args): Reply {
  const key = args.text(1);
  const by = args.int64(3);
  const hash = writable(client, key);
  const field = args.text(2);
  const old = hash.fields.get(field);
  const number = old === undefined ? 0 : parseInteger(old);
  if (number === undefined) throw new CommandError('ERR hash value is not an integer');
  const sum = addIntegers(number, by);
  if (sum === undefined) throw new CommandError('ERR increment or decrement would overflow');
  hash.set(field, String(sum));
  store(client, key, hash);
  return sum;
}

function hgetall(client: Client, args: Args): Reply {
  const flat: string[] = [];
  for (const [field, value] of client.db.hash(args.text(1))?.fields ?? []) flat.push(field, value);
  return new MapReply(flat);
}

/** Chance has no place here: the fields come in their order. */
function hrandfield(client: Client, args: Args): Reply {
  const count = args.count > 2 ? args.int(2) : undefined;
  if (args.count > 4 || (args.count === 4 && !args.is(3, 'WITHVALUES'))) throw SYNTAX_ERROR;
  const hash = client.db.hash(args.text(1));
  if (hash === undefined) return count === undefined ? null : [];
  if (count === undefined) return firstOf(hash.fields.keys(), 1)[0] as string;
  const chosen = choose(hash.fields, count);
  if (args.count === 3) return chosen.map(([field]) => field);
  return client.protocol === 3 ? chosen : chosen.flat();
}

export const hashCommands: readonly CommandSpec[] = [
  command(
    'hset',
    -4,
    'write denyoom fast',
    ONE_KEY,
    hset('hset', (added) => added),
  ),
  command(
    'hmset',
    -4,
    'write denyoom fast',
    ONE_KEY,
    hset('hmset', () => OK),
  ),
  command('hsetnx', 4, 'write denyoom fast', ONE_KEY, hsetnx),
  command('hget', 3, 'readonly fast', ONE_KEY, (client, args) => client.db.hash(args.text(1))?.fields.get(args.text(2)) ?? null),
  command('hmget', -3, 'readonly fast', ONE_KEY, hmget),
  command('hgetall', 2, 'readonly', ONE_KEY, hgetall),
  command('hdel', -3, 'write fast', ONE_KEY, hdel),
  command('hexists', 3, 'readonly fast', ONE_KEY, (client, args) => (client.db.hash(args.text(1))?.fields.has(args.text(2)) ? 1 : 0)),
  command('hlen', 2, 'readonly fast', ONE_KEY, (client, args) => client.db.hash(args.text(1))?.fields.size ?? 0),
  command('hstrlen', 3, 'readonly fast', ONE_KEY, (client, args) => client.db.hash(args.text(1))?.fields.get(args.text(2))?.length ?? 0),
  command('hkeys', 2, 'readonly', ONE_KEY, (client, args) => [...(client.db.hash(args.text(1))?.fields.keys() ?? [])]),
  command('hvals', 2, 'readonly', ONE_KEY, (client, args) => [...(client.db.hash(args.text(1))?.fields.values() ?? [])]),
  command('hincrby', 4, 'write denyoom fast', ONE_KEY, hincrby),
  command('hrandfield', -2, 'readonly', ONE_KEY, hrandfield),
  command('hscan', -3, 'readonly', ONE_KEY, (client, args) =>
    scanElements(
      client,
      args,
      () => client.db.hash(args.text(1))?.fields,
      ([field]) => field,
      (pair) => pair,
    ),
  ),
];
