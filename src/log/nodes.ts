import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import { stringsOf, unexpected } from './reply.js';

/**
 * Which nodes live and what each hosts, in `<name>:nodes`: a sorted set, by when each node's lease ends. A member is the node, the actor types
 * that it hosts, and `build=<digest>`, which names a record of what its code can handle. No name holds an equals sign: a node of a version that
 * knows nothing of builds takes the word for one more actor type, which nobody asks for.
 */

export interface LiveNode {
  readonly node: string;
  readonly types: readonly string[];
  /** undefined for a node of an errand that does not say */
  readonly build: string | undefined;
}

const BUILD = 'build=';

/** How long a node that died stays on the list, for people to see. */
const FORGOTTEN_MS = 86_400_000;

function memberOf({ node, types, build }: LiveNode): string {
  return [node, ...types, ...(build === undefined ? [] : [`${BUILD}${build}`])].join(' ');
}

function parse(member: string): LiveNode {
  const [node = '', ...words] = member.split(' ');
  const types = words.filter((word) => word !== '' && !word.includes('='));
  return { node, types, build: words.find((word) => word.startsWith(BUILD))?.slice(BUILD.length) };
}

/** Tells the others that the node lives for `lease` ms from now on, by Redis' time. */
export async function heartbeat(link: Link, keys: Keys, node: LiveNode, lease: number): Promise<void> {
  const now = await redisTime(link);
  await link.call('ZADD', [keys.nodes, now + lease, memberOf(node)]);
  await link.call('ZREMRANGEBYSCORE', [keys.nodes, '-inf', now - FORGOTTEN_MS]); // nodes that died without a word
}

export async function removeNode(link: Link, keys: Keys, node: LiveNode): Promise<void> {
  await link.call('ZREM', [keys.nodes, memberOf(node)]);
}

export async function redisTime(link: Link): Promise<number> {
  const reply = await link.call('TIME', []);
  const [seconds = '', micros = ''] = stringsOf(reply, 'TIME');
  const time = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  return time > 0 ? time : unexpected(reply, 'TIME', 'seconds and microseconds');
}

/** The nodes that live. @param now ms, by Redis' time */
export async function liveNodes(link: Link, keys: Keys, now?: number): Promise<LiveNode[]> {
  const reply = await link.call('ZRANGE', [keys.nodes, `(${now ?? (await redisTime(link))}`, '+inf', 'BYSCORE']);
  return stringsOf(reply, 'ZRANGE').map(parse);
}

/** The nodes that live, and those that died within the last day. */
export async function knownNodes(link: Link, keys: Keys): Promise<LiveNode[]> {
  return stringsOf(await link.call('ZRANGE', [keys.nodes, 0, -1]), 'ZRANGE').map(parse);
}

/** The actor types that live nodes host. */
export async function hostedTypes(link: Link, keys: Keys): Promise<ReadonlySet<string>> {
  return new Set((await liveNodes(link, keys)).flatMap(({ types }) => types));
}
