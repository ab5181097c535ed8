import type { Clock, Timer } from '../../src/message/clock.js';

interface Waiting {
  readonly run: () => void;
}

/**
 * One node's view of the clock that all share. Its wall clock may be wrong; while it is frozen its timers wait, and are late when it comes
 * back; once it is dead nothing of it runs any more.
 */
export class NodeClock implements Clock {
  /** how wrong the wall clock is, ms */
  skew = 0;
  #frozen = false;
  #dead = false;
  #late: Waiting[] = [];

  constructor(private readonly shared: Clock) {}

  now(): number {
    return this.shared.now() + this.skew;
  }

  monotonic(): number {
    return this.shared.monotonic();
  }

  after(ms: number, run: () => void): Timer {
    const waiting: Waiting = { run };
    const timer = this.shared.after(ms, () => {
      if (this.#dead) return;
      if (this.#frozen) this.#late.push(waiting);
      else run();
    });
    return {
      cancel: () => {
        timer.cancel();
        this.#late = this.#late.filter((late) => late !== waiting);
      },
    };
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    for (let first = this.#late.shift(); first !== undefined; first = this.#late.shift()) first.run();
  }

  /** After the run: what is left may come to its end. */
  revive(): void {
    this.#dead = false;
    this.thaw();
  }

  kill(): void {
    this.#dead = true;
    this.#late = [];
  }
}
