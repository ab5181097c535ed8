import { RedisError } from '../message/errors.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import * as lua from './lua/sources.js';
import { unexpected } from './reply.js';

/**
 * What a Redis user must be allowed to do (`ACL SETUSER`). It is found out before anything is done: what Redis refuses in the middle of a script
 * leaves the writes before it. No rights beyond these are needed for that: the script asks `redis.acl_check_cmd`, which speaks of the user itself.
 */

/** Keys and channels, each standing for its kind. */
type Place =
  | 'system'
  | 'nodes'
  | 'wanted'
  | 'inbox'
  | 'results'
  | 'event'
  | 'partition'
  | 'state'
  | 'waiting'
  | 'aside'
  | 'unhandled'
  | 'schedule'
  | 'scheduled'
  | 'suspects'
  | 'cancelled'
  | 'dead'
  | 'outcome'
  | 'producer'
  | 'types'
  | 'wake';

/** What whoever sends and asks does; words in braces are places. */
export const CLIENT_REQUESTS: readonly string[] = [
  'TIME',
  'EVALSHA digest 0',
  'SCRIPT LOAD source',
  'HGET {system} field',
  'HKEYS {system}',
  'HSETNX {system} field value',
  'ZRANGE {nodes} 0 1 BYSCORE',
  'XADD {inbox} * name value',
  'XLEN {inbox}',
  'XADD {event} * name value',
  'XREVRANGE {event} + - COUNT 1',
  'XREAD COUNT 1 STREAMS {event} 0',
  'XTRIM {event} MINID ~ 0-0',
  'XREVRANGE {results} + - COUNT 1',
  'XREAD COUNT 1 STREAMS {results} 0',
  'HGET {partition} field',
  'GET {outcome}',
  'SET {outcome} value',
  'GET {producer}',
  'SET {producer} value',
  'HSET {types} field value',
  'HKEYS {types}',
  'SUBSCRIBE {wake}',
];

/** What a node that hosts actors does beside that. */
export const NODE_REQUESTS: readonly string[] = [
  'MULTI',
  'EXEC',
  'HSET {system} field value',
  'HDEL {system} field',
  'HMGET {system} field',
  'HEXISTS {system} field',
  'HGETALL {wanted}',
  'HSET {wanted} field value',
  'HDEL {wanted} field',
  'PEXPIRE {wanted} 1000',
  'ZADD {nodes} 1 member',
  'ZREM {nodes} member',
  'ZREMRANGEBYSCORE {nodes} -inf 0',
  'XREAD COUNT 1 STREAMS {inbox} 0',
  'XRANGE {inbox} - + COUNT 1',
  'XTRIM {inbox} MINID 0-0',
  'XDEL {inbox} 0-1',
  'XADD {results} * name value',
  'XTRIM {results} MINID ~ 0-0',
  'HMGET {partition} field',
  'HGETALL {partition}',
  'HSET {partition} field value',
  'HSETNX {partition} field value',
  'HDEL {partition} field',
  'HINCRBY {partition} field 1',
  'MGET {state}',
  'EXISTS {state}',
  'MSET {state} value',
  'SET {state} value',
  'DEL {state}',
  'ZADD {waiting} 1 member',
  'ZREM {waiting} member',
  'ZRANGE {waiting} 0 1',
  'ZCOUNT {waiting} -inf +inf',
  'RPUSH {aside} value',
  'LPOP {aside}',
  'LSET {aside} 0 value',
  'LREM {aside} 1 value',
  'LRANGE {aside} 0 1',
  'LLEN {aside}',
  'LINDEX {aside} 0',
  'HSET {unhandled} field value',
  'HDEL {unhandled} field',
  'HGETALL {unhandled}',
  'HVALS {unhandled}',
  'ZADD {schedule} 1 member',
  'ZREM {schedule} member',
  'ZRANGE {schedule} 0 1',
  'ZCOUNT {schedule} -inf +inf',
  'HSET {scheduled} field value',
  'HDEL {scheduled} field',
  'HGET {scheduled} field',
  'HMGET {scheduled} field',
  'HGETALL {scheduled}',
  'HSET {suspects} field value',
  'HDEL {suspects} field',
  'HGETALL {suspects}',
  'HSET {cancelled} field value',
  'HKEYS {cancelled}',
  'HGET {cancelled} field',
  'HGETALL {cancelled}',
  'HDEL {cancelled} field',
  'XADD {dead} * name value',
  'XRANGE {dead} - + COUNT 1',
  'XREVRANGE {dead} + - COUNT 1',
  'XDEL {dead} 0-1',
  'XTRIM {dead} MINID ~ 0-0',
  'PUBLISH {wake} message',
  // Before a commit writes anything it looks at the types of its keys, and it takes entries back where another is refused.
  ...[
    'inbox',
    'results',
    'dead',
    'waiting',
    'aside',
    'unhandled',
    'schedule',
    'scheduled',
    'suspects',
    'cancelled',
    'partition',
    'types',
  ].map((place) => `TYPE {${place}}`),
  'XREVRANGE {inbox} + - COUNT 1',
  'XDEL {results} 0-1',
  'XDEL {event} 0-1',
];

/** Rules speak of patterns: of many shards these few are looked at. */
const MOST_SHARDS_ASKED = 8;
/** Of an actor type when a client hosts none, of an event, of a key. */
const SOME = 'any';

interface Request {
  readonly words: readonly string[];
  readonly place: string | undefined;
}

