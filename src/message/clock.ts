/**
 * Time and chance come through these two ports, so that production code runs unchanged under virtual time
 * and one seed reproduces a whole run. Nothing in `runtime/` or `log/` reads the machine's clock by itself.
 */

import { outside } from './outside.js';

/** A pending call; cancelling one that has run, or was cancelled before, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch; may jump. */
  now(): number;
  /** Milliseconds since some fixed moment; never goes back. Durations are measured with it. */
  monotonic(): number;
  /** Calls `run` once, `ms` milliseconds from now (0 and less: as soon as possible, never synchronously). */
  after(ms: number, run: () => void): Timer;
}

/** Node's setTimeout fires at once above this many milliseconds (2^31 - 1), so longer waits are made of pieces. */
const LONGEST_TIMEOUT_MS = 2_147_483_647;

/** The machine's clock. Its timers keep the process alive until they fire or are cancelled. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const end = performance.now() + ms;
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      handle = setTimeout(() => (left > LONGEST_TIMEOUT_MS ? arm(end - performance.now()) : run()), Math.min(left, LONGEST_TIMEOUT_MS));
    };
    outside(() => arm(ms));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves once `work` is settled, however, but after `ms` on `clock` at the latest. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  let timer: Timer | undefined;
  const late = new Promise<void>((resolve) => {
    timer = clock.after(ms, resolve);
  });
  await Promise.race([late, work.catch(() => undefined)]);
  timer?.cancel();
}

/** Resolves after `ms` on `clock`; at once, and without complaint, when `signal` aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
