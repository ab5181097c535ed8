import { fieldOf } from '../message/envelope.js';
import { invariant } from '../message/errors.js';
import { WISHES_CHARACTERS } from '../message/limits.js';
import { unpack } from './aside.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { entriesOf } from './entry.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { optionalStringOf, pairsOf, stringsOf } from './reply.js';
import { fieldsOf } from './schedule.js';
import { runScript } from './scripts.js';

/**
 * Commands that must not complete: a hash beside each partition, from the message's id to its mark: since when, and every wish that stands
 * behind it. A mark comes before the message's outcome or not at all, and goes with it. While a mark stands, its message cannot move to a place
 * where it rests, and can only end as cancelled.
 */

/** The field of a partition's hash that counts changes of marks, but for those that its owner clears. */
export const CANCELS = 'cancels';

const namesOf = (keys: Keys, shard: number, types: readonly string[]): string[] =>
  types.flatMap((type) => [keys.partition(type, shard), keys.cancelled(type, shard)]);

/** Marks the message for each actor type that it may be for. */
export async function mark(
  link: Link,
  keys: Keys,
  shard: number,
  types: readonly string[],
  { id, at, wish }: { readonly id: string; readonly at: number; readonly wish: string },
): Promise<'marked' | 'too-late'> {
  const names = [keys.outcome(shard, id), ...namesOf(keys, shard, types)];
  const reply = await runScript(link, 'cancel', names, [id, new Date(at).toISOString(), wish, WISHES_CHARACTERS]);
  invariant(reply === 'marked' || reply === 'too-late', `cancel answered ${String(reply)}`);
  return reply;
}

/**
 * Takes one wish back, where there is nothing to cancel. A mark that nobody else has made goes.
 * @param wish as `mark` was given it; or a whole mark, which goes unless somebody has wished since it was read
 */
export async function unmark(
  link: Link,
  keys: Keys,
  shard: number,
  types: readonly string[],
  { id, wish }: { readonly id: string; readonly wish: string },
): Promise<void> {
  if (types.length > 0) await runScript(link, 'unmark', namesOf(keys, shard, types), [id, wish]);
}

/** How often marks were changed. */
export async function countOfMarks(link: Link, keys: Keys, { type, shard }: PartitionId): Promise<string> {
  return optionalStringOf(await link.call('HGET', [keys.partition(type, shard), CANCELS]), 'HGET') ?? '';
}

/** What an owner knows of marks: the count, and which stand. The count first: a change that comes in between is only seen early. */
export async function readMarks(link: Link, keys: Keys, { type, shard }: PartitionId): Promise<{ count: string; ids: string[] }> {
  const [count, ids] = await link.pipeline([
    ['HGET', keys.partition(type, shard), CANCELS],
    ['HKEYS', keys.cancelled(type, shard)],
  ]);
  return { count: optionalStringOf(count, 'HGET') ?? '', ids: stringsOf(ids, 'HKEYS') };
}

/** Marks made before `time` (ms since the epoch), as they stand. */
export async function marksBefore(
  link: Link,
  keys: Keys,
  { type, shard }: PartitionId,
  time: number,
): Promise<{ readonly id: string; readonly mark: string }[]> {
  const marks = pairsOf(await link.call('HGETALL', [keys.cancelled(type, shard)]), 'HGETALL');
  return marks.filter(([, text]) => Date.parse(text.split(' ', 1)[0] ?? '') < time).map(([id, text]) => ({ id, mark: text }));
}

/** The owner ends the message as cancelled, in this commit. */
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

/**
 * Looks for an unsettled message wherever it may stand: in the inbox, set aside, or scheduled. Reads all there is, in pieces. Call it once the
 * message is marked: it then moves only from the schedule to the inbox, and is found wherever it is.
 */
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
      const [answer] = await link.answers([['LRANGE', keys.aside(type, shard, key), 0, -1]]);
      if (answer?.kind === 'refused' && answer.error.code !== 'REDIS_WRONG_TYPE') throw answer.error;
      // A list that somebody has made another type holds no message any more, and is in no other's way.
      const texts = answer?.kind === 'reply' ? stringsOf(answer.reply, 'LRANGE') : [];
      if (texts.some((text) => text.includes(quoted) && isCommand(unpack(text).fields, id))) return { kind: 'aside', key };
    }
    return undefined;
  };
  // The inbox first: most messages are there. Then once more, for a message that came back from the schedule meanwhile.
  return (await inbox()) ?? (await aside()) ?? (await schedule()) ?? (await inbox());
}
