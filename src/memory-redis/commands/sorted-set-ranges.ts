import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { parseFloatLoose } from '../numbers.js';
import { CommandError, Double, type Reply, SYNTAX_ERROR } from '../reply.js';
import { type Scored, SortedSet } from '../sorted-set.js';
import { clampRange } from './lists.js';

const BAD_RANGE = new CommandError('ERR min or max is not a float');
const BAD_LEX_RANGE = new CommandError('ERR min or max not valid string range item');
const LIMIT_BY_RANK = new CommandError('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
const SCORES_BY_LEX = new CommandError('ERR syntax error, WITHSCORES not supported in combination with BYLEX');

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

type Option = 'WITHSCORES' | 'LIMIT' | 'REV' | 'BYSCORE' | 'BYLEX';

interface RangeOptions {
  readonly by: 'rank' | 'score' | 'lex';
  readonly reverse: boolean;
  readonly withScores: boolean;
  readonly offset: number;
  readonly limit: number;
}

const BY_RANK: RangeOptions = { by: 'rank', reverse: false, withScores: false, offset: 0, limit: -1 };

/** Reads the options that a command takes, from word `from` on. */
function readOptions(args: Args, from: number, defaults: RangeOptions, allowed: ReadonlySet<Option>): RangeOptions {
  const options = { ...defaults };
  for (let at = from; at < args.count; at += 1) {
    const word = args.upper(at) as Option;
    if (!allowed.has(word)) throw SYNTAX_ERROR;
    if (word === 'WITHSCORES') options.withScores = true;
    else if (word === 'REV') options.reverse = true;
    else if (word === 'BYSCORE' || word === 'BYLEX') {
      if (options.by !== 'rank') throw SYNTAX_ERROR;
      options.by = word === 'BYSCORE' ? 'score' : 'lex';
    } else {
      if (at + 2 >= args.count) throw SYNTAX_ERROR;
      options.offset = args.int(at + 1);
      options.limit = args.int(at + 2);
      at += 2;
    }
  }
  if (options.limit !== -1 && options.by === 'rank') throw LIMIT_BY_RANK;
  if (options.withScores && options.by === 'lex') throw SCORES_BY_LEX;
  return options;
}

/** Reads the bounds in words `at` and `at + 1`, even when there will be nothing to look at: a bad one is an error all the same. */
function readSelection(args: Args, at: number, options: RangeOptions): (set: SortedSet) => Scored[] {
  if (options.by === 'rank') {
    const [start, end] = [args.int(at), args.int(at + 1)];
    return (set) => {
      const clamped = clampRange(start, end, set.size);
      if (clamped === undefined) return [];
      const [from, to] = clamped;
      return options.reverse ? set.slice(set.size - 1 - to, set.size - from).reverse() : set.slice(from, to + 1);
    };
  }
  const bounds = [args.text(at), args.text(at + 1)];
  if (options.reverse) bounds.reverse();
  const [min, max] = bounds as [string, string];
  const asked = options.by === 'score' ? scoreRange(min, max) : lexRange(min, max);
  return (set) => {
    const [start, end] = positions(set, asked);
    if (options.offset < 0) return [];
    const most = options.limit < 0 ? Number.MAX_SAFE_INTEGER : options.limit;
    if (!options.reverse) return set.slice(start + options.offset, Math.min(end, start + options.offset + most));
    const to = end - options.offset;
    return to <= start ? [] : set.slice(Math.max(start, to - most), to).reverse();
  };
}

export function showScored(client: Client, items: readonly Scored[], withScores: boolean): Reply {
  if (!withScores) return items.map(({ member }) => member);
  if (client.protocol === 3) return items.map(({ member, score }) => [member, new Double(score)]);
  return items.flatMap(({ member, score }) => [member, new Double(score)]);
}

function range(defaults: Partial<RangeOptions>, allowed: readonly Option[]) {
  const options = new Set(allowed);
  return (client: Client, args: Args): Reply => {
    const read = readOptions(args, 4, { ...BY_RANK, ...defaults }, options);
    const select = readSelection(args, 2, read);
    const set = client.db.sorted(args.text(1));
    return set === undefined ? [] : showScored(client, select(set), read.withScores);
  };
}

const STORE_OPTIONS: ReadonlySet<Option> = new Set(['LIMIT', 'REV', 'BYSCORE', 'BYLEX']);

function rangeStore(client: Client, args: Args): Reply {
  const select = readSelection(args, 3, readOptions(args, 5, BY_RANK, STORE_OPTIONS));
  const set = client.db.sorted(args.text(2));
  return storeScored(client, args.text(1), set === undefined ? [] : select(set));
}

/** Makes the key a sorted set of these members; without any it goes. */
export function storeScored(client: Client, key: string, items: readonly Scored[]): number {
  client.db.remove(key);
  if (items.length === 0) return 0;
  const set = new SortedSet();
  for (const { member, score } of items) set.set(member, score);
  client.db.set(key, set);
  return set.size;
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
    if (items.length > 0) storeSorted(client, key, set);
    return items.length;
  };
}

/** Stores a sorted set that was changed; an empty one goes. */
export function storeSorted(client: Client, key: string, set: SortedSet): void {
  if (set.size === 0) client.db.remove(key);
  else if (set.accounted === 0) client.db.set(key, set);
  else client.db.changed(key, set);
}

function byRank(args: Args): (set: SortedSet) => [number, number] {
  const start = args.int(2);
  const end = args.int(3);
  return (set) => {
    const [from, to] = clampRange(start, end, set.size) ?? [0, -1];
    return [from, to + 1];
  };
}

function between(make: (min: string, max: string) => Range) {
  return (args: Args): ((set: SortedSet) => [number, number]) => {
    const asked = make(args.text(2), args.text(3));
    return (set) => positions(set, asked);
  };
}

const rangeAll = range({}, ['WITHSCORES', 'LIMIT', 'REV', 'BYSCORE', 'BYLEX']);
const rangeReverse = range({ reverse: true }, ['WITHSCORES']);
const rangeByScore = range({ by: 'score' }, ['WITHSCORES', 'LIMIT']);
const rangeByScoreReverse = range({ by: 'score', reverse: true }, ['WITHSCORES', 'LIMIT']);
const rangeByLex = range({ by: 'lex' }, ['LIMIT']);
const rangeByLexReverse = range({ by: 'lex', reverse: true }, ['LIMIT']);

export const sortedSetRangeCommands: readonly CommandSpec[] = [
  command('zcount', 4, 'readonly fast', ONE_KEY, count(scoreRange)),
  command('zlexcount', 4, 'readonly fast', ONE_KEY, count(lexRange)),
  command('zrange', -4, 'readonly', ONE_KEY, rangeAll),
  command('zrevrange', -4, 'readonly', ONE_KEY, rangeReverse),
  command('zrangebyscore', -4, 'readonly', ONE_KEY, rangeByScore),
  command('zrevrangebyscore', -4, 'readonly', ONE_KEY, rangeByScoreReverse),
  command('zrangebylex', -4, 'readonly', ONE_KEY, rangeByLex),
  command('zrevrangebylex', -4, 'readonly', ONE_KEY, rangeByLexReverse),
  command('zrangestore', -5, 'write denyoom', [1, 2, 1], rangeStore),
  command('zremrangebyrank', 4, 'write', ONE_KEY, removeRange(byRank)),
  command('zremrangebyscore', 4, 'write', ONE_KEY, removeRange(between(scoreRange))),
  command('zremrangebylex', 4, 'write', ONE_KEY, removeRange(between(lexRange))),
];
