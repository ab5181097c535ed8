import { RedisError } from '../message/errors.js';

/**
 * One table of the errors that Redis answers, and of what follows from each. Whoever meets an error decides by `dealingWith`, never by the words.
 * Redis' own words were collected from 7.0.15; test/log/redis-errors.test.ts provokes each on a real server.
 *
 * E1: an error from inside a script ends with the script's digest and a line number. Redis undoes nothing that the script wrote before. An error
 *     without that end was raised before the first command of the script ran: nothing was written.
 * E2: unknown words are taken for the worst: the request may have been applied, and is not repeated.
 */

/** What follows from an error. */
export interface Dealing {
  /** `no`: the request was refused as a whole. `unknown`: it may have been applied, or a part of it */
  readonly applied: 'no' | 'unknown';
  /** the cause may pass by itself: whoever may send the request again does so after a while */
  readonly wait: boolean;
  /** this connection leads to a server that will not do: a new one may lead to another */
  readonly leave: boolean;
}

const WAIT: Dealing = { applied: 'no', wait: true, leave: false };
const LEAVE: Dealing = { applied: 'no', wait: true, leave: true };
const REFUSED: Dealing = { applied: 'no', wait: false, leave: false };
const UNKNOWN: Dealing = { applied: 'unknown', wait: false, leave: false };

/** Each code with what follows from it, and what it means. Redis' words stand in `WORDS`. */
const CODES: Readonly<Record<string, readonly [Dealing, meaning: string]>> = {
  REDIS_READONLY: [LEAVE, 'this Redis is a read-only replica'],
  REDIS_NO_REPLICAS: [WAIT, 'Redis has fewer replicas than min-replicas-to-write and takes no writes'],
  REDIS_MISCONF: [WAIT, 'Redis cannot persist and refuses writes (MISCONF)'],
  REDIS_LOADING: [WAIT, 'Redis is loading its data'],
  REDIS_BUSY: [WAIT, 'Redis is busy running a script'],
  REDIS_OUT_OF_MEMORY: [WAIT, 'Redis has reached maxmemory'],
  REDIS_SCRIPT_KILLED: [WAIT, 'somebody stopped the script (SCRIPT KILL) before it had written anything'],
  REDIS_CLUSTER_DOWN: [WAIT, 'this is a Redis Cluster, and it does not serve the key at the moment'],
  REDIS_MAX_CLIENTS: [LEAVE, 'Redis has as many connections as it may (maxclients)'],
  REDIS_AUTH: [LEAVE, 'Redis asks for a password, or refuses the user name or password'],
  REDIS_CLUSTER: [{ ...REFUSED, leave: true }, 'this is a Redis Cluster'],
  REDIS_PERMISSION: [REFUSED, 'the Redis user may not do this'],
  REDIS_WRONG_TYPE: [REFUSED, 'a key holds another type than errand keeps there'],
  REDIS_DATABASE: [REFUSED, 'this Redis has no such database'],
  REDIS_NO_SCRIPT: [REFUSED, 'Redis does not know the script'],
  REDIS_UNKNOWN_COMMAND: [REFUSED, 'this Redis does not know the command; was it renamed?'],
  REDIS_NOTHING_DONE: [REFUSED, 'Redis discarded the transaction'],
  REDIS_SCRIPT_STOPPED: [UNKNOWN, 'Redis stopped the script in its middle; what it had written stays'],
  // What errand itself says of a connection:
  REDIS_NOT_CONNECTED: [WAIT, ''],
  REDIS_UNREACHABLE: [WAIT, ''],
  REDIS_CONNECTION_LOST: [{ ...UNKNOWN, wait: true }, ''],
};

