import { type Build, meets, type Need } from './build.js';

/**
 * Who should own a partition: rendezvous hashing (highest random weight, Thaler & Ravishankar) over the live nodes that host its type.
 * Every node comes to the same answer by itself, and when a node comes or goes only its own share moves.
 *
 * F1: where messages wait for what some nodes cannot handle, it is shared among the nodes that meet most of these needs; first those count that
 *     messages wait for now. Where nodes meet as many, nothing moves.
 */

export interface LiveNode {
  readonly node: string;
  readonly types: readonly string[];
  /** undefined: nobody knows what it can handle */
  readonly build?: Build | undefined;
}

/** What messages of a partition need of its owner. */
export interface Wish {
  readonly need: Need;
  /** one waits for it now */
  readonly waits: boolean;
}

/** FNV-1a over the text, then mixed (murmur3's finalizer), because names differ in few places. */
function weight(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Greater than the number of needs that are recorded of a partition. */
const FIRST = 1_000;

/** F1: how much of it the node can handle. */
function use({ build }: LiveNode, type: string, wishes: readonly Wish[]): number {
  let met = 0;
  for (const { need, waits } of wishes) if (meets(build?.get(type), need)) met += waits ? FIRST : 1;
  return met;
}

/** The node that should own `type/shard`; undefined when no live node hosts the type. */
export function fairOwner(type: string, shard: number, nodes: readonly LiveNode[], wishes: readonly Wish[] = []): string | undefined {
  let owner: string | undefined;
  let most = -1;
  let best = 0;
  for (const candidate of nodes) {
    if (!candidate.types.includes(type)) continue;
    const useful = wishes.length === 0 ? 0 : use(candidate, type, wishes);
    if (useful < best) continue;
    const { node } = candidate;
    const own = weight(`${node} ${type}/${shard}`);
    const same = useful === best;
    if (same && (own < most || (own === most && owner !== undefined && node > owner))) continue;
    owner = node;
    most = own;
    best = useful;
  }
  return owner;
}
