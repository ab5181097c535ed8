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
import { outside } from '../message/outside.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import { dealingWith, refusal } from './redis-error.js';
import { type Given, ScriptArguments, ScriptKeys } from './script-arguments.js';
import { runScript } from './scripts.js';
import { recordOfTypes, type ToldTypes } from './told-types.js';

/**
 * What comes from outside the actors goes onto the streams here: commands to inboxes, facts to event streams.
 *
 * A1: one batch is in flight per producer and shard; what is told meanwhile is the next batch.
 * A2: a batch whose reply was lost is sent again byte for byte under the same sequence, and is applied once.
 * A3: a batch that was given up keeps its sequence: should it still arrive, after a later one, it is ignored.
 * A4: a command is appended only once its actor type is recorded, so that whoever cancels it finds it.
 */

/** A message on its way to a stream. */
export interface Append {
  readonly messageId: string;
  readonly stream: string;
  /** the actor type that a command is sent to; undefined: nobody will look for the message by its type */
  readonly to: string | undefined;
  /** refused with INBOX_FULL above the backlog limit */
  readonly bounded: boolean;
  readonly fields: readonly string[];
  /** the outcome record's key, the data's fingerprint, and how long to keep it (ms; 0: until the outcome is terminal) */
  readonly outcome: { readonly key: string; readonly print: string; readonly keep: number } | undefined;
}

/** What an append resolves to; `duplicate`: the message was there before. */
type Answer<T> = (duplicate: boolean) => T;

