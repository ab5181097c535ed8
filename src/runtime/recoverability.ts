import { codeOf, ownCodeOf, TerminalError } from '../message/errors.js';
import type { Directive, RecoverabilitySettings } from './supervision-settings.js';

/** What happens to a message that is to be tried again (NServiceBus calls this recoverability). */
export type Decision =
  | { readonly kind: 'retry' } // at once
  | { readonly kind: 'wait'; readonly delay: number } // ms; its key waits with it
  | { readonly kind: 'park' } // until a redrive
  | { readonly kind: 'dead-letter' };

/**
 * Attempts are: the first, `immediate` more at once, then one after each delay. Under `skip` no key waits, so there are no delayed attempts.
 * @param attempts made so far, this one included
 */
export function decide(policy: RecoverabilitySettings, attempts: number): Decision {
  if (attempts <= policy.immediate) return { kind: 'retry' };
  if (policy.order === 'skip') return { kind: 'dead-letter' };
  const delay = policy.delayed[attempts - policy.immediate - 1];
  if (delay !== undefined) return { kind: 'wait', delay };
  return policy.order === 'park' ? { kind: 'park' } : { kind: 'dead-letter' };
}

/**
 * Whether a message that escalates stays in the log no longer. It may escalate once more than it may be tried: the failure that uses up its
 * attempts may be the one that stops the node, which must lose nothing.
 */
export function usedUp(policy: RecoverabilitySettings, attempts: number): boolean {
  return attempts > 1 + policy.immediate + (policy.order === 'skip' ? 0 : policy.delayed.length);
}

/** The codes by which a config may know an error: errand's, or the one that Node and most libraries put on theirs. */
function codesOf(error: Error): string[] {
  return [ownCodeOf(error) ?? '', codeOf(error, 'HANDLER_FAILED')];
}

/**
 * The one decision after a failed attempt. The actor's own choice comes first, then the config's for the error's code, then `retry`.
 * A `TerminalError` is never retried: its message is settled as failed, whatever was chosen for the actor.
 */
export function choose(error: Error, own: Directive | undefined, listed: ReadonlyMap<string, Directive>): Directive {
  const wanted =
    own ??
    codesOf(error)
      .map((code) => listed.get(code))
      .find((directive) => directive !== undefined) ??
    'retry';
  if (!(error instanceof TerminalError)) return wanted;
  return wanted === 'stop' ? 'stop' : 'resume';
}
