/**
 * The functions that compiled scripts may call, by the names they call them. Each is given the place of its call first, and at least as many
 * arguments as `least` says; the translator sees to it. One with `many` results gives them as an array.
 */
import { readLatin1 } from '../bytes.js';
import { PackFault, Unpacker } from './msgpack.js';
import { NOWHERE, paid, Refusal } from './operations.js';
import type { RedisCalls } from './redis-calls.js';
import {
  LuaTable,
  type LuaValue,
  MOST_VALUES,
  plainText,
  spend,
  spendBytes,
  tableOf,
  textNumber,
  toNumber,
  trimmed,
  typeOf,
} from './values.js';

const LARGEST_INT = 2 ** 31 - 1;

export interface LibraryFunction {
  readonly least: number;
  readonly most: number;
  readonly many: boolean;
  /** Its arguments are given in one array. */
  readonly listed?: boolean;
  readonly run: (site: number, ...args: never[]) => unknown;
}

function wrongArgument(site: number, index: number, expected: string, got: LuaValue): Refusal {
  return new Refusal(site, `bad argument #${index} to '{function}' (${expected} expected, got ${typeOf(got)})`);
}

function asText(site: number, index: number, value: LuaValue): string {
  if (typeof value === 'string' || typeof value === 'number') return plainText(value);
  throw wrongArgument(site, index, 'string', value);
}

function asNumber(site: number, index: number, value: LuaValue): number {
  const number = toNumber(value);
  if (number === undefined) throw wrongArgument(site, index, 'number', value);
  return number;
}

/** As the WebAssembly Lua makes an int of it. */
function asInteger(site: number, index: number, value: LuaValue, otherwise?: number): number {
  if (value === undefined && otherwise !== undefined) return otherwise;
  const number = Math.trunc(asNumber(site, index, value));
  return Number.isNaN(number) ? 0 : Math.max(-LARGEST_INT - 1, Math.min(LARGEST_INT, number));
}

function asTable(site: number, index: number, value: LuaValue): LuaTable {
  if (value instanceof LuaTable) return value;
  throw wrongArgument(site, index, 'table', value);
}

/** A place in a text, from 1; negative from its end. */
function place(at: number, length: number): number {
  return at < 0 ? Math.max(0, length + at + 1) : at;
}

const addresses = new WeakMap<LuaTable, number>();
let nextAddress = 1;

function address(table: LuaTable): string {
  let at = addresses.get(table);
  if (at === undefined) {
    at = nextAddress++;
    addresses.set(table, at);
  }
  return `0x${(at * 16).toString(16)}`;
}

export function textOf(value: LuaValue): string {
  if (typeof value === 'string' || typeof value === 'number') return plainText(value);
  return value instanceof LuaTable ? `table: ${address(value)}` : value === undefined ? 'nil' : String(value);
}

/** Thrown by `error`: the value, and the text with its place in front. */
export class Thrown extends Error {
  constructor(
    readonly site: number,
    readonly value: LuaValue,
  ) {
    super();
  }
}

function unpack(site: number, list: LuaValue, first?: LuaValue, last?: LuaValue): LuaValue[] {
  const { items } = asTable(site, 1, list);
  const from = asInteger(site, 2, first, 1);
  const to = asInteger(site, 3, last, items.length);
  if (to - from >= MOST_VALUES) throw new Refusal(site, 'too many results to unpack');
  spend(Math.max(0, to - from));
  if (from === 1 && to === items.length) return items;
  if (from >= 1 && to <= items.length) return items.slice(from - 1, to);
  const values: LuaValue[] = [];
  for (let index = from; index <= to; index += 1) values.push((list as LuaTable).get(index));
  return values;
}

function slice(site: number, value: LuaValue, first: LuaValue, last?: LuaValue): string {
  const text = asText(site, 1, value);
  const from = Math.max(1, place(asInteger(site, 2, first), text.length));
  const to = Math.min(text.length, place(asInteger(site, 3, last, -1), text.length));
  return from > to ? '' : text.substring(from - 1, to);
}

