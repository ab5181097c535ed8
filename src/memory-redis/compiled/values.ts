/** What compiled scripts work on. Lua's nil is undefined, its strings are byte strings, its numbers are doubles, its only objects are tables. */
import { LONGEST_FLOAT, parseHexFloat } from '../numbers.js';

export type LuaValue = undefined | boolean | number | string | LuaTable;

/** As many values as Lua's stack takes: those that a function has at most. */
export const MOST_VALUES = 7990;

/** What is left to the script that is running, in steps. Scripts never run within one another. */
export const fuel = { left: 0 };

/** Steps that a table costs, each place in its list, and each other one, so that all that a script can make stays below some hundred MB. */
export const TABLE_STEPS = 100;
export const SLOT_STEPS = 16;
const OTHER_SLOT_STEPS = 100;
/** A text of so many bytes costs a step. */
const BYTES_PER_STEP = 4;

/** Thrown where `fuel` is used up; no script can catch it. */
export class OutOfFuel extends Error {}

export function spend(steps: number): void {
  fuel.left -= steps;
  if (!(fuel.left >= 0)) throw new OutOfFuel();
}

/** Pays for going through a text, or making one. */
export function spendBytes(bytes: number): void {
  spend(Math.ceil(bytes / BYTES_PER_STEP));
}

/**
 * A table without metatable. Values from 1 on stand in `items`, without a nil at their end; all others in a map.
 * `#` is the length of `items`: where there are holes, the language lets it be any border.
 */
export class LuaTable {
  #others: Map<LuaValue, LuaValue> | undefined;

  /** @param items they become the table's own */
  constructor(readonly items: LuaValue[] = []) {
    this.#trim();
  }

  get length(): number {
    return this.items.length;
  }

  get(key: LuaValue): LuaValue {
    if (typeof key === 'number') {
      const { items } = this;
      if (key > 0 && key <= items.length && key === Math.trunc(key)) return items[key - 1];
    }
    return this.#others?.get(key);
  }

  /** The key is neither nil nor NaN. */
  set(key: LuaValue, value: LuaValue): void {
    const { items } = this;
    if (typeof key === 'number' && key > 0 && key <= items.length + 1 && key === Math.trunc(key)) {
      if (key <= items.length) {
        items[key - 1] = value;
        if (value === undefined && key === items.length) this.#trim();
      } else if (value !== undefined) {
        spend(SLOT_STEPS);
        items.push(value);
        if (this.#others !== undefined && this.#others.size > 0) this.#pull(this.#others);
      }
      return;
    }
    if (value === undefined) this.#others?.delete(key);
    else {
      spend(OTHER_SLOT_STEPS);
      this.#others ??= new Map();
      this.#others.set(key, value);
    }
  }

  /** What does not stand in `items`, in no order that a script could rely on. */
  others(): Iterable<readonly [LuaValue, LuaValue]> {
    return this.#others ?? [];
  }

  /** Values that were set before those in front of them move up. */
  #pull(others: Map<LuaValue, LuaValue>): void {
    for (let next = this.items.length + 1; others.has(next); next += 1) {
      this.items.push(others.get(next));
      others.delete(next);
    }
  }

  #trim(): void {
    const { items } = this;
    while (items.length > 0 && items[items.length - 1] === undefined) items.pop();
  }
}

/** A table with one member. */
export function tableOf(name: string, value: LuaValue): LuaTable {
  const table = new LuaTable();
  table.set(name, value);
  return table;
}

export function typeOf(value: LuaValue): string {
  if (value === undefined) return 'nil';
  return value instanceof LuaTable ? 'table' : typeof value;
}

/** A text or a number as a text. */
export function plainText(value: string | number): string {
  return typeof value === 'string' ? value : numberText(value);
}

/** As many digits as Lua prints of a number. */
const DIGITS = 14;

/** C's `%.14g`, which Lua prints numbers with. A NaN has no sign here: it is printed as what 0/0 is. */
export function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e14) return value === 0 && Object.is(value, -0) ? '-0' : String(value);
  if (Number.isNaN(value)) return '-nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [sign, digits, exponent] = rounded(value);
  const plain = digits.replace(/0+$/, '') || '0';
  if (exponent >= -4 && exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${plain}`;
  if (exponent >= 0 && exponent < DIGITS) {
    const fraction = plain.slice(exponent + 1);
    return `${sign}${plain.slice(0, exponent + 1).padEnd(exponent + 1, '0')}${fraction === '' ? '' : `.${fraction}`}`;
  }
  const power = `e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  return `${sign}${plain.slice(0, 1)}${plain.length > 1 ? `.${plain.slice(1)}` : ''}${power}`;
}

/** The sign, the first 14 digits, and the power of ten of the first one. What lies right between two goes to the even one, as in C. */
function rounded(value: number): [sign: string, digits: string, exponent: number] {
  const sign = value < 0 ? '-' : '';
  const exact = Math.abs(value).toExponential(DIGITS + 26);
  const between = exact[DIGITS + 1] === '5' && /^0*e/.test(exact.slice(DIGITS + 2));
  const even = '02468'.includes(exact[DIGITS] as string);
  const [mantissa = '', power] =
    between && even
      ? exact.split('e')
      : Math.abs(value)
          .toExponential(DIGITS - 1)
          .split('e');
  return [sign, mantissa.replace('.', '').slice(0, DIGITS), Number(power)];
}

/** A text as a number, read as C's strtod does it with spaces around it; undefined when it is none. */
export function textNumber(text: string): number | undefined {
  if (text.length < 16 && /^\d+$/.test(text)) return Number(text);
  const end = text.indexOf('\0');
  const number = trimmed(end < 0 ? text : text.slice(0, end), isSpace);
  if (number.length > LONGEST_FLOAT) return undefined;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(number)) return Number(number);
  if (/^[+-]?0x$/i.test(number)) return 0;
  if (/^[+-]?0x/i.test(number)) return parseHexFloat(number);
  const named = /^([+-]?)(inf|infinity|nan)$/i.exec(number);
  if (named === null) return undefined;
  return (/nan/i.test(number) ? Number.NaN : Infinity) * (named[1] === '-' ? -1 : 1);
}

/** Without the characters around it that `isOut` names: one pass, where a regular expression may take the square of it. */
export function trimmed(text: string, isOut: (code: number) => boolean): string {
  let from = 0;
  let to = text.length;
  while (from < to && isOut(text.charCodeAt(from))) from += 1;
  while (from < to && isOut(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

/** C's isspace: a space, and from tab to carriage return. */
function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

/** The number that a value is or reads as. */
export function toNumber(value: LuaValue): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? textNumber(value) : undefined;
}
