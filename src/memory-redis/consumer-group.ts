import { type Int64, narrow, wrapped } from './numbers.js';
import { SortedList } from './sorted-list.js';
import type { Stream } from './stream.js';
import { compareIds, formatId, HIGHEST_ID, LOWEST_ID, type StreamId } from './stream-id.js';

/** What one delivered entry that has not been acknowledged costs. */
export const PENDING_BYTES = 200;
export const GROUP_BYTES = 300;

/** An entry delivered to a consumer and not acknowledged yet. */
export interface Pending {
  readonly id: StreamId;
  consumer: Consumer;
  deliveredAt: number;
  deliveries: Int64;
}

const before = (a: { readonly id: StreamId }, b: { readonly id: StreamId }): boolean => compareIds(a.id, b.id) < 0;

/** Pending entries by id. */
export class PendingList {
  readonly #byId = new Map<string, Pending>();
  readonly #order = new SortedList<Pending>(before);

  get size(): number {
    return this.#byId.size;
  }

  get first(): Pending | undefined {
    return this.#order.first;
  }

  get last(): Pending | undefined {
    return this.#order.last;
  }

  get(id: StreamId): Pending | undefined {
    return this.#byId.get(formatId(id));
  }

  add(pending: Pending): void {
    this.#byId.set(formatId(pending.id), pending);
    this.#order.insert(pending);
  }

  remove(pending: Pending): void {
    if (this.#byId.delete(formatId(pending.id))) this.#order.remove(pending);
  }

  /** Those from `start` to `end`, both included, at most `count` of them. */
  range(start: StreamId, end: StreamId, count = Number.MAX_SAFE_INTEGER): Pending[] {
    const from = this.#order.countWhile(({ id }) => compareIds(id, start) < 0);
    const to = this.#order.countWhile(({ id }) => compareIds(id, end) <= 0);
    return this.#order.slice(from, Math.min(to, from + count));
  }

  all(): Pending[] {
    return this.#order.slice(0, this.#order.length);
  }
}

export class Consumer {
  readonly pending = new PendingList();
  constructor(
    readonly name: string,
    public seenAt: number,
  ) {}
}

/** What one group has read of a stream, and who has what of it. */
export class ConsumerGroup {
  readonly pending = new PendingList();
  readonly consumers = new Map<string, Consumer>();

  constructor(
    readonly name: string,
    public lastId: StreamId,
    /** How many of the entries ever added it has read; undefined when that cannot be told. */
    public entriesRead: Int64 | undefined,
  ) {}

  clone(): ConsumerGroup {
    const copy = new ConsumerGroup(this.name, this.lastId, this.entriesRead);
    for (const { name, seenAt } of this.consumers.values()) copy.consumers.set(name, new Consumer(name, seenAt));
    for (const { id, consumer, deliveredAt, deliveries } of this.pending.all()) {
      const pending: Pending = { id, consumer: copy.consumers.get(consumer.name) as Consumer, deliveredAt, deliveries };
      copy.pending.add(pending);
      pending.consumer.pending.add(pending);
    }
    return copy;
  }

  /** The consumer of that name, made when it is not there. */
  consumer(name: string, now: number): Consumer {
    let consumer = this.consumers.get(name);
    if (consumer === undefined) this.consumers.set(name, (consumer = new Consumer(name, now)));
    consumer.seenAt = now;
    return consumer;
  }

  /** Notes that the consumer has been given the entry. */
  deliver(id: StreamId, consumer: Consumer, now: number): void {
    const known = this.pending.get(id);
    if (known === undefined) {
      const pending: Pending = { id, consumer, deliveredAt: now, deliveries: 1 };
      this.pending.add(pending);
      consumer.pending.add(pending);
      return;
    }
    this.hand(known, consumer);
    known.deliveredAt = now;
    known.deliveries = 1;
  }

  /** Gives a pending entry to another consumer. */
  hand(pending: Pending, consumer: Consumer): void {
    if (pending.consumer === consumer) return;
    pending.consumer.pending.remove(pending);
    pending.consumer = consumer;
    consumer.pending.add(pending);
  }

  acknowledge(id: StreamId): boolean {
    const pending = this.pending.get(id);
    if (pending === undefined) return false;
    this.pending.remove(pending);
    pending.consumer.pending.remove(pending);
    return true;
  }

  /** Removes a consumer and what was pending with it; returns how many entries that were. */
  removeConsumer(name: string): number {
    const consumer = this.consumers.get(name);
    if (consumer === undefined) return 0;
    const pending = consumer.pending.all();
    for (const { id } of pending) this.acknowledge(id);
    this.consumers.delete(name);
    return pending.length;
  }

  /** Moves the group past an entry that it reads. */
  advance(stream: Stream, id: StreamId): void {
    if (compareIds(id, this.lastId) <= 0) return;
    if (this.entriesRead !== undefined && !hasTombstone(stream, id)) {
      this.entriesRead = wrapped(narrow(BigInt(this.entriesRead) + 1n));
    } else if (stream.entriesAdded !== 0) this.entriesRead = entriesUpTo(stream, id);
    this.lastId = id;
  }

  /** How many entries it has still to read; undefined when that cannot be told. */
  lag(stream: Stream): Int64 | undefined {
    if (stream.entriesAdded === 0) return 0;
    const read = this.entriesRead !== undefined && !hasTombstone(stream, this.lastId) ? this.entriesRead : entriesUpTo(stream, this.lastId);
    return read === undefined ? undefined : wrapped(narrow(BigInt(stream.entriesAdded) - BigInt(read)));
  }
}

/** Whether an entry from `start` on has been deleted out of turn. */
function hasTombstone(stream: Stream, start: StreamId): boolean {
  const deleted = stream.maxDeletedId;
  if (stream.length === 0 || compareIds(deleted, LOWEST_ID) === 0) return false;
  if (compareIds(stream.firstId, deleted) > 0) return false;
  return compareIds(start, deleted) <= 0 && compareIds(deleted, HIGHEST_ID) <= 0;
}

/** How many entries were ever added up to this id, where that can be told. */
function entriesUpTo(stream: Stream, id: StreamId): Int64 | undefined {
  const added = stream.entriesAdded;
  if (added === 0) return 0;
  const toLast = compareIds(id, stream.lastId);
  if (stream.length === 0 && toLast < 1) return added;
  if (toLast === 0) return added;
  if (toLast > 0) return undefined;
  const first = stream.firstId;
  if (compareIds(stream.maxDeletedId, LOWEST_ID) !== 0 && compareIds(stream.maxDeletedId, first) >= 0) return undefined;
  const toFirst = compareIds(id, first);
  if (toFirst > 0) return undefined;
  return wrapped(narrow(BigInt(added) - BigInt(stream.length) + (toFirst === 0 ? 1n : 0n)));
}
