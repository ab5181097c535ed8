import type { Link } from '../log/connection.js';
import { type Schedule, without } from '../log/schedule.js';
import type { Clock, Timer } from '../message/clock.js';
import { asError } from '../message/errors.js';
import type { Committer, Gathering } from './committer.js';
import type { Held } from './held.js';

/** A partition's messages that are due later, and the one timer that waits for the earliest. */
export class Timetable {
  #next: number | undefined; // ms since the epoch
  #timer: Timer | undefined;
  /** One reading at a time: two that read the same message would both take it out, one of them back into the inbox. */
  #reading: Promise<void> = Promise.resolve();
  #firing = false;
  #stopped = false;

  constructor(
    private readonly schedule: Schedule,
    private readonly committer: Committer,
    private readonly link: Link,
    private readonly clock: Clock,
    private readonly onFailed: (error: Error) => void,
  ) {}

  /** Learns what was scheduled in its predecessor's time. */
  async load(): Promise<void> {
    this.#next = await this.schedule.next(this.link);
    this.#arm();
  }

  /** From the inbox to the schedule. Named by its entry: message ids from elsewhere may repeat. */
  postpone(held: Held, gathering: Gathering, due: number): void {
    this.schedule.add(gathering.batch, { id: held.entry, due }, held.fields);
    gathering.after(() => {
      if (this.#next !== undefined && this.#next <= due) return;
      this.#next = due;
      this.#arm();
    });
  }

  /** Out of the schedule again, in the same commit. The timer may ring for nothing. */
  takeBack({ entry }: Held, { batch }: Gathering): void {
    this.schedule.remove(batch, entry);
  }

  /**
   * Takes one message out, in the commit that it answers to.
   * @param settle says what becomes of it; `undefined` when it is not there any more. Runs once
   */
  withdraw(id: string, settle: (fields: readonly string[] | undefined, gathering: Gathering) => boolean): Promise<void> {
    return this.#read(async () => {
      if (!(await this.committer.flushed())) return;
      const fields = await this.schedule.get(this.link, id);
      const gathering = this.committer.gather();
      if (settle(fields, gathering)) this.schedule.remove(gathering.batch, id);
      await gathering.done;
    });
  }

  /** Rejects as `read` does; whoever is next reads all the same. */
  #read(read: () => Promise<void>): Promise<void> {
    const done = this.#reading.then(read);
    this.#reading = done.catch(() => undefined);
    return done;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#stopped || this.#firing || this.#next === undefined) return;
    this.#timer = this.clock.after(Math.max(0, this.#next - this.clock.now()), () => void this.#fire());
  }

  async #fire(): Promise<void> {
    this.#firing = true;
    try {
      await this.#read(() => this.#fireDue());
    } catch (error) {
      if (!this.#stopped) this.onFailed(asError(error));
    } finally {
      this.#firing = false;
      this.#arm();
    }
  }

  /** Back into the inbox, one piece after the other. */
  async #fireDue(): Promise<void> {
    if (!(await this.committer.flushed())) return;
    const due = await this.schedule.due(this.link, this.clock.now());
    if (this.#stopped) return;
    if (due.length > 0) {
      const gathering = this.committer.gather();
      for (const { id, fields } of due) this.schedule.fire(gathering.batch, id, without(fields, 'duetime'));
      if (!(await gathering.done)) return;
    }
    this.#next = await this.schedule.next(this.link);
  }
}
