import { TerminalError } from '../message/errors.js';
import type { RecoverabilitySettings } from './supervision-settings.js';

/** What happens to a message after a failed attempt (NServiceBus calls this recoverability). */
export type Decision =
  | { readonly kind: 'retry' } // at once
  | { readonly kind: 'wait'; readonly delay: number } // ms; its key waits with it
  | { readonly kind: 'park' } // until a redrive
  | { readonly kind: 'fail' } // settled as failed; no dead letter
  | { readonly kind: 'dead-letter' };

/**
 * Attempts are: the first, `immediate` more at once, then one after each delay.
 * A `TerminalError` is settled as failed at its first attempt. Under `skip` no key waits, so there are no delayed attempts.
 * @param attempts made so far, this one included
 */
export function decide(policy: RecoverabilitySettings, attempts: number, error: Error): Decision {
  if (error instanceof TerminalError) return { kind: 'fail' };
  if (attempts <= policy.immediate) return { kind: 'retry' };
  if (policy.order === 'skip') return { kind: 'dead-letter' };
  const delay = policy.delayed[attempts - policy.immediate - 1];
  if (delay !== undefined) return { kind: 'wait', delay };
  return policy.order === 'park' ? { kind: 'park' } : { kind: 'dead-letter' };
}
