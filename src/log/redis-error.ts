import { RedisError } from '../message/errors.js';

const CODES: readonly (readonly [string, string, string])[] = [
  ['OOM', 'REDIS_OUT_OF_MEMORY', 'Redis has reached maxmemory'],
  // With memory full, queueing is refused even for commands that only read.
  ['EXECABORT', 'REDIS_OUT_OF_MEMORY', 'Redis has reached maxmemory'],
  ['READONLY', 'REDIS_READONLY', 'this Redis is a read-only replica'],
  ['LOADING', 'REDIS_LOADING', 'Redis is loading its data'],
  ['MASTERDOWN', 'REDIS_READONLY', 'this replica has lost its master'],
  ['BUSY', 'REDIS_BUSY', 'Redis is busy running a script'],
  ['MISCONF', 'REDIS_MISCONF', 'Redis cannot persist and refuses writes (MISCONF)'],
  ['NOAUTH', 'REDIS_AUTH', 'Redis asks for a password'],
  ['WRONGPASS', 'REDIS_AUTH', 'Redis refuses the user name or password'],
  ['NOPERM', 'REDIS_PERMISSION', 'the Redis user may not run this command or use this key'],
  ['MOVED', 'REDIS_CLUSTER', 'this is a Redis Cluster'],
  ['CROSSSLOT', 'REDIS_CLUSTER', 'this is a Redis Cluster'],
  ['CLUSTERDOWN', 'REDIS_CLUSTER', 'this is a Redis Cluster'],
];

/** What ioredis says, without what it knows: the error's own words, never the command's arguments (connection, C3). */
export function translate(thrown: unknown, command: string): RedisError {
  if (thrown instanceof RedisError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  if (thrown instanceof Error && thrown.name === 'ReplyError') {
    for (const [prefix, code, meaning] of CODES) if (text.startsWith(prefix)) return new RedisError(code, `${meaning} (${command})`);
    return new RedisError('REDIS_ERROR', `Redis refused ${command}: ${text.slice(0, 200)}`);
  }
  return new RedisError('REDIS_CONNECTION_LOST', `the connection was lost while ${command} was unanswered`);
}
