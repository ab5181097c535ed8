import { CommandError } from '../reply.js';

/** A negative count asks for so many elements, with repetitions. Redis would go on until its memory is full. */
const MOST_REPEATED = 1_000_000;

export function repeats(count: number): number {
  if (-count > MOST_REPEATED) throw new CommandError('ERR value is out of range');
  return -count;
}
