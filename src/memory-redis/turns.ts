import { outside } from '../message/outside.js';
import { ReplyWriter } from './resp-writer.js';
import type { Session } from './session.js';

/**
 * When connections are worked on, and when their replies leave.
 *
 * 1. Work is done in turns of the event loop (setImmediate), never inside the call that brought it in: whoever sends
 *    commands in an endless row of awaits still lets timers and sockets have theirs.
 * 2. Connections are worked on in the order in which they had something to say.
 * 3. Replies leave at the end of the turn, after `beforeSending` has returned.
 */
export class Turns {
  readonly #writer: ReplyWriter;
  #writing: Session | undefined;
  #queue = new Set<Session>();
  #toFlush = new Set<Session>();
  #planned = false;
  #held = 0;

  constructor(
    private readonly beforeSending: () => void,
    mostOutputBytes: () => number,
  ) {
    this.#writer = new ReplyWriter(mostOutputBytes);
  }

  schedule(session: Session): void {
    this.#queue.add(session);
    this.#plan();
  }

  flushLater(session: Session): void {
    this.#toFlush.add(session);
    this.#plan();
  }

  forget(session: Session): void {
    this.#queue.delete(session);
    this.#toFlush.delete(session);
  }

  /** Nothing is done until as many `release` as `hold` have been called. */
  hold(): void {
    this.#held += 1;
  }

  release(): void {
    this.#held -= 1;
    if (this.#queue.size > 0 || this.#toFlush.size > 0) this.#plan();
  }

  #plan(): void {
    if (this.#planned || this.#held > 0) return;
    this.#planned = true;
    outside(this.#soon);
  }

  /** Not in the context of whoever sent the request: a turn answers others as well. */
  readonly #soon = (): void => {
    setImmediate(this.#turn);
  };

  readonly #turn = (): void => {
    // Cleared first: what replies set off in this very process plans the next turn.
    this.#planned = false;
    if (this.#held > 0) return;
    const queue = this.#queue;
    this.#queue = new Set();
    for (const session of queue) {
      this.#toFlush.add(session);
      session.process();
    }
    this.beforeSending();
    const toFlush = this.#toFlush;
    this.#toFlush = new Set();
    for (const session of toFlush) session.flush();
  };

  /** The writer, ready for this connection: what another one has written so far is put aside for it first. */
  writerFor(session: Session): ReplyWriter {
    if (this.#writing !== session) {
      this.#writing?.collect(this.#writer.take());
      this.#writing = session;
    }
    return this.#writer;
  }

  collectOutput(session: Session): void {
    if (this.#writing !== session) return;
    session.collect(this.#writer.take());
    this.#writing = undefined;
  }

  get unsentBytes(): number {
    return this.#writer.pending;
  }
}
