import { describe, InvalidValueError, RedisError } from '../message/errors.js';
import { MOST_SHARDS } from '../message/limits.js';
import type { Link } from './connection.js';
import { entriesOf, FIRST } from './entry.js';
import type { Keys } from './keys.js';
import { optionalStringOf, stringsOf } from './reply.js';

/** What is recorded once for a whole system, in `<name>:system`. */

/**
 * How many shards the system has: as recorded, or as wanted when it is new.
 * @param wanted undefined: take what is recorded
 * @param fallback for a new system when nothing is wanted; undefined for a client, which makes none
 * @throws InvalidValueError `SHARDS_MISMATCH`; RedisError `SYSTEM_UNKNOWN` when nothing is recorded and nothing wanted
 */
export async function recordShards(link: Link, name: string, wanted: number | undefined, fallback: number | undefined): Promise<number> {
  const key = `${name}:system`;
  const read = async (): Promise<string | undefined> => optionalStringOf(await link.call('HGET', [key, 'shards']), 'HGET');
  let recorded = await read();
  const first = wanted ?? fallback;
  if (recorded === undefined && first !== undefined) {
    await link.call('HSETNX', [key, 'shards', first]);
    recorded = await read();
  }
  if (recorded === undefined) {
    throw new RedisError('SYSTEM_UNKNOWN', `no system named ${name} has been started on this Redis; give shards`);
  }
  const shards = Number(recorded);
  if (!Number.isInteger(shards) || shards < 1 || shards > MOST_SHARDS) {
    throw new RedisError('SYSTEM_RECORD', `the key '${key}' says shards: ${describe(recorded)}, which is no number of shards`);
  }
  if (wanted !== undefined && shards !== wanted) {
    throw new InvalidValueError(
      'SHARDS_MISMATCH',
      'shards',
      wanted,
      `${shards}, which this system was started with; it is fixed for the life of the system`,
    );
  }
  return shards;
}

/** The name of the system's data, which is `fresh` when it has none yet. Another name means other data: all was wiped meanwhile. */
export async function recordIdentity(link: Link, keys: Keys, fresh: string): Promise<string> {
  const read = async (): Promise<string | undefined> => optionalStringOf(await link.call('HGET', [keys.system, 'identity']), 'HGET');
  const recorded = await read();
  if (recorded !== undefined) return recorded;
  await link.call('HSETNX', [keys.system, 'identity', fresh]);
  return (await read()) ?? fresh; // wiped in between: the next look records it again
}

/** Records the actor types that some node hosts. Writes nothing that is there already: a full Redis refuses it, and must be drained by those it knows. */
export async function recordActorTypes(link: Link, keys: Keys, types: readonly string[]): Promise<void> {
  const recorded = new Set(await recordedActorTypes(link, keys));
  const added = types.filter((type) => !recorded.has(type));
  if (added.length > 0) await link.call('HSET', [keys.system, ...added.flatMap((type) => [`actor:${type}`, '1'])]);
}

/** The actor types that some node has hosted at some time. */
export async function recordedActorTypes(link: Link, keys: Keys): Promise<string[]> {
  const fields = stringsOf(await link.call('HKEYS', [keys.system]), 'HKEYS');
  return fields.filter((field) => field.startsWith('actor:')).map((field) => field.slice('actor:'.length));
}

/** The id of the newest entry of each stream; the beginning for an empty one. */
export async function newestIds(link: Link, streams: readonly string[]): Promise<string[]> {
  const replies = await link.pipeline(streams.map((stream) => ['XREVRANGE', stream, '+', '-', 'COUNT', 1] as const));
  return replies.map((reply) => entriesOf(reply)[0]?.id ?? FIRST);
}
