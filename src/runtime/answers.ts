import type { CommitBatch } from '../log/commit.js';
import type { Keys } from '../log/keys.js';
import { encodeOutcome, type Outcome, writeOutcome } from '../log/outcome.js';
import { shardOf } from '../log/shard.js';
import { type Envelope, fieldOf, toFields } from '../message/envelope.js';
import { ERROR_CHARACTERS, RESULTS_PER_PARTITION } from '../message/limits.js';
import { idFault, isName, keyFault } from '../message/names.js';
import { NOBODY } from './held.js';

/** How a command ended, before it has a time and a correlation. */
export type Ending =
  | { readonly status: 'completed'; readonly json: string }
  | { readonly status: 'failed'; readonly code: string; readonly message: string };

/** Stands for the fingerprint of data that nobody compares. */
const UNTRACKED = '-';

/**
 * Everything by which a command's sender learns its outcome, in the commit that settles it: the result on the second stream, a reply to the
 * asker's inbox (Return Address, Hohpe & Woolf), and the outcome record for `ask`, `attach` and dedupe.
 * @returns the outcome when it is recorded
 */
export function answer(
  batch: CommitBatch,
  keys: Keys,
  type: string,
  shard: number,
  envelope: Envelope,
  ending: Ending,
  now: number,
): Outcome | undefined {
  const { id, correlationId } = envelope;
  const data =
    ending.status === 'completed' ? ending.json : JSON.stringify({ code: ending.code, message: ending.message.slice(0, ERROR_CHARACTERS) });
  const result = copyOf(envelope, type, 'result', envelope.subject, ending.status, data, now);
  batch.append(keys.results(type, shard), result, RESULTS_PER_PARTITION);
  const address = envelope.replyTo === undefined ? undefined : parseAddress(envelope.replyTo);
  if (address !== undefined) {
    const reply = copyOf(envelope, type, 'reply', address.key, ending.status, data, now);
    batch.append(keys.inbox(address.type, shardOf(address.key, keys.shards)), reply);
  }
  // That a command was cancelled is recorded in any case: whoever cancels it again is told so (docs/adr/0009).
  const print = envelope.track ?? (ending.status === 'failed' && ending.code === 'CANCELLED' ? UNTRACKED : undefined);
  if (print === undefined) return undefined;
  const outcome: Outcome =
    ending.status === 'completed'
      ? { status: 'completed', value: ending.json, correlationId, at: now }
      : { status: 'failed', code: ending.code, message: ending.message.slice(0, ERROR_CHARACTERS), correlationId, at: now };
  writeOutcome(batch, keys.outcome(shard, id), print, encodeOutcome(outcome));
  return outcome;
}

/** The fields of the result, or of its copy to the asker. */
function copyOf(
  { id, type, subject, correlationId, traceparent }: Envelope,
  actor: string,
  word: 'result' | 'reply',
  to: string,
  status: Ending['status'],
  data: string,
  time: number,
): string[] {
  // Spelled out, not spread: see Composer.
  return toFields({
    id: `${id}.${word}`,
    type,
    kind: word === 'reply' ? 'reply' : 'command',
    source: `${actor}/${subject}`,
    subject: to,
    time,
    correlationId,
    causationId: id,
    status,
    data,
    traceparent,
  });
}

/** `type/key`; the key may hold slashes of its own. An address that is none, in an entry written by hand, gets no reply. */
function parseAddress(address: string): { type: string; key: string } | undefined {
  const slash = address.indexOf('/');
  const type = address.slice(0, Math.max(0, slash));
  const key = address.slice(slash + 1);
  // A type with a colon would reach another kind of key, and WRONGTYPE in a commit costs the partition.
  return isName(type) && keyFault(key) === undefined ? { type, key } : undefined;
}

/** An entry that is no message may still have a sender who waits: where there is an id and a type, there is a result. */
export function answerUnreadable(
  batch: CommitBatch,
  keys: Keys,
  type: string,
  shard: number,
  fields: readonly string[],
  message: string,
  now: number,
): void {
  const [id, name, kind, correlationId] = ['id', 'type', 'kind', 'correlationid'].map((field) => fieldOf(fields, field));
  if (id === undefined || idFault(id) !== undefined || !isName(name) || (kind !== undefined && kind !== 'command')) return;
  const envelope = {
    ...NOBODY,
    id,
    type: name,
    correlationId: correlationId === undefined || idFault(correlationId) !== undefined ? id : correlationId,
  };
  answer(batch, keys, type, shard, envelope, { status: 'failed', code: 'DEAD_LETTERED', message }, now);
}
