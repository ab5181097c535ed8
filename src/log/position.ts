import { types } from 'node:util';
import { InvalidValueError } from '../message/errors.js';
import { FIRST } from './entry.js';

/** Where a reader stands in the streams of all shards. Opaque to users: `p1:` and the last read id of each shard. */
export type Position = string & { readonly __position: never };

/** Where to begin: at the oldest kept, after the newest, at a moment, or where an earlier reader stood. */
export type From = 'start' | 'now' | Date | Position;

const PREFIX = 'p1:';
const ID = /^\d{1,16}-\d{1,20}$/;

export function encodePosition(ids: readonly string[]): Position {
  return (PREFIX + ids.join(',')) as Position;
}

/** The positions of one shard's entries while the other shards stand still: what is the same for all is put together once. */
export function positionsOf(ids: readonly string[], shard: number): (id: string) => Position {
  const before =
    PREFIX +
    ids
      .slice(0, shard)
      .map((id) => `${id},`)
      .join('');
  const behind = ids
    .slice(shard + 1)
    .map((id) => `,${id}`)
    .join('');
  return (id) => (before + id + behind) as Position;
}

/** The position just before the first millisecond of `at`, in every shard. */
export function positionAt(at: number, shards: number): Position {
  return encodePosition(new Array<string>(shards).fill(beginOf(at)));
}

/** The id before every entry of the moment `at` (ms since the epoch). */
export function beginOf(at: number): string {
  return at <= 0 ? FIRST : `${Math.floor(at) - 1}-18446744073709551615`;
}

/**
 * The ids after which reading begins, for each shard; undefined where it begins at the end (`'now'`).
 * @throws InvalidValueError `INVALID_POSITION`
 */
export function startingIds(from: unknown, shards: number, place: string): string[] | undefined {
  if (from === 'now') return undefined;
  if (from === 'start') return new Array<string>(shards).fill(FIRST);
  if (types.isDate(from) && Number.isFinite(from.getTime())) return new Array<string>(shards).fill(beginOf(from.getTime()));
  if (typeof from === 'string' && from.startsWith(PREFIX)) {
    const ids = from.slice(PREFIX.length).split(',');
    if (ids.length === shards && ids.every((id) => ID.test(id))) return ids;
  }
  throw new InvalidValueError('INVALID_POSITION', place, from, `'start', 'now', a Date, or a position of this system (${shards} shards)`);
}
