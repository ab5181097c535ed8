import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { ListValue } from '../collections.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { LONGEST_FLOAT } from '../numbers.js';
import { CommandError, Double, NULL_ARRAY, type Reply, SYNTAX_ERROR } from '../reply.js';
import { SortedSet } from '../sorted-set.js';
import { block } from '../waiting.js';
import { type End, move, readEnd, store, take } from './lists.js';
import { popScored } from './sorted-sets.js';

/** Seconds, with fractions, as milliseconds. */
function readTimeout(args: Args, index: number): number {
  const text = args.text(index);
  // C reads it as a long double: what a double cannot hold is still a number, and turned into milliseconds it comes out negative.
  const seconds =
    text.length <= LONGEST_FLOAT && /^\+?\d+(\.\d*)?e\+?\d{3,}$/i.test(text)
      ? Infinity
      : args.float(index, 'ERR timeout is not a float or out of range');
  if (seconds < 0 || seconds * 1000 > Number.MAX_SAFE_INTEGER) throw new CommandError('ERR timeout is negative');
  return Math.ceil(seconds * 1000);
}

function blockingPop(end: End, name: string) {
  return (client: Client, args: Args): Reply => {
    const timeout = readTimeout(args, args.count - 1);
    const keys = args.texts(1, args.count - 1);
    const attempt = (key: string): Reply | undefined => {
      const list = client.db.list(key);
      const item = list === undefined ? undefined : take(list, end);
      if (list === undefined || item === undefined) return undefined;
      store(client, key, list);
      return [key, item];
    };
    for (const key of keys) {
      const reply = attempt(key);
      if (reply !== undefined) return reply;
    }
    // A key of another type does not end the wait: only lists do.
    const later = (key: string): Reply | undefined => (client.db.get(key) instanceof ListValue ? attempt(key) : undefined);
    return block(client, {
      command: name,
      keys,
      timeout,
      onTimeout: NULL_ARRAY,
      attempt: later,
      served: (key) => [name, key, '0'],
    });
  };
}

function blockingMove(client: Client, args: Args, fromEnd: End, toEnd: End, name: string): Reply {
  const timeout = readTimeout(args, args.count - 1);
  const from = args.text(1);
  const to = args.text(2);
  const moved = move(client, from, to, fromEnd, toEnd);
  if (moved !== undefined) return moved;
  return block(client, {
    command: name,
    keys: [from],
    timeout,
    onTimeout: NULL_ARRAY,
    denied: null,
    attempt: () => (client.db.get(from) instanceof ListValue ? move(client, from, to, fromEnd, toEnd) : undefined),
    served: () => ['LMOVE', from, to, fromEnd, toEnd],
  });
}

/** What LMPOP and ZMPOP pop: from the first key that has anything, at one of its ends. */
interface PopRequest {
  readonly keys: readonly string[];
  readonly end: string;
  readonly count: number;
}

const BAD_COUNT = new CommandError('ERR count should be greater than 0');
const BAD_KEYS = new CommandError('ERR numkeys should be greater than 0');

/** Reads `numkeys key… end [COUNT n]` from word `from` on. */
function readPop(args: Args, from: number, ends: readonly [string, string]): PopRequest {
  const count = args.int(from, BAD_KEYS);
  if (count <= 0) throw BAD_KEYS;
  const at = from + count + 1;
  if (at >= args.count) throw SYNTAX_ERROR;
  const end = args.upper(at);
  if (end !== ends[0] && end !== ends[1]) throw SYNTAX_ERROR;
  let most = 1;
  let counted = false;
  for (let option = at + 1; option < args.count; option += 2) {
    if (counted || !args.is(option, 'COUNT') || option + 1 >= args.count) throw SYNTAX_ERROR;
    most = args.int(option + 1, BAD_COUNT);
    if (most <= 0) throw BAD_COUNT;
    counted = true;
  }
  return { keys: args.texts(from + 1, at), end, count: most };
}

function lmpop(client: Client, { end, count }: PopRequest, key: string): Reply | undefined {
  const list = client.db.list(key);
  if (list === undefined) return undefined;
  const items: string[] = [];
  while (items.length < count && list.length > 0) items.push(take(list, end as End) as string);
  store(client, key, list);
  return [key, items];
}

