import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { formatDouble, parseFloatLoose } from '../numbers.js';
import { CommandError, Double, type Reply, SYNTAX_ERROR } from '../reply.js';
import { type Scored, SortedSet } from '../sorted-set.js';
import { clampRange } from './lists.js';
import { scanElements } from './scan.js';

const BAD_RANGE = new CommandError('ERR min or max is not a float');
const BAD_LEX_RANGE = new CommandError('ERR min or max not valid string range item');
const NOT_A_NUMBER = new CommandError('ERR resulting score is not a number (NaN)');

function store(client: Client, key: string, set: SortedSet): void {
  if (set.size === 0) client.db.remove(key);
  else if (set.accounted === 0) client.db.set(key, set);
  else client.db.changed(key, set);
}

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
  if (outcome.added + outcome.updated > 0) store(client, key, set);
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
  store(client, key, set);
  return new Double(score);
}

function zrem(client: Client, args: Args): Reply {
  const key = args.text(1);
  const set = client.db.sorted(key);
  if (set === undefined) return 0;
  let removed = 0;
  for (let at = 2; at < args.count; at += 1) if (set.delete(args.text(at))) removed += 1;
  if (removed > 0) store(client, key, set);
  return removed;
}

/** Which members lie before a range, and which before its end: a range is the positions between. */
interface Range {
  readonly beforeStart: (item: Scored) => boolean;
  readonly beforeEnd: (item: Scored) => boolean;
}

function scoreRange(min: string, max: string): Range {
  const low = bound(min);
  const high = bound(max);
  return {
    beforeStart: ({ score }) => (low.exclusive ? score <= low.value : score < low.value),
    beforeEnd: ({ score }) => (high.exclusive ? score < high.value : score <= high.value),
  };
}

function bound(text: string): { value: number; exclusive: boolean } {
  const exclusive = text.startsWith('(');
  const value = parseFloatLoose(exclusive ? text.slice(1) : text);
  if (value === undefined) throw BAD_RANGE;
  return { value, exclusive };
}

function lexRange(min: string, max: string): Range {
  const below = (text: string, end: 'start' | 'end'): ((member: string) => boolean) => {
    const value = text.slice(1);
    if (text === '-') return () => false;
    if (text === '+') return () => true;
    if (text.startsWith('[')) return end === 'start' ? (member) => member < value : (member) => member <= value;
    if (text.startsWith('(')) return end === 'start' ? (member) => member <= value : (member) => member < value;
    throw BAD_LEX_RANGE;
  };
  const start = below(min, 'start');
  const end = below(max, 'end');
  return { beforeStart: ({ member }) => start(member), beforeEnd: ({ member }) => end(member) };
}

function positions(set: SortedSet, asked: Range): [start: number, end: number] {
  const start = set.countWhile(asked.beforeStart);
  return [start, Math.max(start, set.countWhile(asked.beforeEnd))];
}

interface RangeOptions {
  by: 'rank' | 'score' | 'lex';
  reverse: boolean;
  withScores: boolean;
  offset: number;
  limit: number;
}

function show(client: Client, items: readonly Scored[], withScores: boolean): Reply {
  if (!withScores) return items.map(({ member }) => member);
  if (client.protocol === 3) return items.map(({ member, score }) => [member, new Double(score)]);
  return items.flatMap(({ member, score }) => [member, new Double(score)]);
}

/** The members that the request's range names, in the order asked for. */
function select(set: SortedSet, first: string, last: string, options: RangeOptions, ranks: readonly [number, number]): Scored[] {
  if (options.by === 'rank') {
    const clamped = clampRange(...ranks, set.size);
    if (clamped === undefined) return [];
    const [from, to] = clamped;
    return options.reverse ? set.slice(set.size - 1 - to, set.size - from).reverse() : set.slice(from, to + 1);
  }
  const [min, max] = options.reverse ? [last, first] : [first, last];
  const [start, end] = positions(set, options.by === 'score' ? scoreRange(min, max) : lexRange(min, max));
  if (options.offset < 0) return [];
  const most = options.limit < 0 ? Number.MAX_SAFE_INTEGER : options.limit;
  if (!options.reverse) return set.slice(start + options.offset, Math.min(end, start + options.offset + most));
  const to = end - options.offset;
  return to <= start ? [] : set.slice(Math.max(start, to - most), to).reverse();
}

