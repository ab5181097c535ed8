import { digest } from '../message/ids.js';
import { fromJson } from '../message/json.js';
import type { Behavior } from './behavior.js';
import { VERBS } from './verbs.js';

/**
 * What the code of a node can handle. During a rolling deploy nodes of several builds share the partitions of one actor type, and some of
 * them know messages that others do not.
 */

/** One version of an actor type. */
export interface Version {
  /** the same on every node that runs the same code, as far as that can be seen */
  readonly digest: string;
  /** `<kind> <type>` of every message that it has a handler for */
  readonly handles: ReadonlySet<string>;
}

/** Actor type → the version of it that a build has. */
export type Build = ReadonlyMap<string, Version>;

/**
 * What a message needs of the node that handles it: `<kind> <type>`, a handler for it. Where schemas have refused its data, or its key's state,
 * ` not <digest>,<digest>` follows: a version of the actor that is none of these.
 */
export type Need = string;

const NOT = ' not ';

/** @param refusals digests of versions */
export function needOf({ kind, type }: { readonly kind: string; readonly type: string }, refusals: readonly string[] = []): Need {
  const handler = `${kind} ${type}`;
  return refusals.length === 0 ? handler : `${handler}${NOT}${[...new Set(refusals)].sort().join(',')}`;
}

/** The versions that have refused. */
export function refusedBy(need: Need): string[] {
  const at = need.indexOf(NOT);
  return at < 0 ? [] : need.slice(at + NOT.length).split(',');
}

/** @param version undefined: nobody knows what it can handle */
export function meets(version: Version | undefined, need: Need): boolean {
  if (version === undefined) return false;
  const at = need.indexOf(NOT);
  if (at < 0) return version.handles.has(need);
  return version.handles.has(need.slice(0, at)) && !refusedBy(need).includes(version.digest);
}

export function versionOf(behavior: Behavior): Version {
  const { commands, subscriptions, replies } = behavior;
  const names = (kind: string, types: Iterable<string>): string[] => [...types].map((type) => needOf({ kind, type }));
  const handles = [
    ...names('command', commands.keys()),
    ...names('event', subscriptions.keys()),
    ...names('reply', replies.keys()),
    ...names('request', VERBS),
  ].sort();
  return { digest: digest(JSON.stringify([handles, behavior.code])).slice(0, DIGEST_CHARACTERS), handles: new Set(handles) };
}

/** 72 bits: nodes of a system are of a few builds at a time. */
const DIGEST_CHARACTERS = 12;

const versionText = ({ digest: name, handles }: Version): string[] => [name, ...handles];

/** A build as it is recorded, and the name that heartbeats give it. */
export function recorded(build: Build): { readonly name: string; readonly text: string } {
  const types = [...build.keys()].sort();
  const text = JSON.stringify(Object.fromEntries(types.map((type) => [type, versionText(build.get(type) as Version)])));
  return { name: digest(text).slice(0, DIGEST_CHARACTERS), text };
}

/** A record that was changed by hand says nothing. */
export function parseBuild(text: string): Build {
  const build = new Map<string, Version>();
  try {
    for (const [type, version] of Object.entries(fromJson(text, 'a build') as Record<string, unknown>)) {
      if (!Array.isArray(version)) continue;
      const [name, ...handles] = version as unknown[];
      if (typeof name === 'string') build.set(type, { digest: name, handles: new Set(handles.filter((one) => typeof one === 'string')) });
    }
  } catch {
    build.clear();
  }
  return build;
}
