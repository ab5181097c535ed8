import { fromJson } from '../message/json.js';
import { WANT_KEPT_MS } from '../message/limits.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { pairsOf } from './reply.js';

/**
 * What partitions wait for that their owners cannot handle, in `<name>:wanted`: a hash, a field for each such partition. Owners write it and
 * every node reads it, so that all come to the same answer who should own the partition. It is advice: nothing is lost with it, and an owner
 * that finds it otherwise writes it again.
 */

/** Something that a partition's owner should be able to handle. */
export interface Want {
  /** as in runtime/build: `command gift-wrap`, or which builds have refused */
  readonly need: string;
  /** counts until then, ms by Redis' time */
  readonly until: number;
  /** a message waits for it now; otherwise one did, and the next is expected */
  readonly waits: boolean;
}

export type Wanted = ReadonlyMap<string, readonly Want[]>;

export const partitionName = ({ type, shard }: PartitionId): string => `${type}/${shard}`;

/** What was changed by hand wants nothing. */
function parse(text: string): Want[] {
  try {
    const wants = fromJson(text, 'what is wanted');
    if (!Array.isArray(wants)) return [];
    return wants.flatMap((want) => {
      const [need, until, waits] = Array.isArray(want) ? (want as unknown[]) : [];
      return typeof need === 'string' && typeof until === 'number' ? [{ need, until, waits: waits === 1 }] : [];
    });
  } catch {
    return [];
  }
}

/** @param now ms by Redis' time; what counts no longer is left out, a partition with nothing else stays */
export async function readWanted(link: Link, keys: Keys, now: number): Promise<Wanted> {
  const fields = pairsOf(await link.call('HGETALL', [keys.wanted]), 'HGETALL');
  return new Map(fields.map(([partition, text]) => [partition, parse(text).filter(({ until }) => until > now)]));
}

export async function writeWanted(link: Link, keys: Keys, partition: string, wants: readonly Want[]): Promise<void> {
  if (wants.length === 0) return void (await link.call('HDEL', [keys.wanted, partition]));
  await link.call('HSET', [keys.wanted, partition, JSON.stringify(wants.map(({ need, until, waits }) => [need, until, waits ? 1 : 0]))]);
  await link.call('PEXPIRE', [keys.wanted, 2 * WANT_KEPT_MS]); // whoever wrote it may be gone for good
}
