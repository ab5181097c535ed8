import type { Args } from '../args.js';
import { CommandError } from '../reply.js';
import type { Stream } from '../stream.js';
import { parseId, type StreamId } from '../stream-id.js';

/** Without LIMIT an approximate trim looks at this many entries at most: 100 chunks of 100. */
const DEFAULT_LIMIT = 10_000;

/** What MAXLEN or MINID asks for. */
export interface Trim {
  readonly rule: { readonly maxLength: number } | { readonly minId: StreamId };
  readonly approximate: boolean;
  readonly limit: number | undefined;
}

/** Reads `MAXLEN|MINID [=|~] threshold` at word `at`; `last` is the last word read. */
export function readTrim(args: Args, at: number): { rule: Trim; last: number } {
  let last = at + 1;
  const approximate = args.count > at + 2 && args.is(last, '~');
  if (approximate || (args.count > at + 2 && args.is(last, '='))) last += 1;
  if (args.is(at, 'MINID')) return { rule: { rule: { minId: parseId(args.text(last), 0) }, approximate, limit: undefined }, last };
  const maxLength = args.int(last);
  if (maxLength < 0) throw new CommandError('ERR The MAXLEN argument must be >= 0.');
  return { rule: { rule: { maxLength }, approximate, limit: undefined }, last };
}

export function trim(stream: Stream, { rule, approximate, limit }: Trim): number {
  return stream.trim(rule, approximate, approximate ? (limit ?? DEFAULT_LIMIT) : 0);
}
