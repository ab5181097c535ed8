import { RedisError } from '../message/errors.js';
import type { Link } from './connection.js';
import { isForbidden } from './redis-error.js';
import { stringOf } from './reply.js';

/** Whether this Redis will do at all. */

interface Facts {
  readonly version: string | undefined;
  readonly cluster: boolean;
  readonly loading: boolean;
  /** a replica that takes no writes */
  readonly readOnly: boolean;
  readonly policy: string | undefined;
}

/**
 * @returns what could not be looked at, as sentences, where the user may not ask: managed services forbid `INFO` and `CONFIG`
 * @throws RedisError `REDIS_TOO_OLD`, `REDIS_CLUSTER`, `REDIS_LOADING`, `REDIS_READONLY`, `REDIS_EVICTION`
 */
export async function checkServer(link: Link, allowEviction: boolean): Promise<string[]> {
  const { version, cluster, loading, readOnly, policy } = (await byInfo(link)) ?? (await byHello(link));
  if (version !== undefined && Number.parseInt(version, 10) < 7)
    throw new RedisError('REDIS_TOO_OLD', `Redis ${version} is too old; errand needs 7.0 or later`);
  if (cluster) {
    throw new RedisError(
      'REDIS_CLUSTER',
      'this is a Redis Cluster; errand does not run on one yet, because its commits may reach several slots',
    );
  }
  if (loading) throw new RedisError('REDIS_LOADING', 'Redis is loading its data');
  if (readOnly) throw new RedisError('REDIS_READONLY', 'this Redis is a read-only replica; errand needs the one it follows');
  if (policy !== undefined && policy !== 'noeviction' && !allowEviction) {
    const text = `maxmemory-policy is ${policy}: this Redis would throw messages and state away when full; set it to noeviction, or allow it with allowEviction`;
    throw new RedisError('REDIS_EVICTION', text);
  }
  const unseen: string[] = [];
  if (version === undefined) unseen.push('the version of Redis cannot be seen; errand needs 7.0 or later');
  if (policy === undefined && !allowEviction)
    unseen.push('maxmemory-policy cannot be seen; with another one than noeviction a full Redis throws messages and state away');
  return unseen;
}

/** Undefined: the user may not ask. */
async function permitted(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

async function byInfo(link: Link): Promise<Facts | undefined> {
  const reply = await permitted(link.call('INFO'));
  if (reply === undefined) return undefined;
  const info = stringOf(reply, 'INFO');
  const value = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  return {
    version: value('redis_version') ?? '0',
    cluster: value('cluster_enabled') === '1',
    loading: value('loading') === '1',
    readOnly: value('role') === 'slave' && value('slave_read_only') !== '0',
    policy: value('maxmemory_policy') ?? 'noeviction',
  };
}

/** `HELLO` belongs to the connection, and is left to whoever may connect. */
async function byHello(link: Link): Promise<Facts> {
  const facts = pairs(await permitted(link.call('HELLO')));
  const config = pairs(await permitted(link.call('CONFIG', ['GET', 'maxmemory-policy'])));
  return {
    version: facts.get('version'),
    cluster: facts.get('mode') === 'cluster',
    loading: false,
    readOnly: facts.get('role') === 'replica',
    policy: config.get('maxmemory-policy'),
  };
}

function pairs(reply: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (Array.isArray(reply)) for (let i = 0; i + 1 < reply.length; i += 2) found.set(String(reply[i]), String(reply[i + 1]));
  return found;
}
