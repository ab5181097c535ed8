import { readBuilds } from '../log/builds.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import type { PartitionId } from '../log/lease.js';
import * as log from '../log/nodes.js';
import { partitionName, readWanted, type Want, writeWanted } from '../log/wanted.js';
import { invariant } from '../message/errors.js';
import { WANT_KEPT_MS, WANTS_PER_PARTITION } from '../message/limits.js';
import { type Build, meets, type Need, parseBuild, recorded, type Version } from './build.js';
import { fairOwner, type LiveNode } from './fair-share.js';

/** A partition of this node, and what its messages wait for that this node cannot handle. */
export interface Wanting extends PartitionId {
  readonly needs: ReadonlyMap<Need, unknown>;
}

/**
 * Who else lives and what each node can handle; what this node tells the others about itself, and about what its partitions wait for.
 *
 * M1: a partition where messages wait for another build is wanted elsewhere, and stays so for a while after the last of them was handled, so
 *     that it does not go back and forth between the builds.
 */
export class Membership {
  /** the other nodes that live */
  #others: readonly LiveNode[] = [];
  #wanted: ReadonlyMap<string, readonly Want[]> = new Map();
  /** all of this as it was seen last */
  #seen = '';
  /** what the last heartbeat told */
  #announced: log.LiveNode | undefined;
  /** builds of other nodes, by their names */
  #builds: ReadonlyMap<string, Build> = new Map();
  /** of this node, as it is recorded */
  readonly record: { readonly name: string; readonly text: string };

  constructor(
    private readonly deps: { readonly link: Link; readonly keys: Keys; readonly node: string },
    /** ms */
    readonly lease: number,
    /** of this node */
    private readonly build: Build,
  ) {
    this.record = recorded(build);
  }

  get alone(): boolean {
    return this.#others.length === 0;
  }

  knows(node: string): boolean {
    return this.#others.some((other) => other.node === node);
  }

  /** Of an actor type that this node has. */
  version(type: string): Version {
    const version = this.build.get(type);
    invariant(version !== undefined, 'a node has a version of all that it hosts');
    return version;
  }

  /** The other live nodes that meet a need of an actor type. */
  meeting(type: string, need: Need): string[] {
    return this.#others.filter(({ types, build }) => types.includes(type) && meets(build?.get(type), need)).map(({ node }) => node);
  }

  /**
   * Looks who lives and what is wanted, and says what this node's own partitions wait for.
   * @returns whether anything is not as it was: the fair shares may be others
   */
  async look(own: readonly Wanting[]): Promise<boolean> {
    const { link, keys, node } = this.deps;
    const now = await log.redisTime(link);
    const [live, wanted] = await Promise.all([log.liveNodes(link, keys, now), readWanted(link, keys, now)]);
    const others = live.filter((other) => other.node !== node).sort((a, b) => (a.node < b.node ? -1 : 1));
    this.#builds = await buildsOf(link, keys, others, this.#builds);
    this.#others = others.map((other) => ({ ...other, build: this.#builds.get(other.build ?? '') }));
    this.#wanted = await this.#tell(wanted, own, now);
    const seen = JSON.stringify([others, [...this.#builds.keys()], [...this.#wanted]]);
    const same = seen === this.#seen;
    this.#seen = seen;
    return !same;
  }

  /** M1 */
  async #tell(
    wanted: ReadonlyMap<string, readonly Want[]>,
    own: readonly Wanting[],
    now: number,
  ): Promise<ReadonlyMap<string, readonly Want[]>> {
    const told = new Map(wanted);
    const { link, keys } = this.deps;
    for (const { type, shard, needs } of own) {
      const name = partitionName({ type, shard });
      const before = wanted.get(name);
      if (before === undefined && needs.size === 0) continue;
      const wants = wantsOf(before ?? [], needs, now);
      if (before !== undefined && wants.length > 0 && JSON.stringify(wants) === JSON.stringify(before)) continue;
      try {
        await writeWanted(link, keys, name, wants);
        told.set(name, wants);
      } catch {
        // What the others do not hear this node must not act on. It is told with the next look.
      }
    }
    return told;
  }

  /** What is wanted of a partition's owner. */
  wanted(type: string, shard: number): readonly Want[] {
    return this.#wanted.get(partitionName({ type, shard })) ?? [];
  }

  /** Whether this node, which hosts `types`, should own the partition. */
  ours(type: string, shard: number, types: readonly string[]): boolean {
    const { node } = this.deps;
    return fairOwner(type, shard, [...this.#others, { node, types, build: this.build }], this.wanted(type, shard)) === node;
  }

  /** Whether the partition is here for what this node can handle and others cannot. */
  isWantedHere(type: string, shard: number): boolean {
    return this.wanted(type, shard).some(({ need }) => meets(this.build.get(type), need));
  }

  /**
   * Says that this node lives, and what it hosts.
   * @param leaving it stops: nothing is said that would make it live on in the others' eyes
   */
  async announce(types: readonly string[], leaving: () => boolean): Promise<void> {
    const { link, keys, node } = this.deps;
    if (this.#announced !== undefined && this.#announced.types.join(' ') !== types.join(' ')) await this.leave();
    if (leaving()) return;
    this.#announced = { node, types, build: this.record.name };
    await log.heartbeat(link, keys, this.#announced, this.lease);
  }

  /** The others begin to ask for this node's share. */
  async leave(): Promise<void> {
    const { link, keys } = this.deps;
    if (this.#announced !== undefined) await log.removeNode(link, keys, this.#announced);
  }
}

/** What the builds of these nodes can handle, by their names, and no others. @param known those that need not be read again */
export async function buildsOf(
  link: Link,
  keys: Keys,
  nodes: readonly log.LiveNode[],
  known: ReadonlyMap<string, Build>,
): Promise<ReadonlyMap<string, Build>> {
  const builds = new Map<string, Build>();
  const unknown = new Set<string>();
  for (const { build } of nodes) {
    const one = build === undefined ? undefined : known.get(build);
    if (one !== undefined && build !== undefined) builds.set(build, one);
    else if (build !== undefined) unknown.add(build);
  }
  const texts = await readBuilds(link, keys, [...unknown]);
  for (const [i, build] of [...unknown].entries()) {
    const text = texts[i];
    if (text !== undefined) builds.set(build, parseBuild(text));
  }
  return builds;
}

/** What is wanted from now on. */
function wantsOf(before: readonly Want[], needs: ReadonlyMap<Need, unknown>, now: number): Want[] {
  const kept = new Map(before.map((want) => [want.need, want]));
  const wants = [...needs.keys()].map((need): Want => {
    const until = kept.get(need)?.until ?? 0;
    return { need, until: until > now + WANT_KEPT_MS / 2 ? until : now + WANT_KEPT_MS, waits: true };
  });
  const over = before.filter(({ need }) => !needs.has(need)).map((want) => ({ ...want, waits: false }));
  return [...wants, ...over].slice(0, WANTS_PER_PARTITION);
}
