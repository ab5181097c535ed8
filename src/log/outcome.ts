import { OUTCOME_KEPT_MS } from '../message/limits.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';

/**
 * The outcome record of one message: `<fingerprint> pending` from the append on, `<fingerprint> <JSON>` once the outcome is terminal.
 * It is the dedupe record of an idempotency key and what `ask` and `attach` read. Its time to live starts when it is terminal.
 */

/** How a command ended. */
export type Outcome = { readonly correlationId: string; readonly at: number } & (
  | { readonly status: 'completed'; readonly value: string /* JSON text */ }
  | { readonly status: 'failed'; readonly code: string; readonly message: string }
);

export type OutcomeRecord =
  | { readonly kind: 'none' }
  | { readonly kind: 'pending' }
  | { readonly kind: 'terminal'; readonly outcome: Outcome };

export function encodeOutcome(outcome: Outcome): string {
  return JSON.stringify(outcome);
}

export function decodeOutcome(text: string): Outcome {
  return JSON.parse(text) as Outcome;
}

export function writeOutcome(batch: CommitBatch, key: string, print: string, encoded: string): void {
  batch.write('SET', key, `${print} ${encoded}`, 'PX', OUTCOME_KEPT_MS);
}

export async function readOutcomes(
  link: Link,
  keys: Keys,
  wanted: readonly { shard: number; messageId: string }[],
): Promise<OutcomeRecord[]> {
  const replies = await link.pipeline(wanted.map(({ shard, messageId }) => ['GET', keys.outcome(shard, messageId)] as const));
  return replies.map((reply) => {
    if (reply instanceof Error) throw reply;
    if (typeof reply !== 'string') return { kind: 'none' };
    const body = reply.slice(reply.indexOf(' ') + 1);
    return body === 'pending' ? { kind: 'pending' } : { kind: 'terminal', outcome: decodeOutcome(body) };
  });
}
