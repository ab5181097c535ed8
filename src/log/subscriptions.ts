import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import { type From, startingIds } from './position.js';
import { optionalStringOf, stringsOf } from './reply.js';
import { newestIds } from './system-record.js';

/**
 * Records that `type` subscribes to `event`, and where it begins, in every shard, before anybody takes a fact in. Done once for the life of
 * the system: a subscriber that is known already goes on where its cursors stand.
 * @param field of a partition's hash that holds the cursor
 */
export async function recordSubscription(link: Link, keys: Keys, type: string, event: string, from: From, field: string): Promise<void> {
  const record = `subscription:${type}:${event}`;
  if (optionalStringOf(await link.call('HGET', [keys.system, record]), 'HGET') !== undefined) return;
  const shards = Array.from({ length: keys.shards }, (_, shard) => shard);
  const known = startingIds(from, keys.shards, `from of ${type}'s subscription to ${event}`);
  const begin =
    known ??
    (await newestIds(
      link,
      shards.map((shard) => keys.event(event, shard)),
    ));
  await link.pipeline(shards.map((shard) => ['HSETNX', keys.partition(type, shard), field, begin[shard] as string] as const));
  // Last, so that a start that was interrupted is made again; a cursor already there stays as it is.
  await link.call('HSET', [keys.system, record, typeof from === 'string' ? from : from.toISOString()]);
}

/** Who subscribes to what, as recorded. */
export async function recordedSubscriptions(link: Link, keys: Keys): Promise<{ type: string; event: string }[]> {
  const fields = stringsOf(await link.call('HKEYS', [keys.system]), 'HKEYS');
  return fields.flatMap((field) => {
    const [kind, type, event] = field.split(':');
    return kind === 'subscription' && type !== undefined && event !== undefined ? [{ type, event }] : [];
  });
}
