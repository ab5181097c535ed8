import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { SetValue } from '../collections.js';
import { type CommandSpec, command, NO_KEYS, ONE_KEY } from '../command-table.js';
import { CommandError, Double, type Reply, SYNTAX_ERROR, WRONG_TYPE } from '../reply.js';
import { type Scored, SortedSet } from '../sorted-set.js';
import { choose } from './repeats.js';
import { showScored, storeScored } from './sorted-set-ranges.js';

type Operation = 'union' | 'inter' | 'diff';
type Aggregate = 'SUM' | 'MIN' | 'MAX';

interface Request {
  readonly sets: readonly (ReadonlyMap<string, number> | undefined)[];
  readonly weights: readonly number[];
  readonly aggregate: Aggregate;
  readonly withScores: boolean;
}

/** Reads `numkeys key… [WEIGHTS w…] [AGGREGATE how] [WITHSCORES]` from word `from` on. */
function readRequest(client: Client, args: Args, from: number, operation: Operation, name: string, stores: boolean): Request {
  const count = args.int(from);
  if (count < 1) throw new CommandError(`ERR at least 1 input key is needed for '${name}' command`);
  if (count > args.count - from - 1) throw SYNTAX_ERROR;
  // A key of another type is found before an option that makes no sense.
  const sets = args.texts(from + 1, from + 1 + count).map((key) => scoresOf(client, key));
  let weights: readonly number[] = sets.map(() => 1);
  let aggregate: Aggregate = 'SUM';
  let withScores = false;
  for (let at = from + 1 + count; at < args.count; at += 1) {
    const left = args.count - at - 1;
    if (operation !== 'diff' && args.is(at, 'WEIGHTS') && left >= count) {
      const first = at + 1;
      weights = sets.map((_, index) => args.float(first + index, 'ERR weight value is not a float'));
      at += count;
    } else if (operation !== 'diff' && args.is(at, 'AGGREGATE') && left >= 1) {
      at += 1;
      const how = args.upper(at);
      if (how !== 'SUM' && how !== 'MIN' && how !== 'MAX') throw SYNTAX_ERROR;
      aggregate = how;
    } else if (!stores && args.is(at, 'WITHSCORES')) withScores = true;
    else throw SYNTAX_ERROR;
  }
  return { sets, weights, aggregate, withScores };
}

/** A key's members with their scores; those of a plain set all have 1. */
function scoresOf(client: Client, key: string): ReadonlyMap<string, number> | undefined {
  const value = client.db.get(key);
  if (value === undefined) return undefined;
  if (value instanceof SortedSet) return value.scores;
  if (value instanceof SetValue) return new Map([...value.members].map((member) => [member, 1]));
  throw WRONG_TYPE;
}

function combine(a: number, b: number, aggregate: Aggregate): number {
  if (aggregate === 'MIN') return Math.min(a, b);
  if (aggregate === 'MAX') return Math.max(a, b);
  const sum = a + b;
  // Infinity and minus infinity cancel each other out.
  return Number.isNaN(sum) ? 0 : sum;
}

function weigh(score: number, weight: number): number {
  const value = score * weight;
  return Number.isNaN(value) ? 0 : value;
}

function compute(operation: Operation, { sets, weights, aggregate }: Request): Scored[] {
  const result = new Map<string, number>();
  const [first, ...others] = sets;
  if (operation === 'diff') {
    for (const [member, score] of first ?? []) if (!others.some((set) => set?.has(member))) result.set(member, score);
  } else if (operation === 'inter') {
    for (const member of first?.keys() ?? []) {
      if (!sets.every((set) => set?.has(member))) continue;
      const scores = sets.map((set, index) => weigh(set?.get(member) as number, weights[index] as number));
      result.set(
        member,
        scores.reduce((a, b) => combine(a, b, aggregate)),
      );
    }
  } else {
    for (const [index, set] of sets.entries()) {
      for (const [member, score] of set ?? []) {
        const weighed = weigh(score, weights[index] as number);
        const known = result.get(member);
        result.set(member, known === undefined ? weighed : combine(known, weighed, aggregate));
      }
    }
  }
  return [...result].map(([member, score]) => ({ member, score })).sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1));
}

