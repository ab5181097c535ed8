import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { addIntegers, type Int64 } from '../numbers.js';
import { CommandError } from '../reply.js';

/** The words for times: seconds or milliseconds, from now or from the epoch. */
export type ExpiryUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT';

const UNITS: ReadonlySet<string> = new Set(['EX', 'PX', 'EXAT', 'PXAT']);

export function isExpiryUnit(word: string): word is ExpiryUnit {
  return UNITS.has(word);
}

/** Word `index` as the moment, in milliseconds, that `unit` makes of it; `name` is the command for the error. Zero and less is refused. */
export function deadline(client: Client, args: Args, index: number, unit: ExpiryUnit, name: string): number {
  if (args.int(index) <= 0) throw invalid(name);
  return moment(client, args, index, unit, name);
}

/** As `deadline`, with times that are over allowed. */
export function moment(client: Client, args: Args, index: number, unit: ExpiryUnit, name: string): number {
  const value = args.int64(index);
  const ms: Int64 | undefined = unit === 'EX' || unit === 'EXAT' ? thousandfold(value) : value;
  const at = ms !== undefined && (unit === 'EX' || unit === 'PX') ? addIntegers(ms, client.engine.now) : ms;
  if (at === undefined) throw invalid(name);
  return Number(at);
}

function thousandfold(value: Int64): Int64 | undefined {
  const product = BigInt(value) * 1000n;
  return addIntegers(product, 0);
}

function invalid(name: string): CommandError {
  return new CommandError(`ERR invalid expire time in '${name}' command`);
}