function zmpop(client: Client, { end, count }: PopRequest, key: string): Reply | undefined {
  if (client.db.sorted(key) === undefined) return undefined;
  const items = popScored(client, key, end === 'MIN' ? 'min' : 'max', count);
  return [key, items.map(({ member, score }) => [member, new Double(score)])];
}

type Pop = (client: Client, request: PopRequest, key: string) => Reply | undefined;

function popFirst(client: Client, request: PopRequest, pop: Pop): Reply | undefined {
  for (const key of request.keys) {
    const reply = pop(client, request, key);
    if (reply !== undefined) return reply;
  }
  return undefined;
}

function mpop(ends: readonly [string, string], pop: Pop) {
  return (client: Client, args: Args): Reply => popFirst(client, readPop(args, 1, ends), pop) ?? NULL_ARRAY;
}

function blockingMpop(name: string, ends: readonly [string, string], pop: Pop, holds: (value: unknown) => boolean) {
  return (client: Client, args: Args): Reply => {
    const request = readPop(args, 2, ends);
    const timeout = readTimeout(args, 1);
    const attempt = (key: string): Reply | undefined => (holds(client.db.get(key)) ? pop(client, request, key) : undefined);
    return (
      popFirst(client, request, pop) ??
      block(client, {
        command: name,
        keys: request.keys,
        timeout,
        onTimeout: NULL_ARRAY,
        attempt,
        served: (key) => [name.slice(1), '1', key, request.end, 'COUNT', String(request.count)],
      })
    );
  };
}

function blockingZpop(end: 'min' | 'max') {
  return (client: Client, args: Args): Reply => {
    const timeout = readTimeout(args, args.count - 1);
    const keys = args.texts(1, args.count - 1);
    const pop = (key: string): Reply | undefined => {
      if (client.db.sorted(key) === undefined) return undefined;
      const [popped] = popScored(client, key, end, 1);
      return popped && [key, popped.member, new Double(popped.score)];
    };
    for (const key of keys) {
      const reply = pop(key);
      if (reply !== undefined) return reply;
    }
    const attempt = (key: string): Reply | undefined => (client.db.get(key) instanceof SortedSet ? pop(key) : undefined);
    return block(client, {
      command: `bzpop${end}`,
      keys,
      timeout,
      onTimeout: NULL_ARRAY,
      attempt,
      served: (key) => [`ZPOP${end}`, key],
    });
  };
}

const LIST_ENDS = ['LEFT', 'RIGHT'] as const;
const SCORE_ENDS = ['MIN', 'MAX'] as const;
const isList = (value: unknown): boolean => value instanceof ListValue;
const isSorted = (value: unknown): boolean => value instanceof SortedSet;

export const blockingCommands: readonly CommandSpec[] = [
  command('blpop', -3, 'write noscript blocking', [1, -2, 1], blockingPop('LEFT', 'blpop')),
  command('brpop', -3, 'write noscript blocking', [1, -2, 1], blockingPop('RIGHT', 'brpop')),
  command('brpoplpush', 4, 'write denyoom noscript blocking', [1, 2, 1], (client, args) =>
    blockingMove(client, args, 'RIGHT', 'LEFT', 'brpoplpush'),
  ),
  command('blmove', 6, 'write denyoom noscript blocking', [1, 2, 1], (client, args) =>
    blockingMove(client, args, readEnd(args, 3), readEnd(args, 4), 'blmove'),
  ),
  command('lmpop', -4, 'write movablekeys', NO_KEYS, mpop(LIST_ENDS, lmpop)),
  command('blmpop', -5, 'write blocking movablekeys', NO_KEYS, blockingMpop('blmpop', LIST_ENDS, lmpop, isList)),
  command('zmpop', -4, 'write movablekeys', NO_KEYS, mpop(SCORE_ENDS, zmpop)),
  command('bzmpop', -5, 'write blocking movablekeys', NO_KEYS, blockingMpop('bzmpop', SCORE_ENDS, zmpop, isSorted)),
  command('bzpopmin', -3, 'write noscript blocking fast', [1, -2, 1], blockingZpop('min')),
  command('bzpopmax', -3, 'write noscript blocking fast', [1, -2, 1], blockingZpop('max')),
];