function answer(operation: Operation) {
  return (client: Client, args: Args): Reply => {
    const request = readRequest(client, args, 1, operation, `z${operation}`, false);
    return showScored(client, compute(operation, request), request.withScores);
  };
}

function storing(operation: Operation) {
  return (client: Client, args: Args): Reply => {
    const request = readRequest(client, args, 2, operation, `z${operation}store`, true);
    return storeScored(client, args.text(1), compute(operation, request));
  };
}

const BAD_LIMIT = new CommandError("ERR LIMIT can't be negative");

/** How many members all the keys have in common, at most as many as LIMIT says. */
function cardinality(
  name: string,
  sets: (client: Client, keys: readonly string[]) => (ReadonlyMap<string, number> | ReadonlySet<string> | undefined)[],
) {
  return (client: Client, args: Args): Reply => {
    const badKeys = name === 'sintercard' ? new CommandError('ERR numkeys should be greater than 0') : undefined;
    const count = args.int(1, badKeys);
    if (count < 1) throw badKeys ?? new CommandError(`ERR at least 1 input key is needed for '${name}' command`);
    if (count > args.count - 2)
      throw name === 'sintercard' ? new CommandError("ERR Number of keys can't be greater than number of args") : SYNTAX_ERROR;
    const read = (): ReturnType<typeof sets> => sets(client, args.texts(2, 2 + count));
    // A key of another type is found before an option that makes no sense by one of the two, and after it by the other.
    const first = name === 'zintercard' ? read() : undefined;
    let limit = 0;
    for (let at = 2 + count; at < args.count; at += 2) {
      if (!args.is(at, 'LIMIT') || at + 1 >= args.count) throw SYNTAX_ERROR;
      limit = args.int(at + 1, BAD_LIMIT);
      if (limit < 0) throw BAD_LIMIT;
    }
    const all = first ?? read();
    let common = 0;
    for (const member of all[0]?.keys() ?? []) {
      if (!all.every((set) => set?.has(member))) continue;
      common += 1;
      if (common === limit) break;
    }
    return common;
  };
}

/** Chance has no place here: the members come in their order. */
function zrandmember(client: Client, args: Args): Reply {
  const count = args.count > 2 ? args.int(2) : undefined;
  if (args.count > 4 || (args.count === 4 && !args.is(3, 'WITHSCORES'))) throw SYNTAX_ERROR;
  const set = client.db.sorted(args.text(1));
  if (set === undefined) return count === undefined ? null : [];
  if (count === undefined) return (set.slice(0, 1)[0] as Scored).member;
  const chosen = choose(set.slice(0, Math.abs(count)), count);
  if (args.count === 4 && client.protocol === 3) return chosen.map(({ member, score }) => [member, new Double(score)]);
  return showScored(client, chosen, args.count === 4);
}

export const sortedSetAlgebraCommands: readonly CommandSpec[] = [
  command('zunion', -3, 'readonly movablekeys', NO_KEYS, answer('union')),
  command('zinter', -3, 'readonly movablekeys', NO_KEYS, answer('inter')),
  command('zdiff', -3, 'readonly movablekeys', NO_KEYS, answer('diff')),
  command('zunionstore', -4, 'write denyoom movablekeys', ONE_KEY, storing('union')),
  command('zinterstore', -4, 'write denyoom movablekeys', ONE_KEY, storing('inter')),
  command('zdiffstore', -4, 'write denyoom movablekeys', ONE_KEY, storing('diff')),
  command(
    'zintercard',
    -3,
    'readonly movablekeys',
    NO_KEYS,
    cardinality('zintercard', (client, keys) => keys.map((key) => scoresOf(client, key))),
  ),
  command(
    'sintercard',
    -3,
    'readonly movablekeys',
    NO_KEYS,
    cardinality('sintercard', (client, keys) => keys.map((key) => client.db.members(key)?.members)),
  ),
  command('zrandmember', -2, 'readonly', ONE_KEY, zrandmember),
];