/** `string.find` with the fourth argument true: no pattern. */
function find(site: number, value: LuaValue, sought: LuaValue, init: LuaValue): LuaValue[] {
  const text = asText(site, 1, value);
  const wanted = asText(site, 2, sought);
  const from = Math.min(text.length, Math.max(0, place(asInteger(site, 3, init, 1), text.length) - 1));
  spendBytes(text.length - from);
  const at = text.indexOf(wanted, from);
  return at < 0 ? [undefined] : [at + 1, at + wanted.length];
}

function codesOf(site: number, value: LuaValue, first?: LuaValue, last?: LuaValue): LuaValue[] {
  const text = asText(site, 1, value);
  const begin = place(asInteger(site, 2, first, 1), text.length);
  const from = Math.max(1, begin);
  const to = Math.min(text.length, place(asInteger(site, 3, last, begin), text.length));
  if (to - from >= MOST_VALUES) throw new Refusal(site, 'string slice too long');
  spend(4 * Math.max(0, to - from));
  const codes: LuaValue[] = [];
  for (let index = from; index <= to; index += 1) codes.push(text.charCodeAt(index - 1));
  return codes;
}

function repeat(site: number, value: LuaValue, count: LuaValue): string {
  const text = asText(site, 1, value);
  const times = Math.max(0, asInteger(site, 2, count));
  spend(text.length * times);
  return text.repeat(times);
}

function join(site: number, list: LuaValue, between?: LuaValue, first?: LuaValue, last?: LuaValue): string {
  const separator = between === undefined ? '' : asText(site, 2, between);
  const table = asTable(site, 1, list);
  const from = asInteger(site, 3, first, 1);
  const to = asInteger(site, 4, last, table.length);
  let text = '';
  for (let index = from; index <= to; index += 1) {
    const item = table.get(index);
    if (typeof item !== 'string' && typeof item !== 'number') {
      throw new Refusal(site, `invalid value (${typeOf(item)}) at index ${index} in table for 'concat'`);
    }
    spend(1);
    text += plainText(item);
    if (index < to) text += separator;
  }
  return paid(text);
}

function insert(site: number, list: LuaValue, ...given: LuaValue[]): undefined {
  const table = asTable(site, 1, list);
  let end = table.length + 1;
  const at = given.length > 1 ? asInteger(site, 2, given[0]) : end;
  if (at > end) end = at;
  spend(Math.max(0, end - at));
  for (let index = end; index > at; index -= 1) table.set(index, table.get(index - 1));
  table.set(at, given.at(-1));
}

function unpacked(site: number, packed: LuaValue): LuaValue[] {
  try {
    return new Unpacker(asText(site, 1, packed)).all();
  } catch (error) {
    if (error instanceof PackFault) throw new Refusal(error.placed ? site : NOWHERE, error.message);
    throw error;
  }
}

function rounded(how: (value: number) => number) {
  return (site: number, value: LuaValue): number => how(asNumber(site, 1, value));
}

function extreme(better: (a: number, b: number) => boolean) {
  return (site: number, ...values: LuaValue[]): number => {
    let best = asNumber(site, 1, values[0]);
    for (let index = 1; index < values.length; index += 1) {
      const value = asNumber(site, index + 1, values[index]);
      if (better(value, best)) best = value;
    }
    return best;
  };
}

function one(least: number, most: number, run: (site: number, ...args: never[]) => unknown): LibraryFunction {
  return { least, most, many: false, run };
}

function many(least: number, most: number, run: (site: number, ...args: never[]) => LuaValue[]): LibraryFunction {
  return { least, most, many: true, run };
}

const [UPPER_A, LOWER_A, CASES_APART, LETTERS] = [65, 97, 32, 26];

