import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../message/clock.js';

/**
 * Ends a connection on which an answer is due and nothing has come for too long: one that died silently would be waited on for ever.
 * ioredis' own watch (`socketTimeout`) makes a timer and a listener for each command, a fifteenth of all that an `ask` leaves to the garbage collector.
 */
export class Silence {
  /** commands that have no answer yet */
  #due = 0;
  /** since when nothing has come, while an answer is due; monotonic ms */
  #since = 0;
  #watch: Timer | undefined;

  /**
   * @param limit ms; undefined: it is not watched
   * @param onSilent it is about to be ended
   */
  constructor(
    private readonly stream: Duplex,
    private readonly limit: number | undefined,
    private readonly clock: Clock,
    private readonly onSilent: () => void,
  ) {
    if (limit === undefined) return;
    stream.on('data', () => {
      this.#since = clock.monotonic();
    });
    stream.once('close', () => this.#watch?.cancel());
  }

  /** A command is written. */
  sent(): void {
    this.#due += 1;
    if (this.limit === undefined || this.#due > 1) return;
    this.#since = this.clock.monotonic();
    if (this.#watch === undefined) this.#look(this.limit, this.limit);
  }

  /** One is answered, or never will be. */
  answered(): void {
    this.#due -= 1;
  }

  /** Likewise, on the way of its reply. */
  readonly pass = <T>(reply: T): T => {
    this.#due -= 1;
    return reply;
  };

  #look(after: number, limit: number): void {
    this.#watch = this.clock.after(after, () => {
      this.#watch = undefined;
      if (this.#due === 0) return;
      const left = this.#since + limit - this.clock.monotonic();
      if (left > 0) this.#look(left, limit);
      else {
        this.onSilent();
        this.stream.destroy(new Error(`no answer came within ${limit} ms`));
      }
    });
  }
}
