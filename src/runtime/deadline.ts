import { brand } from '../message/brand.js';
import type { Clock, Timer } from '../message/clock.js';
import { asError, ErrandError } from '../message/errors.js';
import type { Attempt } from './attempt.js';

/** How long a handler that has not answered at once is waited for. */

export class AttemptTimeout extends ErrandError {
  static {
    brand(this, 'AttemptTimeout');
  }
  constructor(ms: number) {
    super('ATTEMPT_TIMEOUT', `the handler did not settle within ${ms} ms`);
  }
}

/** The attempt's outcome counts for nothing: the partition was lost, or the node stopped. */
export class Abandoned extends ErrandError {
  static {
    brand(this, 'Abandoned');
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === 'object' && typeof (value as { then?: unknown }).then === 'function';
}

/**
 * Settles as the handler does; rejects when its time is up or its attempt is given up.
 * @param limit how long it was given, ms
 * @param settled runs when the handler itself has settled
 */
export function withDeadline(
  clock: Clock,
  attempt: Attempt,
  returned: PromiseLike<unknown>,
  limit: number,
  settled: () => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined;
    const give = (reason: Error): void => {
      timer?.cancel();
      attempt.abort(reason);
      reject(reason);
    };
    timer = clock.after(Math.max(0, attempt.deadline - clock.now()), () => give(new AttemptTimeout(limit)));
    attempt.onAbandon = () => give(new Abandoned('ABANDONED', 'the partition was lost, or the node is stopping'));
    // What a handler does after its time is up is its own affair; a late rejection is taken here too.
    returned.then(
      (value) => {
        timer?.cancel();
        settled();
        resolve(value);
      },
      (thrown: unknown) => {
        timer?.cancel();
        settled();
        reject(asError(thrown));
      },
    );
  });
}
