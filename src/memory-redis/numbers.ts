/** Redis' own readings of numbers: strict 64-bit integers, floats as C reads and prints them. */

/** A 64-bit number. A bigint only where a double would not be exact, so that `===` compares rightly. */
export type Int64 = number | bigint;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

/** The one form of a 64-bit number: a plain number where that is exact. */
export function narrow(value: bigint): Int64 {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** As C keeps it in a signed 64-bit integer: what is too large begins again below. */
export function wrapped(value: Int64): Int64 {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : narrow(BigInt.asIntN(64, BigInt(value)));
}

/** Reads a signed 64-bit integer as Redis does: no spaces, no plus sign, no leading zeros. */
export function parseInteger(text: string): Int64 | undefined {
  const { length } = text;
  if (length === 0 || length > 20) return undefined;
  const negative = text.charCodeAt(0) === 45;
  let at = negative ? 1 : 0;
  if (at === length) return undefined;
  const first = text.charCodeAt(at);
  if (first === 48) return length === 1 ? 0 : undefined;
  let value = 0;
  for (; at < length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (value <= Number.MAX_SAFE_INTEGER) return negative ? -value : value;
  const exact = BigInt(text);
  return exact < MIN_INT64 || exact > MAX_INT64 ? undefined : narrow(exact);
}

/** Reads an unsigned 64-bit integer as strtoull does after Redis' own strict reading failed. */
export function parseUnsigned(text: string): Int64 | undefined {
  const strict = parseInteger(text);
  if (strict !== undefined) return strict < 0 ? undefined : strict;
  const match = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const value = BigInt(match[2] as string);
  if (value > MAX_UINT64) return undefined;
  return narrow(match[1] === '-' ? BigInt.asUintN(64, -value) : value);
}

/** The sum of two signed 64-bit integers, or undefined when it leaves their range. */
export function addIntegers(a: Int64, b: Int64): Int64 | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const exact = BigInt(a) + BigInt(b);
  return exact < MIN_INT64 || exact > MAX_INT64 ? undefined : narrow(exact);
}

export function nextUnsigned(value: Int64): Int64 | undefined {
  if (typeof value === 'number' && value < Number.MAX_SAFE_INTEGER) return value + 1;
  const exact = BigInt(value) + 1n;
  return exact > MAX_UINT64 ? undefined : narrow(exact);
}

export function previousUnsigned(value: Int64): Int64 | undefined {
  if (value === 0) return undefined;
  return typeof value === 'number' ? value - 1 : narrow(value - 1n);
}

export const LARGEST_UNSIGNED: Int64 = MAX_UINT64;

/** No number worth the name is longer, and reading one takes time that grows with its square. */
export const LONGEST_FLOAT = 320;

/** Reads a float as strtod does, whole text only; undefined for anything else and for NaN. */
export function parseFloatStrict(text: string): number | undefined {
  if (text === '' || text.length > LONGEST_FLOAT || /^\s/.test(text)) return undefined;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    const value = Number(text);
    // strtod reports ERANGE for what is too large or too small to be held.
    if (!Number.isFinite(value)) return undefined;
    return value;
  }
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity;
  if (/^[+-]?0x/i.test(text)) return parseHexFloat(text);
  return undefined;
}

/** As strtod alone reads it: nothing at all is 0, spaces may come first, what is too large is infinite. */
export function parseFloatLoose(text: string): number | undefined {
  if (text === '') return 0;
  if (text.length > LONGEST_FLOAT) return undefined;
  const trimmed = text.trimStart();
  if (/^[+-]?\d+\.?\d*e\+?\d{3,}$/i.test(trimmed)) return Number(trimmed);
  return parseFloatStrict(trimmed);
}

export function parseHexFloat(text: string): number | undefined {
  const match = /^([+-]?)0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/i.exec(text);
  if (match === null) return undefined;
  const whole = match[2] ?? '';
  const fraction = match[3] ?? '';
  if (whole === '' && fraction === '') return undefined;
  const mantissa = Number.parseInt(whole + fraction, 16) / 16 ** fraction.length;
  const value = mantissa * 2 ** Number(match[4] ?? 0);
  return match[1] === '-' ? -value : value;
}

/** C's `%.17g`, which Redis 7.0 prints scores with. */
export function formatDouble(value: number): string {
  if (value === Infinity) return 'inf';
  if (value === -Infinity) return '-inf';
  if (Number.isNaN(value)) return 'nan';
  if (Object.is(value, -0)) return '-0';
  if (Number.isInteger(value) && Math.abs(value) < 1e17) return String(value);
  const [digits = '', power = '0'] = value.toExponential(16).split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 17) {
    const mantissa = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const plain = value.toFixed(Math.min(100, 16 - exponent));
  return plain.includes('.') ? plain.replace(/\.?0+$/, '') : plain;
}
