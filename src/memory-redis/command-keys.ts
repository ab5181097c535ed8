import type { Args } from './args.js';
import type { CommandSpec } from './command-table.js';

/** Word `at` says how many keys follow it. Nothing when it is no such number. */
function counted(args: Args, at: number): number[] {
  const count = /^\d{1,9}$/.test(args.text(at)) ? Number(args.text(at)) : 0;
  return at + count < args.count ? Array.from({ length: count }, (_, index) => at + 1 + index) : [];
}

/** After STREAMS come as many keys as ids. */
function streams(args: Args): number[] {
  let at = 1;
  while (at < args.count && !args.is(at, 'STREAMS')) at += 1;
  const count = Math.floor((args.count - at - 1) / 2);
  return Array.from({ length: Math.max(0, count) }, (_, index) => at + 1 + index);
}

/** The key that is sorted, and the last one that is named after STORE. */
function sorted(args: Args): number[] {
  let stored: number | undefined;
  for (let at = 2; at < args.count; at += 1) {
    if (args.is(at, 'LIMIT')) at += 2;
    else if (args.is(at, 'GET') || args.is(at, 'BY')) at += 1;
    else if (args.is(at, 'STORE') && at + 1 < args.count) stored = ++at;
  }
  return stored === undefined ? [1] : [1, stored];
}

const first = (args: Args): number[] => counted(args, 1);
const second = (args: Args): number[] => counted(args, 2);
const stored = (args: Args): number[] => [1, ...counted(args, 2)];

/** Where the keys of commands are that have none at fixed places. */
const MOVABLE: Readonly<Record<string, (args: Args) => number[]>> = {
  ...{ eval: second, eval_ro: second, evalsha: second, evalsha_ro: second },
  ...{ sort: sorted },
  ...{ xread: streams, xreadgroup: streams },
  ...{ lmpop: first, zmpop: first, blmpop: second, bzmpop: second },
  ...{ zunion: first, zinter: first, zdiff: first, zintercard: first, sintercard: first },
  ...{ zunionstore: stored, zinterstore: stored, zdiffstore: stored },
};

/** Which words of a request are keys. */
export function keyPositions(spec: CommandSpec, args: Args): number[] {
  const movable = MOVABLE[spec.name];
  if (movable !== undefined) return movable(args);
  const [from, last, step] = spec.keys;
  const positions: number[] = [];
  if (from === 0) return positions;
  const end = last < 0 ? args.count + last : last;
  for (let at = from; at <= end && at < args.count; at += step) positions.push(at);
  return positions;
}