function placesOf(keys: Keys, type: string, shard: number): Readonly<Record<Place, string>> {
  return {
    system: keys.system,
    nodes: keys.nodes,
    wanted: keys.wanted,
    inbox: keys.inbox(type, shard),
    results: keys.results(type, shard),
    event: keys.event(SOME, shard),
    partition: keys.partition(type, shard),
    state: keys.state(type, shard, SOME),
    waiting: keys.waiting(type, shard),
    aside: keys.aside(type, shard, SOME),
    unhandled: keys.unhandled(type, shard),
    schedule: keys.schedule(type, shard),
    scheduled: keys.scheduled(type, shard),
    suspects: keys.suspects(type, shard),
    cancelled: keys.cancelled(type, shard),
    dead: keys.dead(type, shard),
    outcome: keys.outcome(shard, SOME),
    producer: keys.producer(shard, SOME),
    types: keys.types(shard),
    wake: keys.wake(SOME),
  };
}

/** Each request about each place of the system, once. @param types that are hosted; none for a client */
function requestsOf(keys: Keys, types: readonly string[]): Request[] {
  const templates = types.length === 0 ? CLIENT_REQUESTS : [...CLIENT_REQUESTS, ...NODE_REQUESTS];
  const step = Math.ceil(keys.shards / MOST_SHARDS_ASKED);
  const requests = new Map<string, Request>();
  for (const type of types.length === 0 ? [SOME] : types) {
    for (let shard = 0; shard < keys.shards; shard += step) {
      const places = placesOf(keys, type, shard);
      for (const template of templates) {
        let place: string | undefined;
        const words = template.split(' ').map((word) => {
          const name = /^\{(\w+)\}$/.exec(word)?.[1] as Place | undefined;
          if (name === undefined) return word;
          place = places[name];
          return place;
        });
        requests.set(words.join(' '), { words, place });
      }
    }
  }
  return [...requests.values()];
}

/** What is refused, as far as a rule goes: a command, a key, or a channel. */
interface Refusal {
  /** `either`: Redis does not say whether it is the command or the channel */
  readonly what: 'command' | 'key' | 'channel' | 'either';
  readonly request: Request;
}

/** By Redis' words, of 7.0 and later. Only for SUBSCRIBE, which no script may run, do they say nothing. */
function refusalOf(request: Request, said: string): Refusal {
  const [command] = request.words;
  if (/channel/.test(said)) return { what: 'channel', request };
  if (/\bkeys?\b/.test(said)) return { what: 'key', request };
  return { what: command === 'SUBSCRIBE' ? 'either' : 'command', request };
}

/** @throws RedisError `REDIS_PERMISSION`, which names what is refused and the rules that are missing */
export async function checkRights(link: Link, keys: Keys, types: readonly string[]): Promise<void> {
  const requests = requestsOf(keys, types);
  const args = requests.flatMap(({ words }) => [words.length, ...words]);
  let reply: unknown;
  try {
    reply = await link.call('EVAL', [lua.rights, 0, ...args]);
  } catch (error) {
    if (!(error instanceof RedisError) || error.code !== 'REDIS_PERMISSION') throw error;
    throw await missing(link, keys, [{ what: 'command', request: { words: ['EVAL'], place: undefined } }]);
  }
  if (reply === 'unknown') return; // a server of another kind: it will say so when the time comes
  if (!Array.isArray(reply)) return unexpected(reply, 'EVAL', 'an array of what is refused');
  const refusals: Refusal[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const request = requests[Number(reply[i]) - 1];
    if (request !== undefined) refusals.push(refusalOf(request, String(reply[i + 1])));
  }
  if (refusals.length > 0) throw await missing(link, keys, refusals);
}

/** So many of a kind are named. */
const NAMED = 8;

async function missing(link: Link, { name }: Keys, refusals: readonly Refusal[]): Promise<RedisError> {
  const channelRefused = refusals.some(({ what }) => what === 'channel');
  const texts = new Set<string>();
  const rules = new Set<string>();
  for (const { what, request } of refusals) {
    const { text, needs } = told(what === 'either' && channelRefused ? 'channel' : what, request, name);
    texts.add(text);
    for (const rule of needs) rules.add(rule);
  }
  const named = [...texts].slice(0, NAMED).join(', ');
  const more = texts.size > NAMED ? `, and ${texts.size - NAMED} things more` : '';
  const user = await userOf(link);
  return new RedisError('REDIS_PERMISSION', `the Redis user${user} may not ${named}${more}; add to its rules: ${[...rules].join(' ')}`);
}

/** What is refused, in words, and the rules that would allow it. */
function told(what: Refusal['what'], { words, place = '' }: Request, name: string): { text: string; needs: readonly string[] } {
  const command = words.slice(0, words[0] === 'SCRIPT' ? 2 : 1);
  const allowed = `+${command.join('|').toLowerCase()}`;
  const opened = `&${name}:*`;
  const prefix = place.startsWith('{') ? `{${name}:` : `${name}:`;
  if (what === 'command') return { text: `run ${command.join(' ')}`, needs: [allowed] };
  if (what === 'key') return { text: `use the keys '${prefix}…'`, needs: [`~${prefix}*`] };
  return { text: `use ${command.join(' ')} on the channel '${name}:wake:…'`, needs: what === 'either' ? [allowed, opened] : [opened] };
}

async function userOf(link: Link): Promise<string> {
  try {
    const reply = await link.call('ACL', ['WHOAMI']);
    return typeof reply === 'string' ? ` '${reply}'` : '';
  } catch {
    return ''; // that is refused, too
  }
}
