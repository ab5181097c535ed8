import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { formatDouble } from '../numbers.js';
import { CommandError, Double, type Reply, SYNTAX_ERROR } from '../reply.js';
import { type Scored, SortedSet } from '../sorted-set.js';
import { scanElements } from './scan.js';
import { showScored, storeSorted } from './sorted-set-ranges.js';

const NOT_A_NUMBER = new CommandError('ERR resulting score is not a number (NaN)');

function zadd(client: Client, args: Args): Reply {
  const flags = new Set<string>();
  let at = 2;
  for (; at < args.count; at += 1) {
    const word = args.upper(at);
    if (!['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'].includes(word)) break;
    flags.add(word);
  }
  const increment = flags.has('INCR');
  const pairs = (args.count - at) / 2;
  if (pairs === 0 || !Number.isInteger(pairs)) throw SYNTAX_ERROR;
  if (flags.has('NX') && flags.has('XX')) throw new CommandError('ERR XX and NX options at the same time are not compatible');
  if ((flags.has('GT') && flags.has('NX')) || (flags.has('LT') && flags.has('NX')) || (flags.has('GT') && flags.has('LT'))) {
    throw new CommandError('ERR GT, LT, and/or NX options at the same time are not compatible');
  }
  if (increment && pairs > 1) throw new CommandError('ERR INCR option supports a single increment-element pair');
  // All scores are read before anything is changed: one bad one refuses the whole request.
  const scores: number[] = [];
  for (let pair = at; pair < args.count; pair += 2) scores.push(args.float(pair));
  const key = args.text(1);
  const found = client.db.sorted(key);
  if (found === undefined && flags.has('XX')) return increment ? null : 0;
  const set = found ?? new SortedSet();
  const outcome = { added: 0, updated: 0, score: undefined as number | undefined };
  for (const [index, score] of scores.entries()) addOne(set, args.text(at + index * 2 + 1), score, flags, outcome);
  if (outcome.added + outcome.updated > 0) storeSorted(client, key, set);
  if (increment) return outcome.score === undefined ? null : new Double(outcome.score);
  return flags.has('CH') ? outcome.added + outcome.updated : outcome.added;
}

function addOne(
  set: SortedSet,
  member: string,
  given: number,
  flags: ReadonlySet<string>,
  outcome: { added: number; updated: number; score: number | undefined },
): void {
  const old = set.scores.get(member);
  if (old === undefined) {
    if (flags.has('XX')) return;
    set.set(member, given);
    outcome.added += 1;
    outcome.score = given;
    return;
  }
  if (flags.has('NX')) return;
  const score = flags.has('INCR') ? old + given : given;
  if (Number.isNaN(score)) throw NOT_A_NUMBER;
  if ((flags.has('GT') && score <= old) || (flags.has('LT') && score >= old)) return;
  outcome.score = score;
  if (score === old) return;
  set.set(member, score);
  outcome.updated += 1;
}

function zincrby(client: Client, args: Args): Reply {
  const by = args.float(2);
  const key = args.text(1);
  const set = client.db.sorted(key) ?? new SortedSet();
  const score = (set.scores.get(args.text(3)) ?? 0) + by;
  if (Number.isNaN(score)) throw NOT_A_NUMBER;
  set.set(args.text(3), score);
  storeSorted(client, key, set);
  return new Double(score);
}

function zrem(client: Client, args: Args): Reply {
  const key = args.text(1);
  const set = client.db.sorted(key);
  if (set === undefined) return 0;
  let removed = 0;
  for (let at = 2; at < args.count; at += 1) if (set.delete(args.text(at))) removed += 1;
  if (removed > 0) storeSorted(client, key, set);
  return removed;
}

function rank(reverse: boolean) {
  return (client: Client, args: Args): Reply => {
    const set = client.db.sorted(args.text(1));
    if (set === undefined || !set.scores.has(args.text(2))) return null;
    const position = set.rank(args.text(2));
    return reverse ? set.size - 1 - position : position;
  };
}

/** Takes up to `count` members from one end. */
export function popScored(client: Client, key: string, end: 'min' | 'max', count: number): Scored[] {
  const set = client.db.sorted(key);
  if (set === undefined) return [];
  const items = end === 'min' ? set.slice(0, count) : set.slice(Math.max(0, set.size - count), set.size).reverse();
  for (const { member } of items) set.delete(member);
  if (items.length > 0) storeSorted(client, key, set);
  return items;
}

function pop(end: 'min' | 'max') {
  return (client: Client, args: Args): Reply => {
    if (args.count > 3) throw SYNTAX_ERROR;
    const single = args.count === 2;
    const wanted = single ? 1 : args.int(2, 'ERR value is out of range, must be positive');
    if (wanted < 0) throw new CommandError('ERR value is out of range, must be positive');
    const items = popScored(client, args.text(1), end, wanted);
    // One popped member is flat in RESP3 too, several are pairs.
    if (single) return items.flatMap(({ member, score }) => [member, new Double(score)]);
    return showScored(client, items, true);
  };
}

function zmscore(client: Client, args: Args): Reply {
  const set = client.db.sorted(args.text(1));
  return args.texts(2).map((member) => {
    const score = set?.scores.get(member);
    return score === undefined ? null : new Double(score);
  });
}

function zscore(client: Client, args: Args): Reply {
  const score = client.db.sorted(args.text(1))?.scores.get(args.text(2));
  return score === undefined ? null : new Double(score);
}

/** Redis holds small sorted sets as a list in their order, and scans them so. */
const HELD_IN_ORDER = 128;

function scannable(set: SortedSet | undefined): ReadonlyMap<string, number> | undefined {
  if (set === undefined || set.size > HELD_IN_ORDER) return set?.scores;
  return new Map(set.slice(0, set.size).map(({ member, score }) => [member, score]));
}

function zscan(client: Client, args: Args): Reply {
  return scanElements(
    client,
    args,
    () => scannable(client.db.sorted(args.text(1))),
    ([member]) => member,
    ([member, score]) => [member, formatDouble(score)],
  );
}

export const sortedSetCommands: readonly CommandSpec[] = [
  command('zadd', -4, 'write denyoom fast', ONE_KEY, zadd),
  command('zincrby', 4, 'write denyoom fast', ONE_KEY, zincrby),
  command('zrem', -3, 'write fast', ONE_KEY, zrem),
  command('zcard', 2, 'readonly fast', ONE_KEY, (client, args) => client.db.sorted(args.text(1))?.size ?? 0),
  command('zscore', 3, 'readonly fast', ONE_KEY, zscore),
  command('zmscore', -3, 'readonly fast', ONE_KEY, zmscore),
  command('zrank', 3, 'readonly fast', ONE_KEY, rank(false)),
  command('zrevrank', 3, 'readonly fast', ONE_KEY, rank(true)),
  command('zpopmin', -2, 'write fast', ONE_KEY, pop('min')),
  command('zpopmax', -2, 'write fast', ONE_KEY, pop('max')),
  command('zscan', -3, 'readonly', ONE_KEY, zscan),
];
