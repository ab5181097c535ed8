import { fromJson } from '../message/json.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { areFields } from './entry.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { optionalStringOf, optionalStringsOf, pairsOf, scoreOf, stringsOf } from './reply.js';

/**
 * Messages that are due later. They enter through the inbox like every other; the owner moves them here, and back when their time has come.
 * So whoever sends needs to know nothing about schedules, and the owner sees each of them without asking.
 */

export interface Scheduled {
  readonly id: string;
  readonly due: number;
}

/** What was changed by hand goes back as an entry that is no message, and ends as a dead letter with its text. */
export function fieldsOf(text: string | null | undefined): string[] {
  if (typeof text !== 'string') return []; // it was deleted by hand
  try {
    const fields = fromJson(text, 'a scheduled message');
    if (areFields(fields) && fields.length > 0) return fields;
  } catch {
    // As below.
  }
  return ['unreadable', text];
}

/** Only somebody who writes by hand schedules for it. */
const NEVER = Number.POSITIVE_INFINITY;
/** Moved back into the inbox in one commit. */
const DUE_PIECE = 100;

export class Schedule {
  readonly #times: string;
  readonly #messages: string;
  readonly #inbox: string;

  constructor(keys: Keys, { type, shard }: PartitionId) {
    this.#times = keys.schedule(type, shard);
    this.#messages = keys.scheduled(type, shard);
    this.#inbox = keys.inbox(type, shard);
  }

  add(batch: CommitBatch, scheduled: Scheduled, fields: readonly string[]): void {
    batch.write('HSET', this.#messages, scheduled.id, JSON.stringify(fields));
    batch.write('ZADD', this.#times, scheduled.due, scheduled.id);
  }

  /** When the next one is due, ms since the epoch. */
  async next(link: Link): Promise<number | undefined> {
    const [first] = pairsOf(await link.call('ZRANGE', [this.#times, 0, 0, 'WITHSCORES']), 'ZRANGE');
    const due = first === undefined ? NEVER : scoreOf(first[1], 'ZRANGE');
    return due === NEVER ? undefined : due;
  }

  /** The messages that are due, oldest first, at most a piece of them. */
  async due(link: Link, now: number): Promise<{ id: string; fields: string[] }[]> {
    const ids = stringsOf(await link.call('ZRANGE', [this.#times, '-inf', now, 'BYSCORE', 'LIMIT', 0, DUE_PIECE]), 'ZRANGE');
    if (ids.length === 0) return [];
    const texts = optionalStringsOf(await link.call('HMGET', [this.#messages, ...ids]), 'HMGET');
    return ids.map((id, i) => ({ id, fields: fieldsOf(texts[i]) }));
  }

  /** One message, by the name it was added under. */
  async get(link: Link, id: string): Promise<string[] | undefined> {
    const text = optionalStringOf(await link.call('HGET', [this.#messages, id]), 'HGET');
    return text === undefined ? undefined : fieldsOf(text);
  }

  /** Back into the inbox. `fields` as they were, without their due time. */
  fire(batch: CommitBatch, id: string, fields: readonly string[]): void {
    if (fields.length > 0) batch.append(this.#inbox, fields);
    this.remove(batch, id);
  }

  remove(batch: CommitBatch, id: string): void {
    batch.write('ZREM', this.#times, id);
    batch.write('HDEL', this.#messages, id);
  }
}

/** An entry's fields without the named one. */
export function without(fields: readonly string[], name: string): string[] {
  const rest: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] !== name) rest.push(fields[i] as string, fields[i + 1] as string);
  return rest;
}
