import { type Clock, sleep, within } from '../message/clock.js';
import { AppendRejected, AppendUnknown, invariant, RedisError } from '../message/errors.js';
import {
  BATCH_BYTES,
  BATCH_MESSAGES,
  INBOX_MESSAGES,
  PRODUCER_KEPT_MS,
  PRODUCER_QUEUE_BYTES,
  PRODUCER_QUEUE_MESSAGES,
} from '../message/limits.js';
import type { Argument, Link } from './connection.js';
import { PASSING_CODES } from './connection.js';
import type { Keys } from './keys.js';
import { runScript } from './scripts.js';

/**
 * What comes from outside the actors goes onto the streams here: commands to inboxes, facts to event streams.
 *
 * A1: one batch is in flight per producer and shard; what is told meanwhile is the next batch.
 * A2: a batch whose reply was lost is sent again byte for byte under the same sequence, and is applied once.
 * A3: a batch that was given up keeps its sequence: should it still arrive, after a later one, it is ignored.
 */

/** A message on its way to a stream. */
export interface Append {
  readonly messageId: string;
  readonly stream: string;
  /** refused with INBOX_FULL above the backlog limit */
  readonly bounded: boolean;
  readonly fields: readonly string[];
  /** the outcome record's key, the data's fingerprint, and how long to keep it (ms; 0: until the outcome is terminal) */
  readonly outcome: { readonly key: string; readonly print: string; readonly keep: number } | undefined;
}

/** `id`: the entry's; absent when the message was there before. */
export interface Appended {
  readonly duplicate: boolean;
  readonly id: string | undefined;
}

interface Waiting {
  readonly append: Append;
  readonly bytes: number;
  readonly since: number; // monotonic ms
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: Error) => void;
}

export interface AppenderOptions {
  readonly link: Link;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly producer: string;
  /** how long a batch may wait for Redis, ms */
  readonly sendTimeout: number;
  /** entries an inbox may hold */
  readonly inboxLimit?: number;
}

const RETRY_MIN_MS = 20;
const RETRY_MAX_MS = 1_000;

export class Appender {
  readonly #shards = new Map<number, ShardQueue>();
  readonly #budget: Budget = { messages: 0, bytes: 0 };
  #closed = false;

  constructor(private readonly options: AppenderOptions) {}

