import { CommitBatch, commit } from '../log/commit.js';
import type { Link } from '../log/connection.js';
import { dealingWith } from '../log/redis-error.js';
import { BATCH_BYTES, BATCH_MESSAGES } from '../message/limits.js';
import type { Held } from './held.js';

/**
 * One partition's way to write: everything goes through one queue of batches, one of them under way at a time (group commit).
 *
 * G1: writes reach Redis in the order in which they were handed over.
 * G2: a commit that may have been applied is never sent again. An answer that is not `committed` ends this committer: whoever owns the
 *     partition next reads from the log. Only what was refused for a condition, and so not applied, may be sent with a condition of now, and
 *     with more writes behind its own.
 */

/** A command that a commit moves to a place where it rests. */
export interface Moved {
  readonly held: Held;
  /** Adds to the same commit what takes it out of that place again. Undefined: nothing can. */
  readonly takeBack: (() => void) | undefined;
}

/** Effects gathered for one commit. */
export interface Gathering {
  readonly batch: CommitBatch;
  /** messages whose inbox entries this very commit removes */
  readonly removed: List<Held>;
  /** messages that get their outcome, other than being cancelled */
  readonly settled: List<Held>;
  /** commands that it moves to where they rest, and leaves unsettled */
  readonly moved: List<Moved>;
  /** messages that end as cancelled */
  readonly cancelled: List<Pick<Held, 'envelope'>>;
  /** messages that leave memory once it is committed */
  readonly left: List<Held>;
  remove(held: Held): void;
  settle(held: Held): void;
  move(moved: Moved): void;
  cancel(held: Pick<Held, 'envelope'>): void;
  leave(held: Held): void;
  /** resolves to whether it was committed */
  readonly done: Promise<boolean>;
  /** runs once it is committed */
  after(run: () => void): void;
  /** told once it is known whether it was committed */
  over(waiting: Waiting): void;
}

export interface Waiting {
  over(): void;
}

type List<T> = readonly T[];

const NONE: List<never> = Object.freeze([]);

/** One more. Made with its first item a list has room for one; an empty one that grows makes room for seventeen, and most commits are of one message. */
function added<T>(list: List<T>, item: T): List<T> {
  if (list.length === 0) return [item];
  (list as T[]).push(item);
  return list;
}

class Commit implements Gathering {
  readonly batch: CommitBatch;
  removed: List<Held> = NONE;
  settled: List<Held> = NONE;
  moved: List<Moved> = NONE;
  cancelled: List<Pick<Held, 'envelope'>> = NONE;
  left: List<Held> = NONE;
  messages = 0;
  /** made when somebody asks for it */
  #done: Promise<boolean> | undefined;
  #resolve: ((committed: boolean) => void) | undefined;
  #after: List<() => void> = NONE;
  #waiting: List<Waiting> = NONE;
  /** undefined: it is not known yet */
  #committed: boolean | undefined;

  constructor(partitionKey: string) {
    this.batch = new CommitBatch(partitionKey);
  }

  remove(held: Held): void {
    this.removed = added(this.removed, held);
  }

  settle(held: Held): void {
    this.settled = added(this.settled, held);
  }

  move(moved: Moved): void {
    this.moved = added(this.moved, moved);
  }

  cancel(held: Pick<Held, 'envelope'>): void {
    this.cancelled = added(this.cancelled, held);
  }

  leave(held: Held): void {
    this.left = added(this.left, held);
  }

  get done(): Promise<boolean> {
    this.#done ??=
      this.#committed === undefined
        ? new Promise((resolve) => {
            this.#resolve = resolve;
          })
        : Promise.resolve(this.#committed);
    return this.#done;
  }

  get full(): boolean {
    return this.messages >= BATCH_MESSAGES || this.batch.bytes >= BATCH_BYTES;
  }

  after(run: () => void): void {
    this.#after = added(this.#after, run);
  }

  over(waiting: Waiting): void {
    if (this.#committed === undefined) this.#waiting = added(this.#waiting, waiting);
    else waiting.over();
  }

  finish(committed: boolean): void {
    this.#committed = committed;
    if (committed) for (const run of this.#after) run();
    for (const waiting of this.#waiting) waiting.over();
    this.#resolve?.(committed);
  }
}

export interface CommitterOptions {
  readonly link: Link;
  readonly partitionKey: string;
  readonly nonce: string;
  /** adds the removal of what the batch settled; runs when it is about to be sent */
  readonly complete: (commit: Gathering) => void;
  /** it was committed; runs before all that waits for that */
  readonly committed: (commit: Gathering) => void;
  /** a condition did not hold: whether the same commit may be made again */
  readonly again: (commit: Gathering) => Promise<boolean>;
  /** the commit was refused, or nobody knows */
  readonly onLost: (reason: string, error?: Error) => void;
  /** it was committed, and its wake-ups reach nobody: the Redis user may not publish */
  readonly onUnheard: () => void;
  /** nothing is left to commit, for now */
  readonly onRest: () => void;
  /** nothing else is in hand that could share the commit */
  readonly alone: () => boolean;
}

export class Committer {
  #queue: Commit[] = [];
  #underWay: Commit | undefined;
  #scheduled = false;
  #ended = false;
  /** something was committed */
  progressed = false;

  constructor(private readonly options: CommitterOptions) {}

  /** The commit that the next message's effects go into. Everything written to it at once stays together. */
  gather(): Gathering {
    let last = this.#queue.at(-1);
    if (last === undefined || last.full) {
      last = new Commit(this.options.partitionKey);
      if (this.#ended) last.finish(false);
      else this.#queue.push(last);
    }
    last.messages += 1;
    this.#schedule();
    return last;
  }

  /** Resolves once all that was handed over so far is answered; to false if any of it was not committed. */
  async flushed(): Promise<boolean> {
    const last = this.#queue.at(-1) ?? this.#underWay;
    return last === undefined ? !this.#ended : last.done;
  }

  get idle(): boolean {
    return this.#queue.length === 0 && this.#underWay === undefined;
  }

  /** Nothing more is sent; all that waits is told so. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const queue = this.#queue;
    this.#queue = [];
    this.#underWay?.finish(false);
    for (const waiting of queue) waiting.finish(false);
  }

  // In the next turn, so that all handlers that finish in this one share a commit; as soon as this one's effects are gathered when there is
  // no other.
  #schedule(): void {
    if (this.#scheduled || this.#underWay !== undefined || this.#ended) return;
    this.#scheduled = true;
    const send = (): void => {
      this.#scheduled = false;
      void this.#send();
    };
    if (this.options.alone())
      void Promise.resolve().then(send); // less than queueMicrotask makes
    else setImmediate(send);
  }

  async #send(): Promise<void> {
    while (!this.#ended && this.#underWay === undefined) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#underWay = next;
      this.options.complete(next);
      try {
        const { link, nonce, again } = this.options;
        let reply = await commit(link, nonce, next.batch);
        while (reply === 'changed' && !this.#ended && (await again(next))) reply = await commit(link, nonce, next.batch);
        if (this.#ended) return;
        if (reply === 'unheard') this.options.onUnheard();
        else if (reply !== 'committed') return this.options.onLost(reply);
      } catch (error) {
        if (!this.#ended) this.options.onLost(dealingWith(error).applied === 'no' ? 'commit refused' : 'commit unanswered', error as Error);
        return;
      } finally {
        this.#underWay = undefined;
      }
      this.progressed = true;
      this.options.committed(next);
      next.finish(true);
      if (this.idle) this.options.onRest();
    }
  }
}
