import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { CommandError } from '../reply.js';

/** The words for times: seconds or milliseconds, from now or from the epoch. */
export const EXPIRY_UNITS: ReadonlyMap<string, string> = new Map(['EX', 'PX', 'EXAT', 'PXAT'].map((word) => [word, word]));

const LARGEST_MS = 2 ** 63;

/** Word `index` as the moment, in milliseconds, that `unit` makes of it; `name` is the command for the error. Zero and less is refused. */
export function deadline(client: Client, args: Args, index: number, unit: string, name: string): number {
  const at = moment(client, args, index, unit, name);
  if (args.int(index) <= 0) throw invalid(name);
  return at;
}

/** As `deadline`, with times that are over allowed. */
export function moment(client: Client, args: Args, index: number, unit: string, name: string): number {
  const value = Number(args.int64(index));
  const ms = unit === 'EX' || unit === 'EXAT' ? value * 1000 : value;
  const at = unit === 'EX' || unit === 'PX' ? ms + client.engine.now : ms;
  if (Math.abs(ms) >= LARGEST_MS || at >= LARGEST_MS) throw invalid(name);
  return at;
}

function invalid(name: string): CommandError {
  return new CommandError(`ERR invalid expire time in '${name}' command`);
}
