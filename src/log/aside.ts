import { fieldOf } from '../message/envelope.js';
import type { RedisError } from '../message/errors.js';
import { fromJson } from '../message/json.js';
import { WAITING_KEYS_AT_ONCE } from '../message/limits.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { areFields, FIRST } from './entry.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { type Answer, countOf, optionalStringOf, pairsOf, scoreOf, stringOf, stringsOf } from './reply.js';
import { without } from './schedule.js';

/**
 * Keys that must wait. A waiting key's messages stand in a list of their own, in order, with their attempts; a sorted set says until when
 * each key waits. Being moved there is a commit like any other, so a message is in exactly one place.
 */

/** One message that was set aside. */
export interface Aside {
  /** the id of the inbox entry it was */
  readonly entry: string;
  readonly fields: readonly string[];
  /** attempts made so far */
  readonly attempts: number;
  /** how the latest of them failed */
  readonly history: readonly FailedAttempt[];
}

/** One attempt that failed. */
export interface FailedAttempt {
  readonly attempt: number;
  readonly at: number; // ms since the epoch
  readonly node: string;
  readonly code: string;
  readonly message: string;
}

/** Waits until somebody says otherwise. */
export const PARKED = Number.POSITIVE_INFINITY;

/**
 * The list in which requests to the owner wait, in the place of a key: no key has braces. A request's own subject is put away meanwhile, so
 * that a node of a version that knows no such list finds no message in it, and sets it down as a dead letter when its time is up.
 */
export const REQUESTS = '{requests}';

const SUBJECT = 'requestsubject';

/** The fields of a request as they stand in its list. */
export function putAway(fields: readonly string[]): string[] {
  return [...without(fields, 'subject'), 'subject', REQUESTS, SUBJECT, fieldOf(fields, 'subject') ?? ''];
}

/** Those of what stands there, as they were. */
export function takenOut(fields: readonly string[]): readonly string[] {
  const subject = fieldOf(fields, SUBJECT);
  return subject === undefined ? fields : [...without(without(fields, 'subject'), SUBJECT), 'subject', subject];
}

const score = (due: number): string => (due === PARKED ? '+inf' : String(due));

function pack(aside: Aside): string {
  const { entry, attempts, fields, history } = aside;
  return JSON.stringify(history.length === 0 ? [entry, attempts, fields] : [entry, attempts, fields, history]);
}

/** What was changed by hand becomes an entry that is no message, and ends as a dead letter with its text. */
export function unpack(text: string): Aside {
  try {
    const [entry, attempts, fields, history = []] = fromJson(text, 'a message set aside') as [string, number, string[], FailedAttempt[]?];
    const read = typeof entry === 'string' && typeof attempts === 'number' && areFields(fields) && Array.isArray(history);
    if (read) return { entry, attempts, fields, history };
  } catch {
    // As below.
  }
  return { entry: FIRST, attempts: 0, fields: ['unreadable', text], history: [] };
}

export class AsideLists {
  constructor(
    private readonly keys: Keys,
    private readonly id: PartitionId,
  ) {}

  /** `key` waits until `due` (ms since the epoch). */
  wait(batch: CommitBatch, key: string, due: number): void {
    batch.write('ZADD', this.keys.waiting(this.id.type, this.id.shard), score(due), key);
  }

  /** `key` waits no longer; its list is empty. */
  resume(batch: CommitBatch, key: string): void {
    batch.write('ZREM', this.keys.waiting(this.id.type, this.id.shard), key);
  }

  push(batch: CommitBatch, key: string, aside: Aside): void {
    batch.write('RPUSH', this.name(key), pack(aside));
  }

  /** The head again, with its attempts counted. */
  replaceHead(batch: CommitBatch, key: string, aside: Aside): void {
    batch.write('LSET', this.name(key), 0, pack(aside));
  }

  /** One message from anywhere in the list; `aside` as it was read. */
  remove(batch: CommitBatch, key: string, aside: Aside): void {
    batch.write('LREM', this.name(key), 1, pack(aside));
  }

  pop(batch: CommitBatch, key: string): void {
    batch.write('LPOP', this.name(key));
  }

  /** Every waiting key: until when, and how many messages; or why its list cannot be read. */
  async load(link: Link): Promise<{ key: string; due: number; length: number | RedisError }[]> {
    const name = this.keys.waiting(this.id.type, this.id.shard);
    const waiting = pairsOf(await link.call('ZRANGE', [name, 0, -1, 'WITHSCORES']), 'ZRANGE');
    const lengths = await link.answers(waiting.map(([key]) => ['LLEN', this.name(key)] as const));
    return waiting.map(([key, due], i) => {
      const answer = lengths[i] as Answer;
      if (answer.kind === 'reply') return { key, due: scoreOf(due, 'ZRANGE'), length: countOf(answer.reply, 'LLEN') };
      if (answer.error.code !== 'REDIS_WRONG_TYPE') throw answer.error;
      return { key, due: scoreOf(due, 'ZRANGE'), length: answer.error };
    });
  }

  /** The first message of each key that may go on at `now`, of as many keys as an owner lets go on at a time, and some more. */
  async heads(link: Link, now: number): Promise<{ key: string; entry: string }[]> {
    const name = this.keys.waiting(this.id.type, this.id.shard);
    const keys = stringsOf(await link.call('ZRANGE', [name, '-inf', now, 'BYSCORE', 'LIMIT', 0, 2 * WAITING_KEYS_AT_ONCE]), 'ZRANGE');
    const heads = await link.answers(keys.map((key) => ['LINDEX', this.name(key), 0] as const));
    return keys.flatMap((key, i) => {
      const head = heads[i] as Answer;
      if (head.kind === 'refused' && head.error.code !== 'REDIS_WRONG_TYPE') throw head.error;
      const text = head.kind === 'reply' ? optionalStringOf(head.reply, 'LINDEX') : undefined;
      return text === undefined ? [] : [{ key, entry: unpack(text).entry }];
    });
  }

  /** The first messages of a waiting key. */
  async window(link: Link, key: string, count: number): Promise<Aside[]> {
    return stringsOf(await link.call('LRANGE', [this.name(key), 0, count - 1]), 'LRANGE').map(unpack);
  }

  /** of a key's list, in Redis */
  name(key: string): string {
    return this.keys.aside(this.id.type, this.id.shard, key);
  }

  /** Whether a Redis key is the list of some key. */
  isList(name: string): boolean {
    return name.startsWith(this.name(''));
  }

  /** Whether messages can be set aside there. */
  async usable(link: Link, name: string): Promise<boolean> {
    const type = stringOf(await link.call('TYPE', [name]), 'TYPE');
    return type === 'list' || type === 'none';
  }
}
