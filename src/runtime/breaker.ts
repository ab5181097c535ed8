import type { Clock, Timer } from '../message/clock.js';
import type { BreakerSettings } from './supervision-settings.js';

/**
 * Keeps a broken dependency from turning an actor type's backlog into dead letters. Source of the pattern: Circuit Breaker (Nygard).
 *
 * B1: it opens when so many different keys have failed in a row, without a success in between. One poisonous key opens nothing. Only a
 *     success at a message of a type that failed counts: what else the actor does need not touch what is broken.
 * B2: while it is open handlers wait, without an attempt, and one at a time is let through as a probe, `probeEvery` after the last one failed.
 * B3: such a success closes it, and lets all that waited go on in their order.
 */
export class Breaker {
  /** keys, and types of messages, that failed in a row */
  readonly #failed = new Set<string>();
  readonly #types = new Set<string>();
  #open = false;
  #probing = false;
  /** the pause after the last probe is over */
  #ready = false;
  #timer: Timer | undefined;
  #waiting: ((probe: boolean) => void)[] = [];

  constructor(
    private readonly settings: BreakerSettings,
    private readonly clock: Clock,
    private readonly onChange: (open: boolean) => void,
  ) {}

  get open(): boolean {
    return this.#open;
  }

  /** When it is open: waits for its turn; resolves to whether it is a probe, which must `leave`. */
  turn(): Promise<boolean> {
    return new Promise((resolve) => {
      if (!this.#open) return resolve(false);
      this.#waiting.push(resolve);
      this.#admit();
    });
  }

  /** The probe is over, whatever came of it; when it told nothing, the next one may go. */
  leave(): void {
    this.#probing = false;
    this.#admit();
  }

  /** A handler did its work, or was told by its dependency that it never will. */
  succeeded(type: string): void {
    if (this.#types.size === 0 || !this.#types.has(type)) return;
    this.#failed.clear();
    this.#types.clear();
    if (!this.#open) return;
    this.#open = false;
    this.#timer?.cancel();
    this.#letAllGo(); // B3
    this.onChange(false);
  }

  failed(key: string, type: string): void {
    const { failures } = this.settings;
    if (failures === 0) return;
    this.#types.add(type);
    if (!this.#open) {
      this.#failed.add(key); // B1
      if (this.#failed.size < failures) return;
      this.#failed.clear();
      this.#open = true;
      this.onChange(true);
    }
    this.#ready = false;
    this.#timer?.cancel();
    this.#timer = this.clock.after(this.settings.probeEvery, () => {
      this.#ready = true;
      this.#admit();
    });
  }

  /** B2 */
  #admit(): void {
    if (!this.#open || !this.#ready || this.#probing) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#probing = true;
    next(true);
  }

  #letAllGo(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go(false);
  }

  stop(): void {
    this.#open = false;
    this.#timer?.cancel();
    this.#letAllGo();
  }
}
