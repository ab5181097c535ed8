import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { ListValue } from '../collections.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { CommandError, NO_SUCH_KEY, NULL_ARRAY, OK, OUT_OF_RANGE, type Reply, SYNTAX_ERROR } from '../reply.js';

export type End = 'LEFT' | 'RIGHT';

function push(end: End, onlyExisting: boolean) {
  return (client: Client, args: Args): Reply => {
    const key = args.text(1);
    const found = client.db.list(key);
    if (found === undefined && onlyExisting) return 0;
    const list = found ?? new ListValue();
    for (let at = 2; at < args.count; at += 1) put(list, end, args.text(at));
    store(client, key, list);
    return list.length;
  };
}

function put(list: ListValue, end: End, item: string): void {
  if (end === 'LEFT') list.unshift(item);
  else list.push(item);
}

export function take(list: ListValue, end: End): string | undefined {
  return end === 'LEFT' ? list.shift() : list.pop();
}

/** Stores a list that was changed; an empty one goes. */
export function store(client: Client, key: string, list: ListValue): void {
  if (list.length === 0) client.db.remove(key);
  else if (list.accounted === 0) client.db.set(key, list);
  else client.db.changed(key, list);
}

function pop(end: End) {
  return (client: Client, args: Args): Reply => {
    if (args.count > 3) throw new CommandError(`ERR wrong number of arguments for '${end === 'LEFT' ? 'lpop' : 'rpop'}' command`);
    const key = args.text(1);
    if (args.count === 2) {
      const list = client.db.list(key);
      const item = list === undefined ? undefined : take(list, end);
      if (list === undefined || item === undefined) return null;
      store(client, key, list);
      return item;
    }
    const count = args.int(2, 'ERR value is out of range, must be positive');
    if (count < 0) throw new CommandError('ERR value is out of range, must be positive');
    const list = client.db.list(key);
    if (list === undefined) return NULL_ARRAY;
    const items: string[] = [];
    while (items.length < count && list.length > 0) items.push(take(list, end) as string);
    if (items.length > 0) store(client, key, list);
    return items;
  };
}

/** The positions that `start` and `end` mean in something of this length, or undefined when there are none. */
export function clampRange(start: number, end: number, length: number): [start: number, end: number] | undefined {
  const from = Math.max(0, start < 0 ? start + length : start);
  const to = Math.min(length - 1, end < 0 ? end + length : end);
  return from > to || from >= length ? undefined : [from, to];
}

function lrange(client: Client, args: Args): Reply {
  const start = args.int(2);
  const end = args.int(3);
  const list = client.db.list(args.text(1));
  if (list === undefined) return [];
  const range = clampRange(start, end, list.length);
  return range === undefined ? [] : list.slice(...range);
}

function lindex(client: Client, args: Args): Reply {
  const list = client.db.list(args.text(1));
  if (list === undefined) return null;
  return list.at(args.int(2)) ?? null;
}

function lset(client: Client, args: Args): Reply {
  const key = args.text(1);
  const list = client.db.list(key);
  if (list === undefined) throw NO_SUCH_KEY;
  const index = args.int(2);
  const at = index < 0 ? index + list.length : index;
  if (at < 0 || at >= list.length) throw OUT_OF_RANGE;
  list.set(at, args.text(3));
  client.db.changed(key, list);
  return OK;
}

function ltrim(client: Client, args: Args): Reply {
  const start = args.int(2);
  const end = args.int(3);
  const key = args.text(1);
  const list = client.db.list(key);
  if (list === undefined) return OK;
  const range = clampRange(start, end, list.length);
  const [from, to] = range ?? [0, -1];
  for (let left = list.length - 1 - to; left > 0; left -= 1) list.pop();
  for (let left = from; left > 0; left -= 1) list.shift();
  store(client, key, list);
  return OK;
}

function lrem(client: Client, args: Args): Reply {
  const count = args.int(2);
  const key = args.text(1);
  const list = client.db.list(key);
  if (list === undefined) return 0;
  const unwanted = args.text(3);
  const most = count === 0 ? list.length : Math.abs(count);
  const items = list.slice(0, list.length - 1);
  if (count < 0) items.reverse();
  let removed = 0;
  const kept = items.filter((item) => item !== unwanted || removed === most || !(removed += 1));
  if (removed === 0) return 0;
  list.replace(count < 0 ? kept.reverse() : kept);
  store(client, key, list);
  return removed;
}

