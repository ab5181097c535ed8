import { nameOf } from '../message/causes.js';
import type { Clock, Timer } from '../message/clock.js';
import { ErrandError } from '../message/errors.js';
import type { BreakerSettings } from './supervision-settings.js';

/**
 * Keeps a broken dependency from turning an actor type's backlog into dead letters. Each type of message has a breaker of its own: a command that
 * fails says nothing about the others. Source of the pattern: Circuit Breaker (Nygard).
 *
 * B1: it opens when so many different keys have failed in a row, without a success in between. One poisonous key opens nothing, and neither does a
 *     programming error, which no waiting mends.
 * B2: while it is open, messages of its type wait, without an attempt. One at a time is let through as a probe, `probeEvery` after the last one
 *     failed. Messages that have not failed yet probe first, so that a healthy one need not wait until all the failed ones have been tried again.
 * B3: a success closes it, and lets all that waited go on in their order.
 */
export class Breaker {
  /** keys that failed in a row */
  readonly #failed = new Set<string>();
  #open = false;
  #probing = false;
  /** the pause after the last probe is over */
  #ready = false;
  #timer: Timer | undefined;
  #waiting: { readonly fresh: boolean; readonly go: (probe: boolean) => void }[] = [];

  constructor(
    private readonly settings: BreakerSettings,
    private readonly clock: Clock,
    private readonly onChange: (open: boolean) => void,
  ) {}

  get open(): boolean {
    return this.#open;
  }

  /**
   * When it is open: waits for its turn; resolves to whether it is a probe, which must `leave`.
   * @param fresh the message has not failed yet
   */
  turn(fresh: boolean): Promise<boolean> {
    return new Promise((resolve) => {
      if (!this.#open) return resolve(false);
      this.#waiting.push({ fresh, go: resolve });
      this.#admit();
    });
  }

  /** The probe is over, whatever came of it; when it told nothing, the next one may go. */
  leave(): void {
    this.#probing = false;
    this.#admit();
  }

  /** A handler did its work, or was told by its dependency that it never will. */
  succeeded(): void {
    this.#failed.clear();
    if (!this.#open) return;
    this.#open = false;
    this.#timer?.cancel();
    this.#letAllGo(); // B3
    this.onChange(false);
  }

  failed(key: string): void {
    const { failures } = this.settings;
    if (failures === 0) return;
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
    const first = this.#waiting.findIndex(({ fresh }) => fresh);
    const [next] = this.#waiting.splice(Math.max(0, first), 1);
    if (next === undefined) return;
    this.#probing = true;
    next.go(true);
  }

  #letAllGo(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { go } of waiting) go(false);
  }

  stop(): void {
    this.#open = false;
    this.#timer?.cancel();
    this.#letAllGo();
  }
}

/** An actor type's breakers on one node, by type of message. */
export class Breakers {
  readonly #byType = new Map<string, Breaker>();

  constructor(
    private readonly settings: BreakerSettings,
    private readonly clock: Clock,
    private readonly onChange: (type: string, open: boolean) => void,
  ) {}

  /** The breaker that a message of this type must wait for; undefined when there is none. */
  openFor(type: string): Breaker | undefined {
    if (this.#byType.size === 0) return undefined; // most actor types never fail
    const breaker = this.#byType.get(type);
    return breaker?.open === true ? breaker : undefined;
  }

  succeeded(type: string): void {
    if (this.#byType.size > 0) this.#byType.get(type)?.succeeded();
  }

  failed(key: string, type: string): void {
    let breaker = this.#byType.get(type);
    if (breaker === undefined) {
      breaker = new Breaker(this.settings, this.clock, (open) => this.onChange(type, open));
      this.#byType.set(type, breaker);
    }
    breaker.failed(key);
  }

  /** The types of messages that wait, in order of their first failure. */
  get open(): readonly string[] {
    return [...this.#byType].filter(([, { open }]) => open).map(([type]) => type);
  }

  stop(): void {
    for (const breaker of this.#byType.values()) breaker.stop();
  }
}

/** What the language throws when a program is wrong. */
const PROGRAMMING = new Set(['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError', 'EvalError', 'URIError']);
/** errand's own words for a handler that does what it must not. */
const MISUSE = new Set([
  'ASYNC_SCHEMA',
  'EFFECTS_TOO_LARGE',
  'HANDLER_SETTLED',
  'INJECTION_FAILED',
  'INVALID_DATA',
  'INVALID_KEY',
  'INVALID_RESULT',
  'INVALID_STATE',
  'NOT_A_METHOD',
  'NOT_JSON',
  'PAYLOAD_TOO_LARGE',
  'SHARED_INSTANCE',
  'STATE_TOO_LARGE',
  'TOO_MANY_EFFECTS',
  'UNDEFINED_MESSAGE',
]);

/** Whether the error tells of a fault in the program, which no waiting mends. `fetch` says "TypeError" of a network that is away, with its cause. */
export function isProgrammingError(error: Error): boolean {
  if (error instanceof ErrandError) return MISUSE.has(error.code);
  return PROGRAMMING.has(nameOf(error)) && error.cause === undefined;
}
