import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { RedisError } from '../message/errors.js';
import type { Argument, CommandArgument, Link } from './connection.js';
import { pack } from './pack.js';

/** The seven scripts, one Lua file each; their headers say what KEYS, ARGV and the reply are, and whether ARGV comes packed. */
export type ScriptName = 'append' | 'commit' | 'acquire' | 'renew' | 'release' | 'redrive' | 'cancel';

interface Script {
  readonly source: string;
  readonly sha: string;
}

function load(name: ScriptName): Script {
  const source = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

let loaded: Readonly<Record<ScriptName, Script>> | undefined;

function scripts(): Readonly<Record<ScriptName, Script>> {
  loaded ??= {
    append: load('append'),
    commit: load('commit'),
    acquire: load('acquire'),
    renew: load('renew'),
    release: load('release'),
    redrive: load('redrive'),
    cancel: load('cancel'),
  };
  return loaded;
}

/** Greets a new connection: leaves the scripts with Redis, so that each call sends only a digest. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all(Object.values(scripts()).map(({ source }) => redis.call('SCRIPT', 'LOAD', source)));
}

/** They take their arguments packed, too: always more than one, so that one is the pack. */
const PACKED: ReadonlySet<ScriptName> = new Set(['append', 'commit']);
/** So many, those of a message or two, cost less as they are. */
const FEW_ARGUMENTS = 64;

/**
 * Runs a script by name. A flushed script cache is no failure: NOSCRIPT means that nothing ran, so its source is sent instead.
 * @throws RedisError as `Link.call`
 */
export async function runScript(link: Link, name: ScriptName, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
  const { sha, source } = scripts()[name];
  const epoch = link.epoch;
  const given: CommandArgument[] = [sha, keys.length];
  for (const key of keys) given.push(key);
  if (PACKED.has(name) && args.length > FEW_ARGUMENTS) given.push(pack(args));
  else given.push(...args);
  try {
    return await link.call('EVALSHA', given);
  } catch (error) {
    const flushed = error instanceof RedisError && error.code === 'REDIS_ERROR' && error.message.includes('NOSCRIPT');
    if (!flushed) throw error;
    if (link.epoch !== epoch) throw new RedisError('REDIS_CONNECTION_LOST', `the connection was lost before ${name} could run`);
    return link.call('EVAL', [source, ...given.slice(1)]);
  }
}
