/** SORT: the elements of a list, set or sorted set in order, by themselves or by what other keys hold about them. */
import type { Args } from '../args.js';
import { printed } from '../bytes.js';
import type { Client } from '../client-state.js';
import { HashValue, ListValue, SetValue } from '../collections.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import type { Database } from '../database.js';
import { parseFloatLoose } from '../numbers.js';
import { CommandError, type Reply, SYNTAX_ERROR, WRONG_TYPE } from '../reply.js';
import { SortedSet } from '../sorted-set.js';

const NOT_NUMBERS = new CommandError("ERR One or more scores can't be converted into double");

interface SortOptions {
  descending: boolean;
  alphabetic: boolean;
  offset: number;
  count: number;
  by: string | undefined;
  readonly get: string[];
  store: string | undefined;
}

function readOptions(args: Args, onlyReads: boolean): SortOptions {
  const options: SortOptions = { descending: false, alphabetic: false, offset: 0, count: -1, by: undefined, get: [], store: undefined };
  for (let at = 2; at < args.count; at += 1) {
    const left = args.count - at - 1;
    if (args.is(at, 'ASC')) options.descending = false;
    else if (args.is(at, 'DESC')) options.descending = true;
    else if (args.is(at, 'ALPHA')) options.alphabetic = true;
    else if (args.is(at, 'LIMIT') && left >= 2) {
      options.offset = args.int(at + 1);
      options.count = args.int(at + 2);
      at += 2;
    } else if (args.is(at, 'STORE') && left >= 1 && !onlyReads) options.store = args.text(++at);
    else if (args.is(at, 'BY') && left >= 1) options.by = args.text(++at);
    else if (args.is(at, 'GET') && left >= 1) options.get.push(args.text(++at));
    else throw SYNTAX_ERROR;
  }
  return options;
}

/** What a pattern says about an element: `#` is the element itself, `weight_*` a string, `object_*->field` a hash's field. */
function lookUp(db: Database, pattern: string, element: string): string | undefined {
  if (pattern === '#') return element;
  const star = printed(pattern).indexOf('*');
  if (star < 0) return undefined;
  const arrow = pattern.indexOf('->', star + 1);
  const field = arrow < 0 ? '' : pattern.slice(arrow + 2);
  const key = pattern.slice(0, star) + element + pattern.slice(star + 1, field === '' ? pattern.length : arrow);
  const value = db.get(key);
  if (field !== '') return value instanceof HashValue ? value.fields.get(field) : undefined;
  return typeof value === 'string' ? value : undefined;
}

function elementsOf(client: Client, key: string): string[] {
  const value = client.db.get(key);
  if (value === undefined) return [];
  if (value instanceof ListValue) return value.slice(0, value.length - 1);
  if (value instanceof SetValue) return [...value.members];
  if (value instanceof SortedSet) return value.slice(0, value.size).map(({ member }) => member);
  throw WRONG_TYPE;
}

/** Below this a double loses digits, which strtod reports. */
const LEAST_DOUBLE = 2 ** -1022;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A whole text as strtod reads it; undefined where it is no number, or none that a double can hold. */
function numberOf(text: string): number | undefined {
  const value = parseFloatLoose(printed(text));
  if (value === undefined || Number.isNaN(value)) return undefined;
  const beyond = Number.isFinite(value) ? Math.abs(value) < LEAST_DOUBLE && /^[^e]*[1-9]/i.test(text) : /\d/.test(text);
  return beyond ? undefined : value;
}

function sortedByNumber(elements: readonly string[], weightOf: (element: string) => string | undefined): string[] {
  const scored = elements.map((element) => {
    const weight = weightOf(element);
    const score = weight === undefined ? 0 : numberOf(weight);
    if (score === undefined) throw NOT_NUMBERS;
    return { element, score };
  });
  return scored.sort((a, b) => a.score - b.score || compare(a.element, b.element)).map(({ element }) => element);
}

/** Elements about which nothing is known come first. Texts that are not stored compare up to their first zero byte, as in C. */
function sortedByText(elements: readonly string[], weightOf: (element: string) => string | undefined, options: SortOptions): string[] {
  const sign = options.descending ? -1 : 1;
  const shown = (weight: string): string => (options.store === undefined ? printed(weight) : weight);
  const weighed = elements.map((element) => ({ element, weight: weightOf(element) }));
  weighed.sort(({ weight: a }, { weight: b }) => {
    if (a === undefined || b === undefined) return sign * (Number(a !== undefined) - Number(b !== undefined));
    return sign * compare(shown(a), shown(b));
  });
  return weighed.map(({ element }) => element);
}

function inOrder(client: Client, key: string, options: SortOptions): string[] {
  const elements = elementsOf(client, key);
  let { by, alphabetic } = options;
  if (by !== undefined && !printed(by).includes('*')) {
    // A pattern without a star asks for no order; a set has none of its own, and what is stored or seen by scripts is to be the same each time.
    const isSet = client.db.get(key) instanceof SetValue;
    if (!isSet) return options.descending ? elements.reverse() : elements;
    if (options.store === undefined && !client.isScript) return elements;
    by = undefined;
    alphabetic = true;
  }
  const weightOf = (element: string): string | undefined => (by === undefined ? element : lookUp(client.db, by, element));
  if (alphabetic) return sortedByText(elements, weightOf, options);
  const sorted = sortedByNumber(elements, weightOf);
  return options.descending ? sorted.reverse() : sorted;
}

function sort(onlyReads: boolean) {
  return (client: Client, args: Args): Reply => {
    const { db } = client;
    const options = readOptions(args, onlyReads);
    const elements = inOrder(client, args.text(1), options);
    const start = Math.min(Math.max(options.offset, 0), elements.length);
    const shown = elements.slice(start, options.count < 0 ? undefined : start + options.count);
    const { get, store } = options;
    const items = get.length === 0 ? shown : shown.flatMap((element) => get.map((pattern) => lookUp(db, pattern, element)));
    if (store === undefined) return items.map((item) => item ?? null);
    client.engine.checkRoom(items.reduce((sum, item) => sum + (item?.length ?? 0), 0));
    if (items.length === 0) db.remove(store);
    else {
      const list = new ListValue();
      list.replace(items.map((item) => item ?? ''));
      db.set(store, list);
    }
    return items.length;
  };
}

export const sortCommands: readonly CommandSpec[] = [
  command('sort', -2, 'write denyoom movablekeys', ONE_KEY, sort(false)),
  command('sort_ro', -2, 'readonly movablekeys', ONE_KEY, sort(true)),
];
