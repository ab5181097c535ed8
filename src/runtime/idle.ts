import type { Link } from '../log/connection.js';
import { compareIds, entriesOf, FIRST } from '../log/entry.js';
import type { Keys } from '../log/keys.js';
import { type LiveNode, liveNodes } from '../log/nodes.js';
import { countOf, optionalStringOf, stringsOf } from '../log/reply.js';
import { needsOf } from '../log/unhandled.js';
import type { Clock } from '../message/clock.js';
import type { Unsettled } from '../message/errors.js';
import { type Build, meets } from './build.js';
import { cursorField } from './intake.js';
import { buildsOf } from './membership.js';

/** One actor type and the events it subscribes to. */
export interface Subscriber {
  readonly type: string;
  readonly events: readonly string[];
}

/**
 * What is not settled, as one atomic picture: with separate looks a message could slip from a place not yet looked at to one already seen.
 * Keys that wait for a retry count, or for a node that lives and can handle their first message; parked keys and what is scheduled for later do not.
 * @param own types that this node hosts, in its own build: it lives, whatever became of its heartbeat
 */
export async function unsettled(
  link: Link,
  keys: Keys,
  clock: Clock,
  subscribers: readonly Subscriber[],
  own: Build,
): Promise<Unsettled[]> {
  const nodes = await liveNodes(link, keys);
  const live = new Set(nodes.flatMap(({ types }) => types));
  const watched = subscribers.filter(({ type }) => own.has(type) || live.has(type));
  type Look = { readonly command: readonly [string, ...(string | number)[]]; readonly see: (reply: unknown) => void };
  const looks: Look[] = [];
  const partitions: (Unsettled & { inbox: number; waiting: number; facts: boolean; needs: string[] })[] = [];
  const newest = new Map<string, string>();
  for (const { type, events } of watched) {
    for (let shard = 0; shard < keys.shards; shard += 1) {
      const partition = { actor: type, shard, inbox: 0, waiting: 0, facts: false, needs: [] as string[] };
      partitions.push(partition);
      const add = (see: Look['see'], ...command: Look['command']): number => looks.push({ command, see });
      add((n) => (partition.inbox += countOf(n, 'XLEN')), 'XLEN', keys.inbox(type, shard));
      add((n) => (partition.waiting += countOf(n, 'ZCOUNT')), 'ZCOUNT', keys.waiting(type, shard), '-inf', '(+inf');
      add((n) => (partition.waiting += countOf(n, 'ZCOUNT')), 'ZCOUNT', keys.schedule(type, shard), '-inf', clock.now());
      add((texts) => (partition.needs = needsOf(stringsOf(texts, 'HVALS'))), 'HVALS', keys.unhandled(type, shard));
      for (const event of events) {
        const stream = keys.event(event, shard);
        if (!newest.has(stream)) {
          newest.set(stream, FIRST);
          add((reply) => newest.set(stream, entriesOf(reply)[0]?.id ?? FIRST), 'XREVRANGE', stream, '+', '-', 'COUNT', 1);
        }
        add(
          (cursor) => {
            partition.facts ||= compareIds(newest.get(stream) ?? FIRST, optionalStringOf(cursor, 'HGET') ?? FIRST) > 0;
          },
          'HGET',
          keys.partition(type, shard),
          cursorField(event),
        );
      }
    }
  }
  const replies = await link.transaction(looks.map(({ command }) => command));
  for (const [i, { see }] of looks.entries()) see(replies[i]);
  if (partitions.some(({ needs }) => needs.length > 0)) {
    const builds = await buildsOf(link, keys, nodes, new Map());
    for (const partition of partitions) partition.waiting -= hopeless(partition, partition.needs, nodes, builds, own);
  }
  const left = partitions.filter(({ inbox, waiting, facts }) => inbox > 0 || waiting > 0 || facts);
  return left.map(({ actor, shard, inbox, waiting, facts }) => ({ actor, shard, inbox, waiting, facts }));
}

/** How many of a partition's messages wait for what no live node can handle. */
function hopeless(
  { actor }: Unsettled,
  needs: readonly string[],
  nodes: readonly LiveNode[],
  builds: ReadonlyMap<string, Build>,
  own: Build,
): number {
  const versions = [
    own.get(actor),
    ...nodes.flatMap(({ build = '', types }) => (types.includes(actor) ? [builds.get(build)?.get(actor)] : [])),
  ];
  return needs.filter((need) => !versions.some((version) => meets(version, need))).length;
}
