import { type Int64, LARGEST_UNSIGNED, nextUnsigned, parseUnsigned, previousUnsigned } from './numbers.js';
import { CommandError } from './reply.js';

/** A stream entry's id: two unsigned 64-bit numbers. */
export interface StreamId {
  readonly ms: Int64;
  readonly seq: Int64;
}

export const LOWEST_ID: StreamId = { ms: 0, seq: 0 };
export const HIGHEST_ID: StreamId = { ms: LARGEST_UNSIGNED, seq: LARGEST_UNSIGNED };
export const INVALID_ID = new CommandError('ERR Invalid stream ID specified as stream command argument');

export function compareIds(a: StreamId, b: StreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1;
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1;
  return 0;
}

export function formatId(id: StreamId): string {
  return `${id.ms}-${id.seq}`;
}

/** Reads `ms-seq` or `ms`; what is missing is `seq`. Throws for anything else. */
export function parseId(text: string, seq: Int64): StreamId {
  const id = tryParseId(text, seq);
  if (id === undefined) throw INVALID_ID;
  return id;
}

/** As `parseId`, but undefined for anything else. */
export function tryParseId(text: string, seq: Int64): StreamId | undefined {
  if (text.length > 127) return undefined;
  const dash = text.indexOf('-');
  const ms = parseUnsigned(dash < 0 ? text : text.slice(0, dash));
  const second = dash < 0 ? seq : parseUnsigned(text.slice(dash + 1));
  return ms === undefined || second === undefined ? undefined : { ms, seq: second };
}

/** The id right after this one, or undefined after the highest. */
export function nextId({ ms, seq }: StreamId): StreamId | undefined {
  const following = nextUnsigned(seq);
  if (following !== undefined) return { ms, seq: following };
  const nextMs = nextUnsigned(ms);
  return nextMs === undefined ? undefined : { ms: nextMs, seq: 0 };
}

/** The id right before this one, or undefined before the lowest. */
function previousId({ ms, seq }: StreamId): StreamId | undefined {
  const before = previousUnsigned(seq);
  if (before !== undefined) return { ms, seq: before };
  const previousMs = previousUnsigned(ms);
  return previousMs === undefined ? undefined : { ms: previousMs, seq: LARGEST_UNSIGNED };
}

/** One end of a range: `-`, `+`, an id, or `(id` for an exclusive bound. */
export function parseBound(text: string, end: 'start' | 'end'): StreamId {
  if (text === '-') return LOWEST_ID;
  if (text === '+') return HIGHEST_ID;
  const exclusive = text.startsWith('(') && text.length > 1;
  const id = parseId(exclusive ? text.slice(1) : text, end === 'start' ? 0 : LARGEST_UNSIGNED);
  if (!exclusive) return id;
  const moved = end === 'start' ? nextId(id) : previousId(id);
  if (moved === undefined) throw new CommandError(`ERR invalid ${end} ID for the interval`);
  return moved;
}
