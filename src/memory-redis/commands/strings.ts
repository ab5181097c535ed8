import type { Args } from '../args.js';
import { writeLatin1 } from '../bytes.js';
import type { Client } from '../client-state.js';
import { ALL_KEYS, type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { addIntegers, type Int64, parseInteger } from '../numbers.js';
import { CommandError, NOT_AN_INTEGER, OK, type Reply, STRING_TOO_LONG, SYNTAX_ERROR } from '../reply.js';
import { deadline, type ExpiryUnit, isExpiryUnit } from './expiry-times.js';

const WOULD_OVERFLOW = new CommandError('ERR increment or decrement would overflow');
/** A string made of pieces is made one again after so many of its parts have been added. */
const PIECES = 64;

interface SetOptions {
  /** Which word says when, and in what. It is read after all other options: a syntax error further on comes first. */
  expiry: { readonly unit: ExpiryUnit; readonly at: number } | undefined;
  keepTtl: boolean;
  only: 'NX' | 'XX' | undefined;
  get: boolean;
  persist: boolean;
}

/** The options that follow SET's value, or GETEX's key. */
function readOptions(args: Args, from: number, of: 'set' | 'getex'): SetOptions {
  const options: SetOptions = { expiry: undefined, keepTtl: false, only: undefined, get: false, persist: false };
  for (let at = from; at < args.count; at += 1) {
    const word = args.upper(at);
    if (of === 'set' && (word === 'NX' || word === 'XX') && options.only !== (word === 'NX' ? 'XX' : 'NX')) options.only = word;
    else if (of === 'set' && word === 'GET') options.get = true;
    else if (of === 'set' && word === 'KEEPTTL' && options.expiry === undefined) options.keepTtl = true;
    else if (of === 'getex' && word === 'PERSIST' && options.expiry === undefined) options.persist = true;
    else if (isExpiryUnit(word) && at + 1 < args.count && (options.expiry?.unit ?? word) === word && !options.keepTtl && !options.persist) {
      // The same word may come again, and the last one counts.
      at += 1;
      options.expiry = { unit: word, at };
    } else throw SYNTAX_ERROR;
  }
  return options;
}

function set(client: Client, args: Args): Reply {
  const { db } = client;
  const key = args.text(1);
  const options = readOptions(args, 3, 'set');
  const at = options.expiry && deadline(client, args, options.expiry.at, options.expiry.unit, 'set');
  const old = options.get ? (db.string(key) ?? null) : undefined;
  if (options.only !== undefined && (db.get(key) !== undefined) !== (options.only === 'XX')) return old ?? null;
  db.set(key, args.text(2), options.keepTtl);
  expire(client, key, at);
  return old === undefined ? OK : old;
}

function expire(client: Client, key: string, at: number | undefined): void {
  if (at === undefined) return;
  if (at <= client.engine.now) client.db.remove(key);
  else client.db.setExpiry(key, at);
}

function setWithExpiry(unit: ExpiryUnit, name: string) {
  return (client: Client, args: Args): Reply => {
    const at = deadline(client, args, 2, unit, name);
    client.db.set(args.text(1), args.text(3));
    expire(client, args.text(1), at);
    return OK;
  };
}

function getex(client: Client, args: Args): Reply {
  const key = args.text(1);
  const options = readOptions(args, 2, 'getex');
  const value = client.db.string(key);
  if (value === undefined) return null;
  const at = options.expiry && deadline(client, args, options.expiry.at, options.expiry.unit, 'getex');
  if (options.persist) {
    if (client.db.expiry(key) !== undefined) client.db.setExpiry(key, undefined);
  } else expire(client, key, at);
  return value;
}

function add(client: Client, key: string, by: Int64): Reply {
  const { db } = client;
  const old = db.string(key);
  const number = old === undefined ? 0 : parseInteger(old);
  if (number === undefined) throw NOT_AN_INTEGER;
  const sum = addIntegers(number, by);
  if (sum === undefined) throw WOULD_OVERFLOW;
  db.set(key, String(sum), true);
  return sum;
}

function decrby(client: Client, args: Args): Reply {
  const by = args.int64(2);
  if (by === -(2n ** 63n)) throw new CommandError('ERR decrement would overflow');
  return add(client, args.text(1), typeof by === 'number' ? -by : -by);
}

function append(client: Client, args: Args): Reply {
  const { db } = client;
  const key = args.text(1);
  const old = db.string(key) ?? '';
  if (old.length + args.length(2) > client.engine.settings.stringBytes) throw STRING_TOO_LONG;
  const value = joined(old, args.text(2));
  db.set(key, value, true);
  return value.length;
}

/**
 * JavaScript keeps a sum of strings as a tree of its parts. Values that grow by a byte at a time would take many times their length:
 * the tree is made one string again each time that it has grown by a part of itself, so that all the copying is in proportion to the length.
 */
function joined(old: string, more: string): string {
  const value = old + more;
  const step = Math.max(PIECES, 2 ** Math.floor(Math.log2(value.length || 1)) / PIECES);
  // Reading a character of it is not enough; whatever takes the bytes needs them in one piece.
  if (Math.floor(value.length / step) !== Math.floor(old.length / step)) writeLatin1(FLATTENED, value, 0);
  return value;
}

const FLATTENED = Buffer.alloc(PIECES);

function setrange(client: Client, args: Args): Reply {
  const { db } = client;
  const key = args.text(1);
  const offset = args.int(2);
  if (offset < 0) throw new CommandError('ERR offset is out of range');
  const old = db.string(key);
  client.engine.checkRoom(Math.max(0, offset - (old?.length ?? 0)));
  const part = args.text(3);
  if (part === '') return old?.length ?? 0;
  if (offset + part.length > client.engine.settings.stringBytes) throw STRING_TOO_LONG;
  const padded = (old ?? '').padEnd(offset, '\0');
  const value = padded.slice(0, offset) + part + padded.slice(offset + part.length);
  db.set(key, value, true);
  return value.length;
}

function getrange(client: Client, args: Args): Reply {
  let start = args.int(2);
  let end = args.int(3);
  const value = client.db.string(args.text(1));
  if (value === undefined) return '';
  if (start < 0 && end < 0 && start > end) return '';
  if (start < 0) start = Math.max(0, start + value.length);
  if (end < 0) end = Math.max(0, end + value.length);
  return start > end ? '' : value.slice(start, end + 1);
}

function mset(client: Client, args: Args): Reply {
  if (args.count % 2 === 0) throw new CommandError("ERR wrong number of arguments for 'mset' command");
  for (let at = 1; at < args.count; at += 2) client.db.set(args.text(at), args.text(at + 1));
  return OK;
}

function msetnx(client: Client, args: Args): Reply {
  if (args.count % 2 === 0) throw new CommandError("ERR wrong number of arguments for 'msetnx' command");
  for (let at = 1; at < args.count; at += 2) if (client.db.get(args.text(at)) !== undefined) return 0;
  mset(client, args);
  return 1;
}

function mget(client: Client, args: Args): Reply {
  return args.texts(1).map((key) => {
    const value = client.db.get(key);
    return typeof value === 'string' ? value : null;
  });
}

function getset(client: Client, args: Args): Reply {
  const old = client.db.string(args.text(1)) ?? null;
  client.db.set(args.text(1), args.text(2));
  return old;
}

function getdel(client: Client, args: Args): Reply {
  const value = client.db.string(args.text(1));
  if (value === undefined) return null;
  client.db.remove(args.text(1));
  return value;
}

function setnx(client: Client, args: Args): Reply {
  if (client.db.get(args.text(1)) !== undefined) return 0;
  client.db.set(args.text(1), args.text(2));
  return 1;
}

export const stringCommands: readonly CommandSpec[] = [
  command('get', 2, 'readonly fast', ONE_KEY, (client, args) => client.db.string(args.text(1)) ?? null),
  command('set', -3, 'write denyoom', ONE_KEY, set),
  command('setnx', 3, 'write denyoom fast', ONE_KEY, setnx),
  command('setex', 4, 'write denyoom', ONE_KEY, setWithExpiry('EX', 'setex')),
  command('psetex', 4, 'write denyoom', ONE_KEY, setWithExpiry('PX', 'psetex')),
  command('getset', 3, 'write denyoom fast', ONE_KEY, getset),
  command('getdel', 2, 'write fast', ONE_KEY, getdel),
  command('getex', -2, 'write fast', ONE_KEY, getex),
  command('append', 3, 'write denyoom fast', ONE_KEY, append),
  command('strlen', 2, 'readonly fast', ONE_KEY, (client, args) => client.db.string(args.text(1))?.length ?? 0),
  command('setrange', 4, 'write denyoom', ONE_KEY, setrange),
  command('getrange', 4, 'readonly', ONE_KEY, getrange),
  command('substr', 4, 'readonly', ONE_KEY, getrange),
  command('incr', 2, 'write denyoom fast', ONE_KEY, (client, args) => add(client, args.text(1), 1)),
  command('decr', 2, 'write denyoom fast', ONE_KEY, (client, args) => add(client, args.text(1), -1)),
  command('incrby', 3, 'write denyoom fast', ONE_KEY, (client, args) => add(client, args.text(1), args.int64(2))),
  command('decrby', 3, 'write denyoom fast', ONE_KEY, decrby),
  command('mget', -2, 'readonly fast', ALL_KEYS, mget),
  command('mset', -3, 'write denyoom', [1, -1, 2], mset),
  command('msetnx', -3, 'write denyoom', [1, -1, 2], msetnx),
];
