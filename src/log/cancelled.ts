import { fieldOf } from '../message/envelope.js';
import { invariant } from '../message/errors.js';
import { fromJson } from '../message/json.js';
import type { CommitBatch } from './commit.js';
import type { Argument, Link } from './connection.js';
import { entriesOf } from './entry.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { optionalStringOf, pairsOf, stringsOf } from './reply.js';
import { fieldsOf } from './schedule.js';
import { runScript } from './scripts.js';

/**
 * Commands that must not complete: a hash beside each partition, from the message's id to when it was marked. A mark stands before the
 * message's outcome or not at all, and goes with it; whoever sees it there knows that the message can only end as cancelled.
 */

/** The field of a partition's hash that counts how often marks were made, or taken away by others than its owner. */
export const CANCELS = 'cancels';

/** Marks the message for each actor type that it may be for, and wakes their owners. */
export async function mark(
  link: Link,
  keys: Keys,
  shard: number,
  types: readonly string[],
  message: { readonly id: string; readonly at: number; readonly request: readonly string[] },
): Promise<'marked' | 'too-late'> {
  const { id, at, request } = message;
  const names = types.flatMap((type) => [keys.partition(type, shard), keys.cancelled(type, shard), keys.inbox(type, shard)]);
  const args: Argument[] = [id, new Date(at).toISOString(), ...request];
  const reply = await runScript(link, 'cancel', [keys.outcome(shard, id), ...names], args);
  invariant(reply === 'marked' || reply === 'too-late', `cancel answered ${String(reply)}`);
  return reply;
}

/** Takes marks away where there is nothing to cancel, and counts that too: no owner acts on what it remembers of them. */
export async function unmark(link: Link, keys: Keys, shard: number, types: readonly string[], id: string): Promise<void> {
  const writes = types.flatMap((type) => [
    ['HDEL', keys.cancelled(type, shard), id] as const,
    ['HINCRBY', keys.partition(type, shard), CANCELS, 1] as const,
  ]);
  await link.pipeline(writes);
}

/** What an owner knows of marks: the count, and which stand. The count first: a change that comes in between is only seen early. */
export async function readMarks(link: Link, keys: Keys, { type, shard }: PartitionId): Promise<{ count: string; ids: string[] }> {
  const [count, ids] = await link.pipeline([
    ['HGET', keys.partition(type, shard), CANCELS],
    ['HKEYS', keys.cancelled(type, shard)],
  ]);
  return { count: optionalStringOf(count, 'HGET') ?? '', ids: stringsOf(ids, 'HKEYS') };
}

/** Marks made before `time` (ms since the epoch). */
export async function marksBefore(link: Link, keys: Keys, { type, shard }: PartitionId, time: number): Promise<string[]> {
  const marks = pairsOf(await link.call('HGETALL', [keys.cancelled(type, shard)]), 'HGETALL');
  return marks.filter(([, at]) => Date.parse(at) < time).map(([id]) => id);
}

/** The owner has cancelled it, or knows that it is not there, in this commit. */
export function clearMark(batch: CommitBatch, keys: Keys, { type, shard }: PartitionId, id: string): void {
  batch.write('HDEL', keys.cancelled(type, shard), id);
}

const PIECE = 500;

/** Only commands are cancelled; a fact that was taken in keeps its id. */
function isCommand(fields: readonly string[], id: string): boolean {
  return fieldOf(fields, 'id') === id && (fieldOf(fields, 'kind') ?? 'command') === 'command';
}

/** Where an unsettled message stands; of what is set aside, behind which key; of what is scheduled, under which name. */
export type Place =
  | { readonly kind: 'inbox' }
  | { readonly kind: 'aside'; readonly key: string }
  | { readonly kind: 'schedule'; readonly scheduled: string };

/** Looks for an unsettled message wherever it may stand: in the inbox, set aside, or scheduled. Reads all there is, in pieces. */
export async function placeOf(link: Link, keys: Keys, { type, shard }: PartitionId, id: string): Promise<Place | undefined> {
  const inbox = async (): Promise<Place | undefined> => {
    for (let from = '-'; ; ) {
      const piece = entriesOf(await link.call('XRANGE', [keys.inbox(type, shard), from, '+', 'COUNT', PIECE]));
      if (piece.some(({ fields }) => isCommand(fields, id))) return { kind: 'inbox' };
      const last = piece.at(-1);
      if (last === undefined || piece.length < PIECE) return undefined;
      from = `(${last.id}`;
    }
  };
  const quoted = JSON.stringify(id);
  const schedule = async (): Promise<Place | undefined> => {
    for (const [scheduled, text] of pairsOf(await link.call('HGETALL', [keys.scheduled(type, shard)]), 'HGETALL')) {
      if (text.includes(quoted) && isCommand(fieldsOf(text), id)) return { kind: 'schedule', scheduled };
    }
    return undefined;
  };
  const aside = async (): Promise<Place | undefined> => {
    const waiting = stringsOf(await link.call('ZRANGE', [keys.waiting(type, shard), 0, -1]), 'ZRANGE');
    for (const key of waiting) {
      const texts = stringsOf(await link.call('LRANGE', [keys.aside(type, shard, key), 0, -1]), 'LRANGE');
      const fields = texts.filter((text) => text.includes(quoted)).map((text) => (fromJson(text, 'a message set aside') as unknown[])[2]);
      if (fields.some((one) => Array.isArray(one) && isCommand(one as string[], id))) return { kind: 'aside', key };
    }
    return undefined;
  };
  // From the schedule a message goes back to the inbox: what is in neither, one after the other, may have done so in between.
  return (await inbox()) ?? (await aside()) ?? (await schedule()) ?? (await inbox()) ?? (await aside());
}

/** Whether its owner has just acted on the mark: the newest results say so. */
export async function wasCancelled(link: Link, keys: Keys, { type, shard }: PartitionId, id: string): Promise<boolean> {
  const newest = entriesOf(await link.call('XREVRANGE', [keys.results(type, shard), '+', '-', 'COUNT', PIECE]));
  return newest.some(({ fields }) => {
    if (fieldOf(fields, 'causationid') !== id || fieldOf(fields, 'status') !== 'failed') return false;
    return (fromJson(fieldOf(fields, 'data') ?? 'null', 'a result') as { code?: unknown } | null)?.code === 'CANCELLED';
  });
}
