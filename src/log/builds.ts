import { BUILDS_KEPT } from '../message/limits.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import { knownNodes } from './nodes.js';
import { countOf, optionalStringsOf, stringsOf } from './reply.js';

/** What the code of nodes can handle, a text for each build, in `<name>:system`: all nodes of one build share it, and name it in their heartbeats. */

const FIELD = 'build:';

export async function isRecorded(link: Link, keys: Keys, build: string): Promise<boolean> {
  return countOf(await link.call('HEXISTS', [keys.system, `${FIELD}${build}`]), 'HEXISTS') === 1;
}

/** Records a build; where there are too many, those go that no node of the last day is of. */
export async function recordBuild(link: Link, keys: Keys, build: string, text: string): Promise<void> {
  await link.call('HSET', [keys.system, `${FIELD}${build}`, text]);
  const recorded = stringsOf(await link.call('HKEYS', [keys.system]), 'HKEYS').filter((field) => field.startsWith(FIELD));
  if (recorded.length <= BUILDS_KEPT) return;
  const used = new Set((await knownNodes(link, keys)).map((node) => `${FIELD}${node.build ?? ''}`));
  const old = recorded.filter((field) => field !== `${FIELD}${build}` && !used.has(field));
  if (old.length > 0) await link.call('HDEL', [keys.system, ...old]);
}

/** The texts of some builds; undefined for one that is not recorded. */
export async function readBuilds(link: Link, keys: Keys, builds: readonly string[]): Promise<(string | undefined)[]> {
  if (builds.length === 0) return [];
  const reply = await link.call('HMGET', [keys.system, ...builds.map((build) => `${FIELD}${build}`)]);
  return optionalStringsOf(reply, 'HMGET').map((text) => text ?? undefined);
}
