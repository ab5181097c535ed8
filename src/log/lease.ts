import { invariant } from '../message/errors.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import { stringsOf, unexpected } from './reply.js';
import { runScript } from './scripts.js';

/**
 * Ownership of partitions. Leases are for liveness: they tell others when they may take over. Safety is the nonce alone,
 * which is new at every acquisition and which every commit must present.
 */

export interface PartitionId {
  readonly type: string;
  readonly shard: number;
}

export type Acquired =
  | { readonly kind: 'acquired'; readonly now: number; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: 'held'; readonly node: string; readonly until: number; readonly now: number };

/** @param previous nonces under which this node holds the partition, or may: its own lease need not run out first */
export async function acquire(
  link: Link,
  keys: Keys,
  { type, shard }: PartitionId,
  owner: { readonly nonce: string; readonly node: string; readonly lease: number; readonly previous: readonly string[] },
): Promise<Acquired> {
  const reply = await runScript(link, 'acquire', [keys.partition(type, shard)], [owner.nonce, owner.node, owner.lease, ...owner.previous]);
  const [kind, now, ...rest] = stringsOf(reply, 'acquire');
  if (kind === 'held') return { kind, now: Number(now), node: rest[0] ?? '', until: Number(rest[1]) };
  if (kind !== 'acquired') return unexpected(reply, 'acquire', 'acquired or held');
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < rest.length; i += 2) fields.set(rest[i] as string, rest[i + 1] as string);
  return { kind: 'acquired', now: Number(now), fields };
}

export interface Held extends PartitionId {
  readonly nonce: string;
}

async function perShard(
  link: Link,
  script: 'renew' | 'release',
  keys: Keys,
  held: readonly Held[],
  first: readonly number[],
): Promise<Held[]> {
  const shards = new Map<number, Held[]>();
  for (const one of held) {
    const same = shards.get(one.shard);
    if (same === undefined) shards.set(one.shard, [one]);
    else same.push(one);
  }
  const refused: Held[] = [];
  await Promise.all(
    [...shards.values()].map(async (same) => {
      const reply = await runScript(
        link,
        script,
        same.map(({ type, shard }) => keys.partition(type, shard)),
        [...first, ...same.map(({ nonce }) => nonce)],
      );
      invariant(Array.isArray(reply) && reply.length === same.length, `${script} answers once for each partition`);
      refused.push(...same.filter((_, i) => reply[i] !== 1));
    }),
  );
  return refused;
}

/** Goes on owning `held` for `lease` ms; resolves to those that have another owner. One script a shard, all in one write. */
export function renew(link: Link, keys: Keys, held: readonly Held[], lease: number): Promise<Held[]> {
  return perShard(link, 'renew', keys, held, [lease]);
}

/** Gives `held` up; resolves to those that had another owner already. */
export function release(link: Link, keys: Keys, held: readonly Held[]): Promise<Held[]> {
  return perShard(link, 'release', keys, held, []);
}
