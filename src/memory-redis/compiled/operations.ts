/** Lua's operators. What they refuse is thrown as a `Refusal`, which names the place in the script by its number. */
import { LuaTable, type LuaValue, plainText, SLOT_STEPS, spend, spendBytes, TABLE_STEPS, toNumber, typeOf } from './values.js';

/** The place of a fault whose message does not begin with one. */
export const NOWHERE = -1;

/** An operator or a function did not take what it was given. */
export class Refusal extends Error {
  /**
   * @param site where in the script; see `Sites`
   * @param operand the place of `{operand}` takes the first or the second, with its name where the script gives it one
   * @param type what the operand is
   */
  constructor(
    readonly site: number,
    message: string,
    readonly operand = 0,
    readonly type = '',
  ) {
    super(message);
  }
}

/** A text that was made is paid for. */
export function paid(text: string): string {
  spendBytes(text.length);
  return text;
}

function refused(site: number, verb: string, value: LuaValue, operand = 0): Refusal {
  return new Refusal(site, `attempt to ${verb} {operand}`, operand, typeOf(value));
}

function arithmetic(a: LuaValue, b: LuaValue, site: number, apply: (a: number, b: number) => number): number {
  const x = toNumber(a);
  if (x === undefined) throw refused(site, 'perform arithmetic on', a);
  const y = toNumber(b);
  if (y === undefined) throw refused(site, 'perform arithmetic on', b, 1);
  return apply(x, y);
}

const plus = (a: number, b: number): number => a + b;
const minus = (a: number, b: number): number => a - b;
const times = (a: number, b: number): number => a * b;
const over = (a: number, b: number): number => a / b;
const modulo = (a: number, b: number): number => a - Math.floor(a / b) * b;

export function add(a: LuaValue, b: LuaValue, site: number): number {
  return typeof a === 'number' && typeof b === 'number' ? a + b : arithmetic(a, b, site, plus);
}

export function sub(a: LuaValue, b: LuaValue, site: number): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : arithmetic(a, b, site, minus);
}

export function mul(a: LuaValue, b: LuaValue, site: number): number {
  return arithmetic(a, b, site, times);
}

export function div(a: LuaValue, b: LuaValue, site: number): number {
  return arithmetic(a, b, site, over);
}

export function mod(a: LuaValue, b: LuaValue, site: number): number {
  return arithmetic(a, b, site, modulo);
}

export function neg(a: LuaValue, site: number): number {
  return typeof a === 'number' ? -a : arithmetic(a, a, site, (x) => -x);
}

export function concat(a: LuaValue, b: LuaValue, site: number): string {
  if (typeof a === 'string' && typeof b === 'string') return paid(a + b);
  const fit = (value: LuaValue): value is string | number => typeof value === 'string' || typeof value === 'number';
  if (!fit(a) || !fit(b)) {
    const wrong = fit(a) ? 1 : 0;
    throw refused(site, 'concatenate', wrong === 1 ? b : a, wrong);
  }
  return paid(plainText(a) + plainText(b));
}

export function length(value: LuaValue, site: number): number {
  if (value instanceof LuaTable) return value.length;
  if (typeof value === 'string') return value.length;
  throw refused(site, 'get length of', value);
}

/** A text has no members but the functions that scripts call by their names. */
export function get(table: LuaValue, key: LuaValue, site: number): LuaValue {
  if (table instanceof LuaTable) return table.get(key);
  if (typeof table === 'string') return undefined;
  throw refused(site, 'index', table);
}

export function set(table: LuaValue, key: LuaValue, value: LuaValue, site: number): void {
  if (!(table instanceof LuaTable)) throw refused(site, 'index', table);
  checkKey(key, site);
  table.set(key, value);
}

function checkKey(key: LuaValue, site: number): void {
  if (key === undefined) throw new Refusal(site, 'table index is nil');
  if (typeof key === 'number' && Number.isNaN(key)) throw new Refusal(site, 'table index is NaN');
}

/** `{ a, b, … }` */
export function listed(items: LuaValue[]): LuaTable {
  spend(TABLE_STEPS + SLOT_STEPS * items.length);
  return new LuaTable(items);
}

/** `{ key = value, [key] = value, … }`, as keys and values in turn. */
export function keyed(site: number, ...flat: LuaValue[]): LuaTable {
  spend(TABLE_STEPS);
  const table = new LuaTable();
  for (let index = 0; index < flat.length; index += 2) {
    checkKey(flat[index], site);
    table.set(flat[index], flat[index + 1]);
  }
  return table;
}

function notComparable(a: LuaValue, b: LuaValue, site: number): Refusal {
  const [one, other] = [typeOf(a), typeOf(b)];
  return new Refusal(site, `attempt to compare ${one === other ? `two ${one} values` : `${one} with ${other}`}`);
}

export function less(a: LuaValue, b: LuaValue, site: number): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a === 'string' && typeof b === 'string') return a < b;
  throw notComparable(a, b, site);
}

export function atMost(a: LuaValue, b: LuaValue, site: number): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a <= b;
  if (typeof a === 'string' && typeof b === 'string') return a <= b;
  throw notComparable(a, b, site);
}

export function more(a: LuaValue, b: LuaValue, site: number): boolean {
  return less(b, a, site);
}

export function atLeast(a: LuaValue, b: LuaValue, site: number): boolean {
  return atMost(b, a, site);
}

export function truthy(value: LuaValue): boolean {
  return value !== undefined && value !== false;
}

/** Where a numeric `for` begins, ends, or how far it goes each time. */
export function bound(value: LuaValue, what: 'initial value' | 'limit' | 'step', site: number): number {
  const number = toNumber(value);
  if (number === undefined) throw new Refusal(site, `'for' ${what} must be a number`);
  return number;
}