/** The letters from `first` on moved by so much; ASCII only, as in C's own locale. */
function recased(text: string, first: number, by: number): string {
  spend(text.length);
  const bytes = Buffer.from(text, 'latin1');
  for (let index = 0; index < bytes.length; index += 1) {
    const code = bytes[index] as number;
    if (code >= first && code < first + LETTERS) bytes[index] = code + by;
  }
  return readLatin1(bytes, 0, bytes.length);
}

export function library(redis: RedisCalls): ReadonlyMap<string, LibraryFunction> {
  return new Map([
    ['redis.call', { ...one(0, Infinity, (site: number, words: LuaValue[]) => redis.call(site, words, true)), listed: true }],
    ['redis.pcall', { ...one(0, Infinity, (site: number, words: LuaValue[]) => redis.call(site, words, false)), listed: true }],
    ['redis.acl_check_cmd', one(1, Infinity, () => true)], // there is one user, who may do everything
    ['redis.error_reply', one(1, 1, (_site: number, said: LuaValue) => errorReply(said))],
    ['redis.status_reply', one(1, 1, (_site: number, said: LuaValue) => (typeof said === 'string' ? tableOf('ok', said) : WRONG()))],
    ['tonumber', one(1, 1, (_site: number, value: LuaValue) => (typeof value === 'string' ? textNumber(value) : numberOnly(value)))],
    ['tostring', one(1, 1, (_site: number, value: LuaValue) => textOf(value))],
    ['type', one(1, 1, (_site: number, value: LuaValue) => typeOf(value))],
    ['unpack', many(1, 3, unpack)],
    // Only in a `for`, which asks it for its argument.
    ['ipairs', one(Infinity, Infinity, (site: number, list: LuaValue) => asTable(site, 1, list))],
    [
      'error',
      one(1, 1, (site: number, value: LuaValue) => {
        throw new Thrown(site, value);
      }),
    ],
    ['string.sub', one(2, 3, slice)],
    ['string.len', one(1, 1, (site: number, value: LuaValue) => asText(site, 1, value).length)],
    ['string.find', many(4, 4, find)],
    ['string.byte', many(1, 3, codesOf)],
    ['string.upper', one(1, 1, (site: number, value: LuaValue) => recased(asText(site, 1, value), LOWER_A, -CASES_APART))],
    ['string.lower', one(1, 1, (site: number, value: LuaValue) => recased(asText(site, 1, value), UPPER_A, CASES_APART))],
    ['string.rep', one(2, 2, repeat)],
    ['table.concat', one(1, 4, join)],
    ['table.insert', one(2, 3, insert)],
    ['math.floor', one(1, 1, rounded(Math.floor))],
    ['math.ceil', one(1, 1, rounded(Math.ceil))],
    ['math.abs', one(1, 1, rounded(Math.abs))],
    [
      'math.max',
      one(
        1,
        Infinity,
        extreme((a, b) => a > b),
      ),
    ],
    [
      'math.min',
      one(
        1,
        Infinity,
        extreme((a, b) => a < b),
      ),
    ],
    ['cmsgpack.unpack', many(1, 1, unpacked)],
  ]);
}

function numberOnly(value: LuaValue): LuaValue {
  return typeof value === 'number' ? value : undefined;
}

const WRONG = (): LuaTable => tableOf('err', 'ERR wrong number or type of arguments');

/** The first word is the error's code; one alone gets a code in front. */
function errorReply(said: LuaValue): LuaTable {
  if (typeof said !== 'string') return WRONG();
  const text = said.startsWith('-') ? said.slice(1) : said;
  const gap = text.indexOf(' ') + 1;
  return tableOf('err', gap === 0 ? `ERR ${trimmed(text, isLineEnd)}` : text.slice(0, gap) + trimmed(text.slice(gap), isLineEnd));
}

function isLineEnd(code: number): boolean {
  return code === 10 || code === 13;
}
