/** One stream entry as it was read: its id and its flat list of field names and values. */
export interface Entry {
  readonly id: string;
  readonly fields: readonly string[];
}

/** What XREAD and XRANGE answer, made sense of. */
export function entriesOf(reply: unknown): Entry[] {
  if (!Array.isArray(reply)) return [];
  return (reply as [string, string[] | null][])
    .filter(([, fields]) => fields !== null)
    .map(([id, fields]) => ({ id, fields: fields ?? [] }));
}

/** The beginning of every stream. */
export const FIRST = '0-0';

/** When the entry was appended, ms since the epoch by Redis' clock. */
export function timeOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}

/** The smallest id greater than `id`. */
export function after(id: string): string {
  const dash = id.indexOf('-');
  return `${id.slice(0, dash)}-${BigInt(id.slice(dash + 1)) + 1n}`;
}

/** Negative, zero or positive, as ids sort in a stream. */
export function compareIds(a: string, b: string): number {
  const dashA = a.indexOf('-');
  const dashB = b.indexOf('-');
  const byTime = Number(a.slice(0, dashA)) - Number(b.slice(0, dashB));
  return byTime === 0 ? Number(a.slice(dashA + 1)) - Number(b.slice(dashB + 1)) : byTime;
}
