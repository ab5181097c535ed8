/**
 * Who should own a partition: rendezvous hashing (highest random weight, Thaler & Ravishankar) over the live nodes that host its type.
 * Every node comes to the same answer by itself, and when a node comes or goes only its own share moves.
 */

export interface LiveNode {
  readonly node: string;
  readonly types: readonly string[];
}

/** FNV-1a over the text, then mixed (murmur3's finalizer), because names differ in few places. */
function weight(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The node that should own `type/shard`; undefined when no live node hosts the type. */
export function fairOwner(type: string, shard: number, nodes: readonly LiveNode[]): string | undefined {
  let owner: string | undefined;
  let most = -1;
  for (const { node, types } of nodes) {
    if (!types.includes(type)) continue;
    const own = weight(`${node} ${type}/${shard}`);
    if (own < most || (own === most && owner !== undefined && node > owner)) continue;
    owner = node;
    most = own;
  }
  return owner;
}
