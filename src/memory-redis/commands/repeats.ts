import { CommandError } from '../reply.js';

/** A negative count asks for so many elements, with repetitions. Redis would go on until its memory is full. */
const MOST_REPEATED = 1_000_000;

function repeats(count: number): number {
  if (-count > MOST_REPEATED) throw new CommandError('ERR value is out of range');
  return -count;
}

/** The first `count` of these, without touching the others. */
export function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  if (count <= 0) return first;
  for (const item of items) {
    first.push(item);
    if (first.length >= count) break;
  }
  return first;
}

/** As a random choice of `count` elements is made here: those that come first, and again from the start when it is negative. */
export function choose<T>(items: Iterable<T>, count: number): T[] {
  if (count >= 0) return firstOf(items, count);
  const wanted = repeats(count);
  const some = firstOf(items, wanted);
  return Array.from({ length: wanted }, (_, index) => some[index % some.length] as T);
}
