/**
 * The supervision tree as data, with every default filled in and every duration in milliseconds.
 * `api/config` makes it from what users write, in a file or in code; the runtime spawns it.
 */

/** Which siblings restart with the failed one (Erlang/OTP). */
export type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one';

/** What becomes of a key's later messages while one of them waits for a retry. */
export type RetryOrder = 'block' | 'park' | 'skip';

export interface BackoffSettings {
  readonly min: number; // ms
  readonly max: number; // ms
  readonly factor: number;
  readonly jitter: number; // share of the delay, 0 to 1
}

export interface RecoverabilitySettings {
  /** attempts made at once after the first */
  readonly immediate: number;
  /** one more attempt after each of these, ms */
  readonly delayed: readonly number[];
  readonly order: RetryOrder;
}

/** What happens after a failed attempt: to the actor, and to its message (docs/DESIGN.md, section 6). */
export type Directive = 'retry' | 'resume' | 'stop' | 'escalate';

export const DIRECTIVES: readonly Directive[] = ['retry', 'resume', 'stop', 'escalate'];

/** When a whole dependency counts as broken. */
export interface BreakerSettings {
  /** different keys that fail in a row; 0: never */
  readonly failures: number;
  /** one message at a time is tried, this long after the last one failed, ms */
  readonly probeEvery: number;
}

/** One actor type under a supervisor. */
export interface ChildSettings {
  readonly actor: string;
  readonly restart: 'permanent' | 'temporary';
  /** activations working at once on one node */
  readonly concurrency: number;
  /** messages held in memory per node; the rest stays in the log */
  readonly prefetch: number;
  readonly passivateAfter: number; // ms
  readonly recoverability: RecoverabilitySettings;
  /** error codes that have a directive of their own */
  readonly directives: ReadonlyMap<string, Directive>;
  readonly breaker: BreakerSettings;
  readonly attemptTimeout: number; // ms
  /** how long a message that this node cannot handle waits for one that can, ms; 0: not at all */
  readonly unhandledTimeout: number;
  readonly state: { readonly keepFor: number | undefined /* ms; undefined: for ever */; readonly maxBytes: number };
}

export interface SupervisorSettings {
  readonly name: string;
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly period: number; // ms
  readonly backoff: BackoffSettings;
  readonly children: readonly ChildSettings[];
  readonly supervisors: readonly SupervisorSettings[];
}

/** What an actor type gets when no supervisor names it. */
export function defaultChildSettings(actor: string): ChildSettings {
  return {
    actor,
    restart: 'permanent',
    concurrency: 256,
    prefetch: 1_000,
    passivateAfter: 120_000,
    recoverability: { immediate: 2, delayed: [1_000, 5_000, 30_000], order: 'block' },
    directives: new Map(),
    breaker: { failures: 20, probeEvery: 1_000 },
    attemptTimeout: 30_000,
    unhandledTimeout: 600_000,
    state: { keepFor: undefined, maxBytes: 1_048_576 },
  };
}

/** What a supervisor gets where its config is silent. */
export const DEFAULT_SUPERVISOR: Omit<SupervisorSettings, 'name' | 'children' | 'supervisors'> = {
  strategy: 'one-for-one',
  intensity: 5,
  period: 10_000,
  backoff: { min: 100, max: 10_000, factor: 2, jitter: 0.2 },
};
