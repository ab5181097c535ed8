import type { Clock, Timer } from './clock.js';
import { type Duration, milliseconds } from './duration.js';

/** After this many turns of the event loop in which nobody asked the clock anything, the process counts as quiet. */
const QUIET_TURNS = 12;
/** A handler that spins on the clock for ever must not hang `advance`: give up waiting for quiet after this many turns. */
const MOST_TURNS = 20_000;

interface Pending {
  due: number;
  order: number;
  run: () => void;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * A clock that stands still until it is moved. Under it, a retry in an hour is a test of a second, or of milliseconds where a long `lease` leaves little to do meanwhile.
 *
 * `advance` fires what falls due in order and, before and after each moment, waits until the in-process work it set off
 * has come to rest. It waits for promises, timers and the in-process Redis; it does not wait for real input and output
 * (files, sockets): await those yourself.
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #start: number;
  #order = 0;
  #touched = 0;
  #pending: Pending[] = []; // sorted by (due, order), soonest last

  /** @param start where time begins; default 2030-01-01T00:00:00Z. */
  constructor(start: Date | number = Date.UTC(2030, 0, 1)) {
    this.#start = this.#now = Number(start);
  }

  now(): number {
    this.#touched += 1;
    return this.#now;
  }

  monotonic(): number {
    return this.now() - this.#start;
  }

  after(ms: number, run: () => void): Timer {
    this.#touched += 1;
    const entry: Pending = { due: this.#now + Math.max(0, Math.ceil(ms)), order: this.#order++, run };
    let at = this.#pending.length;
    while (at > 0 && (this.#pending[at - 1] as Pending).due <= entry.due) at -= 1;
    this.#pending.splice(at, 0, entry);
    // A wait of nothing is not a wait for time to pass: it ends by itself, in a later turn.
    if (ms <= 0) setImmediate(() => this.#take(entry) && run());
    return {
      cancel: () => {
        this.#take(entry);
      },
    };
  }

  /** Moves time on by `by`, firing everything that falls due on the way, in order. Resolves when the work this set off is done. */
  async advance(by: Duration): Promise<void> {
    const end = this.#now + Math.ceil(milliseconds(by));
    await this.settle();
    for (let next = this.#pending.at(-1); next !== undefined && next.due <= end; next = this.#pending.at(-1)) {
      this.#now = Math.max(this.#now, next.due);
      for (let same: Pending | undefined = next; same !== undefined && same.due <= this.#now; same = this.#pending.at(-1)) {
        this.#pending.pop();
        same.run();
      }
      await this.settle();
    }
    this.#now = end;
    await this.settle();
  }

  /** Resolves when in-process work has come to rest, without moving time. */
  async settle(): Promise<void> {
    let quiet = 0;
    for (let turns = 0; quiet < QUIET_TURNS && turns < MOST_TURNS; turns += 1) {
      const before = this.#touched;
      await turn();
      quiet = this.#touched === before ? quiet + 1 : 0;
    }
  }

  #take(entry: Pending): boolean {
    const at = this.#pending.indexOf(entry);
    if (at >= 0) this.#pending.splice(at, 1);
    return at >= 0;
  }
}