/** How Redis' errors begin. The first that fits counts. */
const WORDS: readonly (readonly [RegExp, code: string])[] = [
  [/^READONLY\b/, 'REDIS_READONLY'],
  [/^MASTERDOWN\b/, 'REDIS_READONLY'],
  [/^UNBLOCKED force unblock/, 'REDIS_READONLY'], // a blocked read, when the server becomes a replica
  [/^NOREPLICAS\b/, 'REDIS_NO_REPLICAS'],
  [/^MISCONF\b/, 'REDIS_MISCONF'],
  [/^LOADING\b/, 'REDIS_LOADING'],
  [/^(BUSY|UNKILLABLE)\b/, 'REDIS_BUSY'],
  [/^OOM\b/, 'REDIS_OUT_OF_MEMORY'],
  [/^(CLUSTERDOWN|TRYAGAIN)\b/, 'REDIS_CLUSTER_DOWN'],
  [/^(MOVED|ASK|CROSSSLOT)\b/, 'REDIS_CLUSTER'],
  [/^ERR max number of clients/, 'REDIS_MAX_CLIENTS'],
  [/^(NOAUTH|WRONGPASS|DENIED)\b/, 'REDIS_AUTH'],
  [/^NOPERM\b/, 'REDIS_PERMISSION'],
  [/^ERR The user executing the script can't/, 'REDIS_PERMISSION'], // to a script that caught the error, in Redis 7.0
  [/^WRONGTYPE\b/, 'REDIS_WRONG_TYPE'],
  [/^ERR (DB index is out of range|invalid DB index)/, 'REDIS_DATABASE'],
  [/^NOSCRIPT\b/, 'REDIS_NO_SCRIPT'],
  [/^ERR unknown command/i, 'REDIS_UNKNOWN_COMMAND'], // Redis repeats the arguments: its words are not shown
  [/^EXECABORT\b/, 'REDIS_NOTHING_DONE'],
];

/** Words that say more than the table does, and hold nothing of the request. */
const SHOWN: ReadonlySet<string> = new Set(['REDIS_PERMISSION', 'REDIS_AUTH']);

/** Invariant E1. Redis 7 and later; the in-process one says the same. */
const INSIDE = / script: [0-9a-f]{40}, on @?\w+:\d+\.?$/;
const KILLED = /^ERR Script killed by user with SCRIPT KILL/;
/** A transaction that `EXEC` itself refuses says why. */
const ABORTED = /^EXECABORT Transaction discarded because of: /;

const MOST_WORDS = 200;

/** What follows from `error`, whatever it is. */
export function dealingWith(error: unknown): Dealing {
  return (error instanceof RedisError ? CODES[error.code]?.[0] : undefined) ?? UNKNOWN;
}

const FORBIDDEN: ReadonlySet<string> = new Set(['REDIS_PERMISSION', 'REDIS_UNKNOWN_COMMAND', 'REDIS_ERROR']);

/** Redis refuses the command to this user, or does not know it, as managed services have it: asking again is of no use. */
export function isForbidden(error: unknown): boolean {
  return error instanceof RedisError && FORBIDDEN.has(error.code);
}

/** The code of an error that Redis answered, by its words. */
function codeOfWords(words: string): string {
  if (INSIDE.test(words)) return KILLED.test(words) ? 'REDIS_SCRIPT_KILLED' : 'REDIS_SCRIPT_STOPPED';
  const reason = words.replace(ABORTED, '');
  return WORDS.find(([begin]) => begin.test(reason))?.[1] ?? 'REDIS_ERROR';
}

/**
 * An error that Redis answered, as errand's own.
 * @param words Redis' own. They are shown where they say more than the table, never with the request's arguments
 * @param key the Redis key that the command is about, where it is one
 */
export function refusal(words: string, command: string, key?: string): RedisError {
  const code = codeOfWords(words);
  const place = key === undefined ? command : `${command} '${key}'`;
  const shown = words.slice(0, MOST_WORDS);
  const known = CODES[code];
  if (known === undefined) return new RedisError(code, `Redis refused ${place}: ${shown}`, { key });
  const [, meaning] = known;
  const more = SHOWN.has(code) || code === 'REDIS_SCRIPT_STOPPED' ? `: ${shown}` : '';
  return new RedisError(code, `${meaning} (${place})${more}`, { key });
}

/** What ioredis says, without what it knows: the error's own words, never the command's arguments (connection, C3). */
export function translate(thrown: unknown, command: string, key?: string): RedisError {
  if (thrown instanceof RedisError) return thrown;
  if (thrown instanceof Error && thrown.name === 'ReplyError') return refusal(thrown.message, command, key);
  return new RedisError('REDIS_CONNECTION_LOST', `the connection was lost while ${command} was unanswered`);
}