function readRangeOptions(args: Args, from: number, options: RangeOptions, allow: 'all' | 'limits' | 'scores'): RangeOptions {
  for (let at = from; at < args.count; at += 1) {
    if (allow !== 'limits' && args.is(at, 'WITHSCORES')) options.withScores = true;
    else if (allow !== 'scores' && args.is(at, 'LIMIT') && at + 2 < args.count) {
      options.offset = args.int(at + 1);
      options.limit = args.int(at + 2);
      at += 2;
    } else if (allow === 'all' && args.is(at, 'REV')) options.reverse = true;
    else if (allow === 'all' && args.is(at, 'BYSCORE')) options.by = 'score';
    else if (allow === 'all' && args.is(at, 'BYLEX')) options.by = 'lex';
    else throw SYNTAX_ERROR;
  }
  if (options.limit !== -1 && options.by === 'rank') {
    throw new CommandError('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
  }
  if (options.withScores && options.by === 'lex')
    throw new CommandError('ERR syntax error, WITHSCORES not supported in combination with BYLEX');
  return options;
}

function range(defaults: Partial<RangeOptions>, allow: (options: RangeOptions) => 'all' | 'limits' | 'scores' | 'both') {
  return (client: Client, args: Args): Reply => {
    const options: RangeOptions = { by: 'rank', reverse: false, withScores: false, offset: 0, limit: -1, ...defaults };
    const allowed = allow(options);
    if (allowed === 'both') readScoreOptions(args, options);
    else readRangeOptions(args, 4, options, allowed);
    const first = args.text(2);
    const last = args.text(3);
    // The bounds are read even when there is nothing to look at: a bad one is an error all the same.
    const ranks: [number, number] = options.by === 'rank' ? [args.int(2), args.int(3)] : [0, 0];
    if (options.by === 'score') scoreRange(first, last);
    if (options.by === 'lex') lexRange(first, last);
    const set = client.db.sorted(args.text(1));
    if (set === undefined) return [];
    return show(client, select(set, first, last, options, ranks), options.withScores);
  };
}

function readScoreOptions(args: Args, options: RangeOptions): void {
  for (let at = 4; at < args.count; at += 1) {
    if (args.is(at, 'WITHSCORES')) options.withScores = true;
    else if (args.is(at, 'LIMIT') && at + 2 < args.count) {
      options.offset = args.int(at + 1);
      options.limit = args.int(at + 2);
      at += 2;
    } else throw SYNTAX_ERROR;
  }
}

function count(make: (min: string, max: string) => Range) {
  return (client: Client, args: Args): Reply => {
    const asked = make(args.text(2), args.text(3));
    const set = client.db.sorted(args.text(1));
    if (set === undefined) return 0;
    const [start, end] = positions(set, asked);
    return end - start;
  };
}

function removeRange(find: (args: Args) => (set: SortedSet) => [start: number, end: number]) {
  return (client: Client, args: Args): Reply => {
    const where = find(args);
    const key = args.text(1);
    const set = client.db.sorted(key);
    if (set === undefined) return 0;
    const items = set.slice(...where(set));
    for (const { member } of items) set.delete(member);
    if (items.length > 0) store(client, key, set);
    return items.length;
  };
}

function byRank(args: Args): (set: SortedSet) => [number, number] {
  const start = args.int(2);
  const end = args.int(3);
  return (set) => {
    const [from, to] = clampRange(start, end, set.size) ?? [0, -1];
    return [from, to + 1];
  };
}

function rank(reverse: boolean) {
  return (client: Client, args: Args): Reply => {
    const set = client.db.sorted(args.text(1));
    if (set === undefined || !set.scores.has(args.text(2))) return null;
    const position = set.rank(args.text(2));
    return reverse ? set.size - 1 - position : position;
  };
}

function pop(end: 'min' | 'max') {
  return (client: Client, args: Args): Reply => {
    if (args.count > 3) throw SYNTAX_ERROR;
    const single = args.count === 2;
    const wanted = single ? 1 : args.int(2, new CommandError('ERR value is out of range, must be positive'));
    if (wanted < 0) throw new CommandError('ERR value is out of range, must be positive');
    const key = args.text(1);
    const set = client.db.sorted(key);
    if (set === undefined) return [];
    const items = end === 'min' ? set.slice(0, wanted) : set.slice(Math.max(0, set.size - wanted), set.size).reverse();
    for (const { member } of items) set.delete(member);
    if (items.length > 0) store(client, key, set);
    // One popped member is flat in RESP3 too, several are pairs.
    if (single) return items.flatMap(({ member, score }) => [member, new Double(score)]);
    return show(client, items, true);
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

export const sortedSetCommands: readonly CommandSpec[] = [
  command('zadd', -4, 'write denyoom fast', ONE_KEY, zadd),
  command('zincrby', 4, 'write denyoom fast', ONE_KEY, zincrby),
  command('zrem', -3, 'write fast', ONE_KEY, zrem),
  command('zcard', 2, 'readonly fast', ONE_KEY, (client, args) => client.db.sorted(args.text(1))?.size ?? 0),
  command('zscore', 3, 'readonly fast', ONE_KEY, zscore),
  command('zmscore', -3, 'readonly fast', ONE_KEY, zmscore),
  command('zrank', 3, 'readonly fast', ONE_KEY, rank(false)),
  command('zrevrank', 3, 'readonly fast', ONE_KEY, rank(true)),
  command('zcount', 4, 'readonly fast', ONE_KEY, count(scoreRange)),
  command('zlexcount', 4, 'readonly fast', ONE_KEY, count(lexRange)),
  command(
    'zrange',
    -4,
    'readonly',
    ONE_KEY,
    range({}, () => 'all'),
  ),
  command(
    'zrevrange',
    -4,
    'readonly',
    ONE_KEY,
    range({ reverse: true }, () => 'scores'),
  ),
  command(
    'zrangebyscore',
    -4,
    'readonly',
    ONE_KEY,
    range({ by: 'score' }, () => 'both'),
  ),
  command(
    'zrevrangebyscore',
    -4,
    'readonly',
    ONE_KEY,
    range({ by: 'score', reverse: true }, () => 'both'),
  ),
  command(
    'zrangebylex',
    -4,
    'readonly',
    ONE_KEY,
    range({ by: 'lex' }, () => 'limits'),
  ),
  command(
    'zrevrangebylex',
    -4,
    'readonly',
    ONE_KEY,
    range({ by: 'lex', reverse: true }, () => 'limits'),
  ),
  command('zremrangebyrank', 4, 'write', ONE_KEY, removeRange(byRank)),
  command(
    'zremrangebyscore',
    4,
    'write',
    ONE_KEY,
    removeRange((args) => {
      const asked = scoreRange(args.text(2), args.text(3));
      return (set) => positions(set, asked);
    }),
  ),
  command(
    'zremrangebylex',
    4,
    'write',
    ONE_KEY,
    removeRange((args) => {
      const asked = lexRange(args.text(2), args.text(3));
      return (set) => positions(set, asked);
    }),
  ),
  command('zpopmin', -2, 'write fast', ONE_KEY, pop('min')),
  command('zpopmax', -2, 'write fast', ONE_KEY, pop('max')),
  command('zscan', -3, 'readonly', ONE_KEY, (client, args) =>
    scanElements(
      client,
      args,
      () => client.db.sorted(args.text(1))?.scores,
      ([member]) => member,
      ([member, score]) => [member, formatDouble(score)],
    ),
  ),
];
