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

const first = (args: Args): number[] => counted(args, 1);
const second = (args: Args): number[] => counted(args, 2);
const stored = (args: Args): number[] => [1, ...counted(args, 2)];

/** Where the keys of commands are that have none at fixed places. */
const MOVABLE: Readonly<Record<string, (args: Args) => number[]>> = {
  ...{ eval: second, eval_ro: second, evalsha: second, evalsha_ro: second },
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
