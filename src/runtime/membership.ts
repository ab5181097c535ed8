import { heartbeat, liveNodes, removeNode } from '../log/system-record.js';
import { fairOwner, type LiveNode } from './fair-share.js';
import type { Deps } from './host.js';

/** Who else lives, and what this node tells the others about itself. */
export class Membership {
  /** the other nodes that live */
  #others: readonly LiveNode[] = [];
  /** the types that the last heartbeat told */
  #announced: readonly string[] = [];

  constructor(
    private readonly deps: Pick<Deps, 'link' | 'keys' | 'node'>,
    private readonly lease: number,
  ) {}

  get alone(): boolean {
    return this.#others.length === 0;
  }

  knows(node: string): boolean {
    return this.#others.some((other) => other.node === node);
  }

  /** Resolves to whether anybody has come, gone, or hosts something else. */
  async look(): Promise<boolean> {
    const { link, keys, node } = this.deps;
    const others = (await liveNodes(link, keys)).filter((other) => other.node !== node).sort((a, b) => (a.node < b.node ? -1 : 1));
    const same = JSON.stringify(others) === JSON.stringify(this.#others);
    this.#others = others;
    return !same;
  }

  /** Whether this node, which hosts `types`, should own the partition. */
  ours(type: string, shard: number, types: readonly string[]): boolean {
    const { node } = this.deps;
    return fairOwner(type, shard, [...this.#others, { node, types }]) === node;
  }

  /**
   * Says that this node lives, and what it hosts.
   * @param leaving it stops: nothing is said that would make it live on in the others' eyes
   */
  async announce(types: readonly string[], leaving: () => boolean): Promise<void> {
    const { link, keys, node } = this.deps;
    if (this.#announced.length > 0 && this.#announced.join(' ') !== types.join(' ')) await this.leave();
    if (leaving()) return;
    this.#announced = types;
    await heartbeat(link, keys, node, types, this.lease);
  }

  /** The others begin to ask for this node's share. */
  async leave(): Promise<void> {
    const { link, keys, node } = this.deps;
    await removeNode(link, keys, node, this.#announced);
  }
}
