/**
 * The x87 extended double that Redis counts INCRBYFLOAT and HINCRBYFLOAT with: a 64-bit mantissa, where JavaScript's numbers have 53 bits.
 * Only what those commands need: reading a decimal, adding, printing with 17 decimals at most.
 */
import { LONGEST_FLOAT } from './numbers.js';

const MANTISSA_BITS = 64n;
const DECIMALS = 17;

export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number; // value = mantissa * 2 ** exponent
}

function bits(value: bigint): bigint {
  return BigInt(value.toString(2).length);
}

/** numerator / denominator, rounded to the nearest that 64 bits hold, ties to even. */
function round(numerator: bigint, denominator: bigint): LongDouble {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 };
  const negative = numerator < 0n;
  const top = negative ? -numerator : numerator;
  let shift = MANTISSA_BITS - (bits(top) - bits(denominator));
  for (;;) {
    const scaledTop = shift >= 0n ? top << shift : top;
    const scaledBottom = shift >= 0n ? denominator : denominator << -shift;
    let quotient = scaledTop / scaledBottom;
    if (bits(quotient) > MANTISSA_BITS) {
      shift -= 1n;
      continue;
    }
    const twice = (scaledTop % scaledBottom) * 2n;
    if (twice > scaledBottom || (twice === scaledBottom && quotient % 2n === 1n)) quotient += 1n;
    return { mantissa: negative ? -quotient : quotient, exponent: Number(-shift) };
  }
}

/** Reads a decimal, with or without an exponent; undefined for anything else. */
export function parseLongDouble(text: string): LongDouble | undefined {
  if (text.length > LONGEST_FLOAT) return undefined;
  const match = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d{1,4}))?$/i.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(`${whole}${fraction}`);
  const scale = Number(power) - fraction.length;
  const signed = sign === '-' ? -digits : digits;
  return scale >= 0 ? round(signed * 10n ** BigInt(scale), 1n) : round(signed, 10n ** BigInt(-scale));
}

export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return exponent >= 0 ? round(sum << BigInt(exponent), 1n) : round(sum, 1n << BigInt(-exponent));
}

/** C's `%.17Lf` without the zeros at its end. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const negative = mantissa < 0n;
  const size = negative ? -mantissa : mantissa;
  const scaled = size * 10n ** BigInt(DECIMALS);
  let rounded = exponent >= 0 ? scaled << BigInt(exponent) : scaled >> BigInt(-exponent);
  if (exponent < 0) {
    const rest = scaled - (rounded << BigInt(-exponent));
    const half = 1n << BigInt(-exponent - 1);
    if (rest > half || (rest === half && rounded % 2n === 1n)) rounded += 1n;
  }
  const digits = rounded.toString().padStart(DECIMALS + 1, '0');
  const text = `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`.replace(/\.?0+$/, '');
  return negative && text !== '0' ? `-${text}` : text;
}
