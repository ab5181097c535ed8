import { RedisError } from '../message/errors.js';
import { OUTCOME_KEPT_MS } from '../message/limits.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import { type Answer, stringOf } from './reply.js';

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
  | { readonly kind: 'terminal'; readonly outcome: Outcome }
  /** Redis refused to read it, or it was changed by hand */
  | { readonly kind: 'unread'; readonly error: RedisError };

export function encodeOutcome(outcome: Outcome): string {
  return JSON.stringify(outcome);
}

/** @throws when the text is no outcome */
export function decodeOutcome(text: string): Outcome {
  const outcome: unknown = JSON.parse(text);
  const { status } = Object(outcome) as { status?: unknown };
  if (status !== 'completed' && status !== 'failed') throw new Error('no outcome');
  return outcome as Outcome;
}

export function writeOutcome(batch: CommitBatch, key: string, print: string, encoded: string): void {
  batch.write('SET', key, `${print} ${encoded}`, 'PX', OUTCOME_KEPT_MS);
}

export async function readOutcomes(
  link: Link,
  keys: Keys,
  wanted: readonly { shard: number; messageId: string }[],
): Promise<OutcomeRecord[]> {
  const names = wanted.map(({ shard, messageId }) => keys.outcome(shard, messageId));
  const answers = await link.answers(names.map((name) => ['GET', name] as const));
  return answers.map((answer, i) => recordOf(answer, names[i] as string));
}

/** One record that cannot be read says so for itself, and holds no other up. */
function recordOf(answer: Answer, name: string): OutcomeRecord {
  if (answer.kind === 'refused') return { kind: 'unread', error: answer.error };
  if (answer.reply === null) return { kind: 'none' };
  try {
    const text = stringOf(answer.reply, 'GET');
    const body = text.slice(text.indexOf(' ') + 1);
    return body === 'pending' ? { kind: 'pending' } : { kind: 'terminal', outcome: decodeOutcome(body) };
  } catch {
    return { kind: 'unread', error: new RedisError('REDIS_REPLY', `the key '${name}' holds no outcome; was it changed by hand?`) };
  }
}