  /**
   * Resolves once the message is durably on its stream, to what `answer` makes of that.
   * @throws AppendRejected `INBOX_FULL`, `IDEMPOTENCY_CONFLICT`, `PRODUCER_FULL`, `STOPPED`, or Redis' reason after `sendTimeout`; AppendUnknown
   */
  append<T = Appended>(shard: number, append: Append, answer: (appended: Appended) => T = (appended) => appended as T): Promise<T> {
    const { messageId } = append;
    if (this.#closed) return Promise.reject(new AppendRejected('STOPPED', 'the system was stopped; nothing was appended', messageId));
    let bytes = 64;
    for (const text of append.fields) bytes += text.length;
    if (this.#budget.messages >= PRODUCER_QUEUE_MESSAGES || this.#budget.bytes + bytes > PRODUCER_QUEUE_BYTES) {
      const text = `${this.#budget.messages} messages already wait for Redis in this process; await tell() before telling more`;
      return Promise.reject(new AppendRejected('PRODUCER_FULL', text, messageId));
    }
    let queue = this.#shards.get(shard);
    if (queue === undefined) {
      queue = new ShardQueue(this.options, shard, this.#budget);
      this.#shards.set(shard, queue);
    }
    return queue.add(append, bytes, answer);
  }

  /** Messages that are not yet answered. */
  get pending(): number {
    return this.#budget.messages;
  }

  /** Takes nothing more; what waits is still sent. */
  close(): void {
    this.#closed = true;
  }

  /** Resolves once all that was taken is answered, or `ms` have passed. */
  async drained(ms: number): Promise<void> {
    await within(this.options.clock, ms, Promise.all([...this.#shards.values()].map((queue) => queue.drained())));
  }

  /** Gives up what is still unanswered. */
  abandon(): void {
    this.close();
    for (const queue of this.#shards.values()) queue.abandon();
  }
}

interface Budget {
  messages: number;
  bytes: number;
}

class ShardQueue {
  #waiting: Waiting[] = [];
  #sending = false;
  #drained = Promise.resolve();
  #sequence = 0;
  readonly #abandoned = new AbortController();

  constructor(
    private readonly options: AppenderOptions,
    private readonly shard: number,
    private readonly budget: Budget,
  ) {}

  add<T>(append: Append, bytes: number, answer: (appended: Appended) => T): Promise<T> {
    this.budget.messages += 1;
    this.budget.bytes += bytes;
    return new Promise((resolve, reject) => {
      const appended = (made: Appended): void => resolve(answer(made));
      this.#waiting.push({ append, bytes, since: this.options.clock.monotonic(), resolve: appended, reject });
      if (this.#sending) return;
      this.#sending = true;
      // What is told in the same turn goes into the first batch.
      this.#drained = Promise.resolve().then(() => this.#drain());
    });
  }

  drained(): Promise<void> {
    return this.#drained;
  }

  abandon(): void {
    this.#abandoned.abort();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      this.#sequence += 1;
      await this.#send(batch, this.#sequence);
      for (const { bytes } of batch) {
        this.budget.messages -= 1;
        this.budget.bytes -= bytes;
      }
    }
    this.#sending = false;
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count === BATCH_MESSAGES || (count > 0 && bytes + waiting.bytes > BATCH_BYTES)) break;
      bytes += waiting.bytes;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Invariants A2, A3: never throws; every message of the batch is answered. */
  async #send(batch: readonly Waiting[], sequence: number): Promise<void> {
    const { link, clock, sendTimeout } = this.options;
    const { keys, args } = this.#script(batch, sequence);
    const deadline = (batch[0]?.since ?? clock.monotonic()) + sendTimeout;
    let written = false; // some attempt may have reached Redis
    let reason: RedisError | undefined; // made only when there is one: an error's stack costs more than a message
    for (let delay = RETRY_MIN_MS; ; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
      if (link.up) {
        try {
          return this.#answer(batch, await runScript(link, 'append', keys, args), written);
        } catch (error) {
          reason = error instanceof RedisError ? error : new RedisError('REDIS_ERROR', String(error));
          if (reason.code === 'REDIS_CONNECTION_LOST') written = true;
          // Redis gave up in the middle of the script: what it had written stays.
          else if (reason.code === 'REDIS_ERROR') return this.#refuse(batch, reason, true);
          else if (!PASSING_CODES.has(reason.code)) return this.#refuse(batch, reason, written);
        }
      }
      const left = deadline - clock.monotonic();
      if (left <= 0 || this.#abandoned.signal.aborted) {
        return this.#refuse(batch, reason ?? new RedisError('REDIS_NOT_CONNECTED', 'not connected to Redis'), written);
      }
      if (link.up) await sleep(clock, Math.min(delay, left), this.#abandoned.signal);
      else await Promise.race([link.untilUp(left), aborted(this.#abandoned.signal)]);
    }
  }

  #script(batch: readonly Waiting[], sequence: number): { keys: string[]; args: Argument[] } {
    const { keys: layout, producer, inboxLimit = INBOX_MESSAGES } = this.options;
    const keys = [layout.producer(this.shard, producer)];
    const args: Argument[] = [sequence, PRODUCER_KEPT_MS, inboxLimit];
    const index = new Map<string, number>();
    const at = (key: string): number => {
      let known = index.get(key);
      if (known === undefined) {
        known = keys.push(key);
        index.set(key, known);
      }
      return known;
    };
    for (const { append } of batch) {
      const { outcome, fields } = append;
      args.push(at(append.stream), append.bounded ? 1 : 0);
      if (outcome === undefined) args.push(0, '-', 0);
      else args.push(at(outcome.key), outcome.print, outcome.keep);
      args.push(fields.length);
      for (const text of fields) args.push(text);
    }
    return { keys, args };
  }

  #answer(batch: readonly Waiting[], reply: unknown, written: boolean): void {
    invariant(typeof reply === 'string', 'append answers a text');
    if (reply === 'stale') return this.#refuse(batch, new RedisError('REDIS_ERROR', 'a later batch was applied before this one'), written);
    const words = reply.split(' ');
    invariant(words.length === batch.length, 'append answers a word a message');
    batch.forEach(({ append: { messageId }, resolve, reject }, i) => {
      const word = words[i] as string;
      if (word === 'full') reject(new AppendRejected('INBOX_FULL', 'the inbox holds as many messages as it may; try later', messageId));
      else if (word === 'conflict') {
        reject(new AppendRejected('IDEMPOTENCY_CONFLICT', 'the same idempotency key was used before with other data', messageId));
      } else resolve({ duplicate: word === 'duplicate', id: word === 'duplicate' ? undefined : word });
    });
  }

  #refuse(batch: readonly Waiting[], reason: RedisError, written: boolean): void {
    for (const { append, reject } of batch) {
      if (written) {
        const text = `whether the message was appended is unknown: ${reason.message}`;
        reject(new AppendUnknown(text, append.messageId, { cause: reason }));
      } else reject(new AppendRejected(reason.code, `not appended: ${reason.message}`, append.messageId, { cause: reason }));
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
