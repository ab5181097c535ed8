import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { RedisError } from '../message/errors.js';
import type { Argument, Link } from './connection.js';
import * as lua from './lua/sources.js';
import type { Given } from './script-arguments.js';

/** The eight scripts, one Lua file each; their headers say what KEYS, ARGV and the reply are. */
export type ScriptName = 'append' | 'commit' | 'acquire' | 'renew' | 'release' | 'redrive' | 'cancel' | 'unmark';

interface Script {
  readonly source: string;
  readonly sha: string;
}

function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** With rows.lua after its first line, which holds the flags. */
function withRows(text: string): Script {
  const end = text.indexOf('\n') + 1;
  return script(text.slice(0, end) + lua.rows + text.slice(end));
}

let loaded: Readonly<Record<ScriptName, Script>> | undefined;

export function scripts(): Readonly<Record<ScriptName, Script>> {
  loaded ??= {
    append: withRows(lua.append),
    commit: withRows(lua.commit),
    acquire: script(lua.acquire),
    renew: script(lua.renew),
    release: script(lua.release),
    redrive: script(lua.redrive),
    cancel: script(lua.cancel),
    unmark: script(lua.unmark),
  };
  return loaded;
}

/** Greets a new connection: leaves the scripts with Redis, so that each call sends only a digest. */
export async function loadScripts(redis: Redis): Promise<void> {
  await Promise.all(Object.values(scripts()).map(({ source }) => redis.call('SCRIPT', 'LOAD', source)));
}

const NONE: Given = [];

/**
 * Runs a script by name. A flushed script cache is no failure: NOSCRIPT means that nothing ran, so its source is sent instead.
 * @param more arguments that follow `args`
 * @throws RedisError as `Link.call`
 */
export function runScript(
  link: Link,
  name: ScriptName,
  keys: readonly string[],
  args: readonly Argument[],
  more: Given = NONE,
): Promise<unknown> {
  const { sha, source } = scripts()[name];
  const { epoch } = link;
  const last = Buffer.isBuffer(more) ? [more] : more;
  const otherwise = (error: RedisError): unknown => {
    if (error.code !== 'REDIS_NO_SCRIPT') throw error;
    if (link.epoch !== epoch) throw new RedisError('REDIS_CONNECTION_LOST', `the connection was lost before ${name} could run`);
    return link.send('EVAL', [[source, keys.length], keys, args, last], undefined, name);
  };
  return link.send('EVALSHA', [[sha, keys.length], keys, args, last], otherwise, name);
}
