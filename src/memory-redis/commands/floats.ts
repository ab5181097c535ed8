import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { HashValue } from '../collections.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { addLongDoubles, formatLongDouble, type LongDouble, parseLongDouble } from '../long-double.js';
import { CommandError, NOT_A_FLOAT, type Reply } from '../reply.js';

const NOT_FINITE = new CommandError('ERR increment would produce NaN or Infinity');
const HASH_VALUE = new CommandError('ERR hash value is not a float');
const INFINITE = /^[+-]?inf(inity)?$/i;

function read(text: string, error: CommandError): LongDouble {
  const value = parseLongDouble(text);
  if (value === undefined) throw error;
  return value;
}

/** The sum as Redis prints it. Infinities are numbers to it, but no result. */
function sum(old: string | undefined, by: string, error: CommandError): string {
  const infinite = INFINITE.test(by) || (old !== undefined && INFINITE.test(old));
  const a = old === undefined || INFINITE.test(old) ? undefined : read(old, error);
  const b = INFINITE.test(by) ? undefined : read(by, NOT_A_FLOAT);
  if (infinite) throw NOT_FINITE;
  return formatLongDouble(a === undefined ? (b as LongDouble) : addLongDoubles(a, b as LongDouble));
}

function incrbyfloat(client: Client, args: Args): Reply {
  const key = args.text(1);
  const value = sum(client.db.string(key), args.text(2), NOT_A_FLOAT);
  client.db.set(key, value, true);
  return value;
}

function hincrbyfloat(client: Client, args: Args): Reply {
  const key = args.text(1);
  const by = args.text(3);
  if (INFINITE.test(by)) throw new CommandError('ERR value is NaN or Infinity');
  read(by, NOT_A_FLOAT);
  const hash = client.db.hash(key) ?? new HashValue();
  const value = sum(hash.fields.get(args.text(2)), by, HASH_VALUE);
  hash.set(args.text(2), value);
  if (hash.accounted === 0) client.db.set(key, hash);
  else client.db.changed(key, hash);
  return value;
}

export const floatCommands: readonly CommandSpec[] = [
  command('incrbyfloat', 3, 'write denyoom fast', ONE_KEY, incrbyfloat),
  command('hincrbyfloat', 4, 'write denyoom fast', ONE_KEY, hincrbyfloat),
];
