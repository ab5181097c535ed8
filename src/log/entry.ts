import { stringOf, stringsOf, unexpected } from './reply.js';

/** One stream entry as it was read: its id and its flat list of field names and values. */
export interface Entry {
  readonly id: string;
  readonly fields: readonly string[];
  /** it is larger than an entry may be, and `fields` are only the beginning of it */
  readonly oversize?: Oversize | undefined;
}

/** How large an entry is of which only the beginning was read. */
export interface Oversize {
  /** of all names and values */
  readonly bytes: number;
  /** how many names and values there are */
  readonly values: number;
}

const DASH = 45;
const ZERO = 48;

/** The entries in a reply to XRANGE or XREVRANGE. @throws RedisError `REDIS_REPLY` */
export function entriesOf(reply: unknown): Entry[] {
  if (!Array.isArray(reply)) return unexpected(reply, 'XRANGE', 'an array of entries');
  return reply.map((entry: unknown) => {
    const [id, fields] = Array.isArray(entry) ? (entry as unknown[]) : [];
    return { id: stringOf(id, 'XRANGE'), fields: stringsOf(fields, 'XRANGE') };
  });
}

/** The beginning of every stream. */
export const FIRST = '0-0';

/** When the entry was appended, ms since the epoch by Redis' clock. */
export function timeOf(id: string): number {
  let ms = 0;
  for (let i = 0; i < id.length; i += 1) {
    const unit = id.charCodeAt(i);
    if (unit === DASH) break;
    ms = ms * 10 + unit - ZERO;
  }
  return ms;
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

/** Whether a value that was read from JSON is a list of texts, as an entry's fields are. */
export function areFields(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
