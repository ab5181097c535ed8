/**
 * Money in units of 1/10,000, whole numbers all the way: cents times percent. Floating point would lose a cent somewhere in a million
 * orders, and nobody would know where.
 */

export interface OrderLine {
  readonly productId: number | string;
  readonly unitPrice: number;
  readonly quantity: number;
  readonly discount: number;
}

/** The decimal number as it was written: 9.8 is 98 of scale 1. */
interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

function decimal(value: number): Decimal {
  const [, whole = '0', part = '', exponent = '0'] = /^(\d+)(?:\.(\d+))?(?:e-(\d+))?$/.exec(String(value)) ?? [];
  return { digits: BigInt(whole + part), scale: part.length + Number(exponent) };
}

const power = (scale: number): bigint => 10n ** BigInt(scale);

/** Σ unitPrice × quantity × (1 − discount), exactly; only what is finer than 1/10,000 is rounded, half up, once for the order. */
export function orderUnits(lines: readonly Omit<OrderLine, 'productId'>[]): bigint {
  const parts = lines.map((line): Decimal => {
    const [price, quantity, discount] = [decimal(line.unitPrice), decimal(line.quantity), decimal(line.discount)];
    return {
      digits: price.digits * quantity.digits * (power(discount.scale) - discount.digits),
      scale: price.scale + quantity.scale + discount.scale,
    };
  });
  const scale = Math.max(4, ...parts.map((part) => part.scale));
  const sum = parts.reduce((total, part) => total + part.digits * power(scale - part.scale), 0n);
  const unit = power(scale - 4);
  return (sum + unit / 2n) / unit;
}

/** Units as whole cents, rounded half up: the one rounding of a shown sum. */
export function cents(units: number): bigint {
  return (BigInt(units) + 50n) / 100n;
}

/** `1,265,793.04` */
export function money(units: number): string {
  const text = cents(units).toString().padStart(3, '0');
  return `${text.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ',')}.${text.slice(-2)}`;
}
