import type { RedisError } from '../message/errors.js';
import { EVENTS_KEPT_MS, LETTERS_KEPT_MS, RESULTS_KEPT_MS } from '../message/limits.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { compareIds, FIRST } from './entry.js';
import type { Keys } from './keys.js';

/** What is kept for a stated time, and no longer. Counts are bounded where entries are written (`MAXLEN`), times here, now and then. */

const before = (now: number, kept: number): string => `${Math.max(0, Math.floor(now - kept))}-0`;

/** An owner's own results and dead letters. */
export function trimOld(batch: CommitBatch, keys: Keys, type: string, shard: number, now: number): void {
  batch.write('XTRIM', keys.results(type, shard), 'MINID', '~', before(now, RESULTS_KEPT_MS));
  batch.write('XTRIM', keys.dead(type, shard), 'MINID', '~', before(now, LETTERS_KEPT_MS));
}

/**
 * Facts of one event in every shard: those that are old and that every recorded subscriber has taken in. Cursors only move on, so that
 * whoever does this, and how often, makes no difference.
 * @param field of a partition's hash that holds the cursor in this event's streams
 * @returns why shards are left as they are, where Redis refused something
 */
export async function trimFacts(
  link: Link,
  keys: Keys,
  event: string,
  subscribers: readonly string[],
  field: string,
  now: number,
): Promise<RedisError[]> {
  const shards = Array.from({ length: keys.shards }, (_, shard) => shard);
  const cursors = await link.answers(
    shards.flatMap((shard) => subscribers.map((type) => ['HGET', keys.partition(type, shard), field] as const)),
  );
  const limits = shards.map((shard) => {
    let limit = before(now, EVENTS_KEPT_MS);
    for (const cursor of cursors.slice(shard * subscribers.length, (shard + 1) * subscribers.length)) {
      // A cursor that is not there, or cannot be read, holds everything of its shard back.
      const taken = cursor.kind === 'reply' && typeof cursor.reply === 'string' ? cursor.reply : FIRST;
      if (compareIds(taken, limit) < 0) limit = taken;
    }
    return limit;
  });
  // MINID keeps the entry it names; the last one taken in stays, which harms nobody.
  const trims = await link.answers(
    shards.map((shard) => ['XTRIM', keys.event(event, shard), 'MINID', '~', limits[shard] as string] as const),
  );
  return [...cursors, ...trims].flatMap((answer) => (answer.kind === 'refused' ? [answer.error] : []));
}
