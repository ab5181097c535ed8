import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { GlobBudget, globMatches } from '../glob.js';
import { CommandError, type Reply, SYNTAX_ERROR } from '../reply.js';

const DEFAULT_COUNT = 10;
/** Redis gives collections up to this size in one go: they have no cursor to speak of. */
const WHOLE_BELOW = 512;

export interface ScanOptions {
  readonly cursor: string;
  readonly count: number;
  readonly match: string | undefined;
  readonly type: string | undefined;
}

/** Reads `cursor [MATCH pattern] [COUNT n] [TYPE name]` from word `from` on. */
export function readScan(args: Args, from: number, types = false): ScanOptions {
  const cursor = readCursor(args, from);
  let count = DEFAULT_COUNT;
  let match: string | undefined;
  let type: string | undefined;
  for (let at = from + 1; at < args.count; at += 2) {
    if (at + 1 >= args.count) throw SYNTAX_ERROR;
    if (args.is(at, 'COUNT')) {
      count = args.int(at + 1);
      if (count < 1) throw SYNTAX_ERROR;
    } else if (args.is(at, 'MATCH')) match = args.text(at + 1);
    else if (types && args.is(at, 'TYPE')) type = args.text(at + 1).toLowerCase();
    else throw SYNTAX_ERROR;
  }
  return { cursor, count, match, type };
}

/** A cursor as strtoul reads it: nothing at all is 0. */
function readCursor(args: Args, index: number): string {
  const text = args.text(index);
  if (text.length > 21 || !/^[+-]?\d*$/.test(text) || /^[+-]$/.test(text) || BigInt(text.replace(/^[+-]/, '')) >= 2n ** 64n)
    throw new CommandError('ERR invalid cursor');
  return text === '' ? '0' : text;
}

/** One step through a collection's elements; `name` is what MATCH looks at, `show` what is answered for an element. */
export function scanElements<T>(
  client: Client,
  args: Args,
  find: () => { readonly size: number; [Symbol.iterator](): Iterator<T> } | undefined,
  name: (element: T) => string,
  show: (element: T) => readonly Reply[],
): Reply {
  readCursor(args, 2);
  const collection = find();
  // Without the key the options are not even looked at.
  if (collection === undefined) return ['0', []];
  const options = readScan(args, 2);
  const count = collection.size <= WHOLE_BELOW ? Math.max(options.count, WHOLE_BELOW) : options.count;
  const { cursor, items } = client.engine.cursors.scan(collection, () => collection[Symbol.iterator](), options.cursor, count);
  const shown: Reply[] = [];
  const budget = new GlobBudget();
  for (const item of items) if (options.match === undefined || globMatches(options.match, name(item), budget)) shown.push(...show(item));
  return [cursor, shown];
}
