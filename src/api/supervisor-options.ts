import type { Duration } from '../message/duration.js';
import type { Directive } from '../runtime/supervision-settings.js';

/**
 * A supervisor as users write it, in code or in a config file; `config` fills in the defaults. One that stands in no other's `supervisors` has
 * nobody above it: when it fails, the node stops. Source of the pattern: Erlang/OTP's supervisors.
 */
export interface Supervisor {
  name: string;
  /** default one-for-one */
  strategy?: 'one-for-one' | 'one-for-all' | 'rest-for-one' | undefined;
  /** more escalations than this within `period`, and the supervisor itself fails, upward; default 5 */
  intensity?: number | undefined;
  /** default 10 s */
  period?: Duration | undefined;
  backoff?:
    | { min?: Duration | undefined; max?: Duration | undefined; factor?: number | undefined; jitter?: number | undefined }
    | undefined;
  children?: readonly SupervisedActor[] | undefined;
  supervisors?: readonly Supervisor[] | undefined;
}

/** One actor type below a supervisor. */
export interface SupervisedActor {
  actor: string;
  restart?: 'permanent' | 'temporary' | undefined;
  /** activations working at once on one node; default 256 */
  concurrency?: number | undefined;
  /** messages held in memory per node; default 1000 */
  prefetch?: number | undefined;
  /** default 2 minutes */
  passivateAfter?: Duration | undefined;
  recoverability?:
    | { immediate?: number | undefined; delayed?: readonly Duration[] | undefined; order?: 'block' | 'park' | 'skip' | undefined }
    | undefined;
  /** error codes that have a directive of their own; default all are retried. `TerminalError` never is */
  directives?: { readonly [D in Directive]?: readonly string[] | undefined } | undefined;
  /** `failures` different keys in a row, default 20, and handlers wait; one at a time is tried every `probeEvery`, default 1 s, until one succeeds */
  breaker?: { failures?: number | undefined; probeEvery?: Duration | undefined } | undefined;
  /** default 30 s */
  attemptTimeout?: Duration | undefined;
  /**
   * how long a message that this version has no handler for, or that its schemas refuse, waits for a node of another version; then it is a dead
   * letter. Default 10 minutes; 0: at once
   */
  unhandledTimeout?: Duration | undefined;
  state?: { keepFor?: Duration | undefined; maxBytes?: number | undefined } | undefined;
}
