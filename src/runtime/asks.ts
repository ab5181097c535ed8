import type { CommitBatch } from '../log/commit.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import { decodeOutcome, encodeOutcome, type Outcome, readOutcomes } from '../log/outcome.js';
import { dealingWith } from '../log/redis-error.js';
import type { Clock, Timer } from '../message/clock.js';
import { AskTimeoutError, asError, ErrandError } from '../message/errors.js';
import { outside } from '../message/outside.js';

/**
 * Waiting for outcomes. The commit wakes the node named in the envelope; because a wake-up can be lost (and `attach` names no node),
 * the outcome records of all that is waited for are looked at now and then.
 */

const POLL_MS = 500;
/** The first look is soon: the answer may have come before anybody listened. */
const FIRST_POLL_MS = 50;

/** When so many wait, the next look at their deadlines is a millisecond after the last one, so that it takes a tenth of the time at most. */
const LOOKED_AT_PER_MS = 10_000;

/** One who waits for a message's outcome. */
class Waiter {
  readonly outcome: Promise<Outcome>;
  resolve!: (outcome: Outcome) => void;
  reject!: (error: Error) => void;
  /** another one, for the same message */
  next: Waiter | undefined;
  signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;

  constructor(
    readonly shard: number,
    readonly messageId: string,
    readonly correlationId: string,
    readonly timeout: number,
    /** its record must be there; an ask's comes with its append */
    readonly attached: boolean,
    /** monotonic ms */
    readonly deadline: number,
  ) {
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** It waits no longer. */
  deafen(): void {
    if (this.onAbort !== undefined) this.signal?.removeEventListener('abort', this.onAbort);
  }
}

export class Asks {
  /** the first of each message */
  readonly #waiters = new Map<string, Waiter>();
  readonly #looked = new Set<string>();
  #poll: Timer | undefined;
  /** for the first deadline there is; one for each that waits would cost as much as its envelope, and is seldom needed */
  #alarm: Timer | undefined;
  #alarmAt = Number.POSITIVE_INFINITY;
  #subscribed: Promise<void> | undefined;
  /** nobody needs to await `listen` any more */
  listening = false;
  #heard = false;
  #stopped = false;

  constructor(
    readonly node: string,
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly link: Link,
    /** a connection for wake-ups alone, opened with the first ask */
    private readonly wakeups: Link,
  ) {}

  /** Call before the command is appended, so that its wake-up is not missed. Never rejects: without wake-ups there are still the records. */
  async listen(): Promise<void> {
    this.#subscribed ??= this.#subscribe();
    await this.#subscribed;
  }

  async #subscribe(): Promise<void> {
    const channel = this.keys.wake(this.node);
    if (!this.#heard) {
      this.#heard = true;
      this.wakeups.onMessage((_channel, text) => this.#wake(text));
      this.wakeups.onUp(() => void this.wakeups.subscribe(channel).catch(() => undefined)); // the poll covers what is missed
    }
    try {
      await this.wakeups.open();
      await this.wakeups.subscribe(channel);
      this.listening = true;
    } catch {
      if (!this.wakeups.up) this.#subscribed = undefined; // the next one tries again
    }
  }

  /** A channel is open to all who reach this Redis: what is no wake-up is nobody's. */
  #wake(text: string): void {
    const gap = text.indexOf(' ');
    let outcome: Outcome;
    try {
      outcome = decodeOutcome(text.slice(gap + 1));
    } catch {
      return;
    }
    this.settle(text.slice(0, gap), outcome);
  }

  /** Tells another node, in this commit. */
  wake(batch: CommitBatch, node: string, messageId: string, outcome: Outcome): void {
    batch.publish(this.keys.wake(node), `${messageId} ${encodeOutcome(outcome)}`);
  }

  settle(messageId: string, outcome: Outcome): void {
    let waiter = this.#waiters.get(messageId);
    if (waiter === undefined) return;
    this.#waiters.delete(messageId);
    for (; waiter !== undefined; waiter = waiter.next) {
      waiter.deafen();
      waiter.resolve(outcome);
    }
  }

  /** Waits no longer, if it still does. */
  cancel(waiter: Waiter, reason: Error): void {
    if (!this.#leave(waiter)) return;
    waiter.deafen();
    waiter.reject(reason);
  }

  /** Returns false for one that has its outcome. */
  #leave(waiter: Waiter): boolean {
    const { messageId, next } = waiter;
    let before = this.#waiters.get(messageId);
    if (before === waiter) {
      if (next === undefined) this.#waiters.delete(messageId);
      else this.#waiters.set(messageId, next);
      return true;
    }
    while (before !== undefined && before.next !== waiter) before = before.next;
    if (before === undefined) return false;
    before.next = next;
    return true;
  }