interface Waiting {
  readonly messageId: string;
  readonly answer: Answer<unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface AppenderOptions {
  readonly link: Link;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly producer: string;
  readonly told: ToldTypes;
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
   * Resolves once the message is durably on its stream, to what `answer` makes of that; by default to whether it was there before.
   * @throws AppendRejected `INBOX_FULL`, `IDEMPOTENCY_CONFLICT`, `PRODUCER_FULL`, `STOPPED`, or Redis' reason after `sendTimeout`; AppendUnknown
   */
  append<T = boolean>(shard: number, append: Append, answer: Answer<T> = (duplicate) => duplicate as T): Promise<T> {
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

/** Messages that go to Redis together. They are laid out for the script as they come: until they are answered little else is kept of them. */
class Batch {
  readonly waiting: Waiting[] = [];
  readonly #keys: ScriptKeys;
  readonly #messages = new ScriptArguments();
  /** the actor types that its commands are sent to */
  readonly types: string[] = [];
  bytes = 0;

  constructor(
    producerKey: string,
    /** of its first message, monotonic ms */
    readonly since: number,
  ) {
    this.#keys = new ScriptKeys(producerKey);
  }

  add({ stream, to, bounded, outcome, fields }: Append, bytes: number): void {
    const messages = this.#messages;
    const known = this.#keys.names.length;
    const index = this.#keys.at(stream);
    if (to !== undefined && index > known) this.types.push(to); // the stream is new to this batch
    messages.number(index);
    messages.number(bounded ? 1 : 0);
    if (outcome === undefined) messages.number(0);
    else {
      messages.number(this.#keys.at(outcome.key));
      messages.text(outcome.print);
      messages.text(String(outcome.keep));
    }
    messages.row(index, fields);
    this.bytes += bytes;
  }

  /** Whether so much more is for the next one. */
  full(bytes: number): boolean {
    return this.waiting.length === BATCH_MESSAGES || this.bytes + bytes > BATCH_BYTES;
  }

  get keys(): readonly string[] {
    return this.#keys.names;
  }

  /** Nothing can be added afterwards. */
  get messages(): Given {
    return this.#messages.take();
  }
}

class ShardQueue {
  readonly #waiting: Batch[] = [];
  #sending = false;
  #drained = Promise.resolve();
  #sequence = 0;
  readonly #abandoned = new AbortController();

  constructor(
    private readonly options: AppenderOptions,
    private readonly shard: number,
    private readonly budget: Budget,
  ) {}

  add<T>(append: Append, bytes: number, answer: Answer<T>): Promise<T> {
    this.budget.messages += 1;
    this.budget.bytes += bytes;
    let batch = this.#waiting.at(-1);
    if (batch === undefined || batch.full(bytes)) {
      const { keys, producer, clock } = this.options;
      batch = new Batch(keys.producer(this.shard, producer), clock.monotonic());
      this.#waiting.push(batch);
    }
    batch.add(append, bytes);
    const { waiting } = batch;
    const appended = new Promise<T>((resolve, reject) => {
      waiting.push({ messageId: append.messageId, answer, resolve: resolve as Waiting['resolve'], reject });
    });
    if (!this.#sending) {
      this.#sending = true;
      this.#drained = outside(() => this.#drain());
    }
    return appended;
  }

  drained(): Promise<void> {
    return this.#drained;
  }

  abandon(): void {
    this.#abandoned.abort();
  }

  async #drain(): Promise<void> {
    await Promise.resolve(); // what is told in the same turn goes into the first batch
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      this.#sequence += 1;
      await this.#send(batch, this.#sequence);
    }
    this.#sending = false;
  }

  /** Invariants A2, A3: never throws; every message of the batch is answered. */
  async #send(batch: Batch, sequence: number): Promise<void> {
    const { keys, messages, since } = batch;
    const { link, clock, sendTimeout, inboxLimit = INBOX_MESSAGES } = this.options;
    const head = [sequence, PRODUCER_KEPT_MS, inboxLimit];
    const deadline = since + sendTimeout;
    let written = false; // some attempt may have reached Redis
    let sent = false; // this one may have
    let reason: RedisError | undefined; // made only when there is one: an error's stack costs more than a message
    for (let delay = RETRY_MIN_MS; ; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
      if (link.up) {
        try {
          sent = false;
          const untold = this.#untold(batch);
          if (untold !== undefined) await this.#record(untold);
          sent = true;
          return this.#answer(batch, await runScript(link, 'append', keys, head, messages), written);
        } catch (error) {
          reason = error instanceof RedisError ? error : new RedisError('REDIS_ERROR', String(error));
          const { applied, wait } = dealingWith(reason);
          if (applied === 'unknown' && sent) written = true;
          // A script that was stopped in its middle has stored no sequence: sent again, it would append again what stands already.
          if (!wait) return this.#refuse(batch, reason, written);
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

  /** The types of a batch that may not be recorded; undefined: all are. */
  #untold({ types }: Batch): string[] | undefined {
    const { keys, told } = this.options;
    let untold: string[] | undefined;
    for (const type of types) {
      if (told.has(keys.inbox(type, this.shard))) continue;
      untold ??= [];
      untold.push(type);
    }
    return untold;
  }

  /** A4 */
  async #record(types: readonly string[]): Promise<void> {
    const { link, keys, told } = this.options;
    const [command, values] = recordOfTypes(types);
    await link.call(command, [keys.types(this.shard), ...values]);
    for (const type of types) told.add(keys.inbox(type, this.shard));
  }

  #answer(batch: Batch, reply: unknown, written: boolean): void {
    invariant(typeof reply === 'string', 'append answers a text');
    if (reply === 'stale') {
      const why = 'a later batch of this producer was applied before this one: somebody else draws the same ids';
      return this.#refuse(batch, new RedisError('REDIS_ERROR', why), written);
    }
    const words = reply === 'ok' ? undefined : reply.split(' ');
    if (words?.[0] === 'none') return this.#refuse(batch, refusedFor(words[1]), written);
    invariant(words === undefined || words.length === batch.waiting.length, 'append answers a word a message');
    const { waiting } = this.#through(batch);
    if (words === undefined) {
      for (const { answer, resolve } of waiting) resolve(answer(false));
      return;
    }
    waiting.forEach(({ messageId, answer, resolve, reject }, i) => {
      const word = words[i];
      if (word === 'full') reject(new AppendRejected('INBOX_FULL', 'the inbox holds as many messages as it may; try later', messageId));
      else if (word === 'conflict') {
        reject(new AppendRejected('IDEMPOTENCY_CONFLICT', 'the same idempotency key was used before with other data', messageId));
      } else if (word === 'ok' || word === 'duplicate') resolve(answer(word === 'duplicate'));
      else {
        const reason = refusedFor(word);
        reject(new AppendRejected(reason.code, `not appended: ${reason.message}`, messageId, { cause: reason }));
      }
    });
  }

  /** Nothing of it is pending any more; before anybody is told, so that whoever is told finds it so. */
  #through(batch: Batch): Batch {
    this.budget.messages -= batch.waiting.length;
    this.budget.bytes -= batch.bytes;
    return batch;
  }

  #refuse(batch: Batch, reason: RedisError, written: boolean): void {
    for (const { messageId, reject } of this.#through(batch).waiting) {
      if (written) {
        const text = `whether the message was appended is unknown: ${reason.message}`;
        reject(new AppendUnknown(text, messageId, { cause: reason }));
      } else reject(new AppendRejected(reason.code, `not appended: ${reason.message}`, messageId, { cause: reason }));
    }
  }
}

/** What Redis refuses of one message, or of the producer's record; the script has taken back what it had written for it. */
function refusedFor(word: string | undefined): RedisError {
  if (word === 'wrongtype') return refusal('WRONGTYPE', 'append');
  if (word === 'noperm') return refusal('NOPERM the user may not run XADD, XLEN, GET and SET on the keys of a message', 'append');
  return refusal('ERR', 'append');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
