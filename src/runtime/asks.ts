import type { CommitBatch } from '../log/commit.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import { decodeOutcome, encodeOutcome, type Outcome, readOutcomes } from '../log/outcome.js';
import type { Clock, Timer } from '../message/clock.js';
import { AskTimeoutError, asError, ErrandError } from '../message/errors.js';

/**
 * Waiting for outcomes. The commit wakes the node named in the envelope; because a wake-up can be lost (and `attach` names no node),
 * the outcome records of all that is waited for are looked at now and then.
 */

const POLL_MS = 500;
/** The first look is soon: the answer may have come before anybody listened. */
const FIRST_POLL_MS = 50;

interface Waiter {
  readonly shard: number;
  /** its record must be there; an ask's comes with its append */
  readonly attached: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

export class Asks {
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #looked = new Set<string>();
  #poll: Timer | undefined;
  #subscribed: Promise<void> | undefined;
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
    const waiters = this.#waiters.get(messageId);
    if (waiters === undefined) return;
    this.#waiters.delete(messageId);
    for (const { resolve } of waiters) resolve(outcome);
  }

  /**
   * Waits for the message's outcome.
   * @param wait `attached`: for a message told earlier, whose record must be there; otherwise call before the append
   * @returns `outcome`, which rejects with AskTimeoutError `ASK_TIMEOUT` after `timeout` ms, the signal's reason, or ErrandError `NOT_TRACKED`,
   *   `STOPPED`; and `cancel`, to wait no longer
   */
  wait(
    shard: number,
    messageId: string,
    correlationId: string,
    wait: { timeout: number; signal?: AbortSignal | undefined; attached: boolean },
  ): { outcome: Promise<Outcome>; cancel: (reason: Error) => void } {
    const { timeout, signal, attached } = wait;
    let cancel: (reason: Error) => void = () => undefined;
    const outcome = new Promise<Outcome>((resolve, reject) => {
      if (this.#stopped) return reject(stopped());
      if (signal?.aborted) return reject(asError(signal.reason));
      const waiters = this.#waiters.get(messageId) ?? new Set();
      const leave = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(messageId) === waiters) this.#waiters.delete(messageId);
      };
      const waiter: Waiter = {
        shard,
        attached,
        resolve: (found) => {
          leave();
          resolve(found);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(asError(signal?.reason));
      const timer = this.clock.after(timeout, () => waiter.reject(new AskTimeoutError(messageId, correlationId, timeout)));
      signal?.addEventListener('abort', onAbort, { once: true });
      waiters.add(waiter);
      this.#waiters.set(messageId, waiters);
      cancel = waiter.reject;
      if (attached) this.look(messageId);
      else this.#armPoll(FIRST_POLL_MS);
    });
    return { outcome, cancel };
  }

  /** Reads one record soon: those of one turn together. */
  look(messageId: string): void {
    this.#looked.add(messageId);
    if (this.#looked.size > 1) return;
    setImmediate(() => {
      const messageIds = [...this.#looked];
      this.#looked.clear();
      void this.#look(messageIds);
    });
  }

  #armPoll(ms: number): void {
    if (this.#poll !== undefined || this.#stopped) return;
    this.#poll = this.clock.after(ms, () => {
      this.#poll = undefined;
      void this.#look([...this.#waiters.keys()]);
    });
  }

  async #look(messageIds: readonly string[]): Promise<void> {
    const wanted = messageIds.flatMap((messageId) =>
      [...(this.#waiters.get(messageId) ?? [])].slice(0, 1).map(({ shard }) => ({ shard, messageId })),
    );
    if (wanted.length === 0) return;
    try {
      const records = await readOutcomes(this.link, this.keys, wanted);
      records.forEach((record, i) => {
        const { messageId } = wanted[i] as (typeof wanted)[number];
        if (record.kind === 'terminal') this.settle(messageId, record.outcome);
        if (record.kind !== 'none') return;
        for (const { attached, reject } of this.#waiters.get(messageId) ?? []) {
          if (!attached) continue;
          reject(
            new ErrandError(
              'NOT_TRACKED',
              `no outcome is recorded for ${messageId}: it was not asked, tracked or given an idempotencyKey, or is forgotten`,
            ),
          );
        }
      });
    } catch {
      // Away for now; looked at again below.
    }
    if (this.#waiters.size > 0) this.#armPoll(POLL_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#poll?.cancel();
    this.wakeups.close();
    for (const waiters of [...this.#waiters.values()]) for (const { reject } of [...waiters]) reject(stopped());
  }
}

function stopped(): ErrandError {
  return new ErrandError('STOPPED', 'the system was stopped; the outcome is unknown: attach() from another one asks again');
}