  /**
   * Waits for the message's outcome.
   * @param attached for a message told earlier, whose record must be there; otherwise call before the append
   * @returns whose `outcome` rejects with AskTimeoutError `ASK_TIMEOUT` after `timeout` ms, the signal's reason, or ErrandError `NOT_TRACKED`,
   *   `STOPPED`; give it to `cancel` to wait no longer
   */
  wait(
    shard: number,
    messageId: string,
    correlationId: string,
    timeout: number,
    signal: AbortSignal | undefined,
    attached: boolean,
  ): Waiter {
    const deadline = this.clock.monotonic() + timeout;
    const waiter = new Waiter(shard, messageId, correlationId, timeout, attached, deadline);
    if (this.#stopped || signal?.aborted) {
      waiter.reject(this.#stopped ? stopped() : asError(signal?.reason));
      return waiter;
    }
    if (signal !== undefined) this.#heed(waiter, signal);
    waiter.next = this.#waiters.get(messageId);
    this.#waiters.set(messageId, waiter);
    if (deadline < this.#alarmAt) this.#setAlarm(deadline);
    if (attached) this.look(messageId);
    else this.#armPoll(FIRST_POLL_MS);
    return waiter;
  }

  #heed(waiter: Waiter, signal: AbortSignal): void {
    waiter.signal = signal;
    waiter.onAbort = () => this.cancel(waiter, asError(signal.reason));
    signal.addEventListener('abort', waiter.onAbort, { once: true });
  }

  /** It stays when whoever it was set for is gone: the next one's deadline is seldom earlier. */
  #setAlarm(deadline: number): void {
    this.#alarm?.cancel();
    this.#alarmAt = deadline;
    this.#alarm = this.clock.after(deadline - this.clock.monotonic(), () => this.#ring());
  }

  #ring(): void {
    this.#alarm = undefined;
    this.#alarmAt = Number.POSITIVE_INFINITY;
    const now = this.clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    const all = this.#all();
    for (const waiter of all) {
      const { messageId, correlationId, timeout, deadline } = waiter;
      if (deadline <= now) this.cancel(waiter, new AskTimeoutError(messageId, correlationId, timeout));
      else next = Math.min(next, deadline);
    }
    if (next < this.#alarmAt) this.#setAlarm(Math.max(next, now + all.length / LOOKED_AT_PER_MS));
  }

  #all(): Waiter[] {
    const all: Waiter[] = [];
    for (const first of this.#waiters.values()) for (let one: Waiter | undefined = first; one !== undefined; one = one.next) all.push(one);
    return all;
  }

  /** Reads one record soon: those of one turn together. */
  look(messageId: string): void {
    this.#looked.add(messageId);
    if (this.#looked.size > 1) return;
    outside(() =>
      setImmediate(() => {
        const messageIds = [...this.#looked];
        this.#looked.clear();
        void this.#look(messageIds);
      }),
    );
  }

  #armPoll(ms: number): void {
    if (this.#poll !== undefined || this.#stopped) return;
    this.#poll = this.clock.after(ms, () => {
      this.#poll = undefined;
      void this.#look([...this.#waiters.keys()]);
    });
  }

  async #look(messageIds: readonly string[]): Promise<void> {
    const wanted = messageIds.flatMap((messageId) => {
      const waiter = this.#waiters.get(messageId);
      return waiter === undefined ? [] : [{ shard: waiter.shard, messageId }];
    });
    if (wanted.length === 0) return;
    try {
      const records = await readOutcomes(this.link, this.keys, wanted);
      records.forEach((record, i) => {
        const { messageId } = wanted[i] as (typeof wanted)[number];
        if (record.kind === 'terminal') this.settle(messageId, record.outcome);
        if (record.kind !== 'none' && (record.kind !== 'unread' || dealingWith(record.error).wait)) return;
        for (let one = this.#waiters.get(messageId); one !== undefined; one = one.next)
          if (one.attached) this.cancel(one, record.kind === 'none' ? untracked(messageId) : record.error);
      });
    } catch {
      // Away for now; looked at again below.
    }
    if (this.#waiters.size > 0) this.#armPoll(POLL_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#poll?.cancel();
    this.#alarm?.cancel();
    this.wakeups.close();
    for (const waiter of this.#all()) this.cancel(waiter, stopped());
  }
}

function untracked(messageId: string): ErrandError {
  const text = `no outcome is recorded for ${messageId}: it was not asked, tracked or given an idempotencyKey, or is forgotten`;
  return new ErrandError('NOT_TRACKED', text);
}

function stopped(): ErrandError {
  return new ErrandError('STOPPED', 'the system was stopped; the outcome is unknown: attach() from another one asks again');
}