function linsert(client: Client, args: Args): Reply {
  const before = args.is(2, 'BEFORE');
  if (!before && !args.is(2, 'AFTER')) throw SYNTAX_ERROR;
  const key = args.text(1);
  const list = client.db.list(key);
  if (list === undefined) return 0;
  const items = list.slice(0, list.length - 1);
  const pivot = items.indexOf(args.text(3));
  if (pivot < 0) return -1;
  items.splice(before ? pivot : pivot + 1, 0, args.text(4));
  list.replace(items);
  store(client, key, list);
  return list.length;
}

export function readEnd(args: Args, index: number): End {
  if (args.is(index, 'LEFT')) return 'LEFT';
  if (args.is(index, 'RIGHT')) return 'RIGHT';
  throw SYNTAX_ERROR;
}

/** Moves one item from an end of one list to an end of another. Undefined when there is none. */
export function move(client: Client, from: string, to: string, fromEnd: End, toEnd: End): string | undefined {
  const source = client.db.list(from);
  if (source === undefined) return undefined;
  const target = from === to ? source : (client.db.list(to) ?? new ListValue());
  const item = take(source, fromEnd) as string;
  put(target, toEnd, item);
  store(client, from, source);
  if (target !== source) store(client, to, target);
  return item;
}

function lmove(client: Client, args: Args): Reply {
  return move(client, args.text(1), args.text(2), readEnd(args, 3), readEnd(args, 4)) ?? null;
}

const NEGATIVE_COUNT = new CommandError("ERR COUNT can't be negative");
const NEGATIVE_LENGTH = new CommandError("ERR MAXLEN can't be negative");

function lpos(client: Client, args: Args): Reply {
  let rank = 1;
  let count: number | undefined;
  let most = 0;
  for (let at = 3; at < args.count; at += 2) {
    if (at + 1 >= args.count) throw SYNTAX_ERROR;
    if (args.is(at, 'RANK')) {
      // The lowest number has no opposite: to Redis it means the last match, as -1 does.
      rank = args.int64(at + 1) === -(2n ** 63n) ? -1 : args.int(at + 1);
      if (rank === 0) {
        throw new CommandError(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        );
      }
    } else if (args.is(at, 'COUNT')) {
      count = args.int(at + 1, NEGATIVE_COUNT);
      if (count < 0) throw NEGATIVE_COUNT;
    } else if (args.is(at, 'MAXLEN')) {
      most = args.int(at + 1, NEGATIVE_LENGTH);
      if (most < 0) throw NEGATIVE_LENGTH;
    } else throw SYNTAX_ERROR;
  }
  const list = client.db.list(args.text(1));
  const wanted = count === 0 ? Number.MAX_SAFE_INTEGER : (count ?? 1);
  const found: number[] = [];
  let skip = Math.abs(rank) - 1;
  const length = list?.length ?? 0;
  const steps = most === 0 ? length : Math.min(most, length);
  for (let step = 0; step < steps && found.length < wanted; step += 1) {
    const index = rank > 0 ? step : length - 1 - step;
    if (list?.at(index) !== args.text(2)) continue;
    if (skip > 0) skip -= 1;
    else found.push(index);
  }
  return count === undefined ? (found[0] ?? null) : found;
}

export const listCommands: readonly CommandSpec[] = [
  command('lpush', -3, 'write denyoom fast', ONE_KEY, push('LEFT', false)),
  command('rpush', -3, 'write denyoom fast', ONE_KEY, push('RIGHT', false)),
  command('lpushx', -3, 'write denyoom fast', ONE_KEY, push('LEFT', true)),
  command('rpushx', -3, 'write denyoom fast', ONE_KEY, push('RIGHT', true)),
  command('lpop', -2, 'write fast', ONE_KEY, pop('LEFT')),
  command('rpop', -2, 'write fast', ONE_KEY, pop('RIGHT')),
  command('llen', 2, 'readonly fast', ONE_KEY, (client, args) => client.db.list(args.text(1))?.length ?? 0),
  command('lrange', 4, 'readonly', ONE_KEY, lrange),
  command('lindex', 3, 'readonly', ONE_KEY, lindex),
  command('lset', 4, 'write denyoom', ONE_KEY, lset),
  command('ltrim', 4, 'write', ONE_KEY, ltrim),
  command('lrem', 4, 'write', ONE_KEY, lrem),
  command('linsert', 5, 'write denyoom', ONE_KEY, linsert),
  command('rpoplpush', 3, 'write denyoom', [1, 2, 1], (client, args) => move(client, args.text(1), args.text(2), 'RIGHT', 'LEFT') ?? null),
  command('lpos', -3, 'readonly', ONE_KEY, lpos),
  command('lmove', 5, 'write denyoom', [1, 2, 1], lmove),
];
