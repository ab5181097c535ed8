import { type Aside, type AsideLists, PARKED, putAway, REQUESTS, takenOut } from '../log/aside.js';
import type { Link } from '../log/connection.js';
import type { Clock, Timer } from '../message/clock.js';
import { type Envelope, fromFields } from '../message/envelope.js';
import { asError, ErrandError, invariant, RedisError } from '../message/errors.js';
import { ASIDE_WINDOW, WAITING_KEYS_AT_ONCE } from '../message/limits.js';
import type { Committer, Gathering } from './committer.js';
import { DueHeap } from './due-heap.js';
import { type Held, heldOf, listOf, NOBODY } from './held.js';

/**
 * A partition's keys that wait, each with its messages in an aside list.
 *
 * W1: while a key waits, each of its messages is in its list or on its way there, behind the ones before it. None is queued in memory but
 *     those that were loaded from the list.
 * W2: `length` counts what the commits handed over so far will leave in the list, so that it is right for whatever is handed over next.
 * W3: a list is read only after all that was handed to the committer has reached it.
 * W4: `version` changes with whatever is handed over that changes the list, and when a piece of it comes into memory. So a list that was read
 *     after all had reached it is still what it was if the version is the same.
 */

interface WaitingKey {
  readonly key: string;
  due: number; // ms since the epoch; PARKED: until told otherwise
  length: number; // W2
  /** which draining is under way */
  drain: number | undefined;
  /** messages of the loaded piece that are not yet dealt with */
  left: number;
  /** W4; undefined while a piece of the list is on its way into memory */
  version: number | undefined;
}

export interface WaitingKeysOptions {
  readonly lists: AsideLists;
  readonly committer: Committer;
  readonly link: Link;
  readonly clock: Clock;
  /** how many more messages may be held in memory */
  readonly room: () => number;
  /** takes a message that was loaded from a list */
  readonly deliver: (held: Held) => void;
  /**
   * A key's first message is dealt with, or waits for another reason than before.
   * @param waits whether the key still waits
   * @param entry of the message that is dealt with, where it need not be the first
   */
  readonly moved: (key: string, gathering: Gathering, waits: boolean, entry?: string) => void;
  /** a key's list is none */
  readonly spoiled: (error: RedisError) => void;
  readonly onFailed: (error: Error) => void;
}

export class WaitingKeys {
  readonly #keys = new Map<string, WaitingKey>();
  /** by the time they may go on; also what waits no longer, or until another time */
  readonly #dues = new DueHeap<WaitingKey>();
  #draining = 0;
  #drains = 0;
  #versions = 0;
  #timer: Timer | undefined;
  #timerDue = PARKED;
  #stopped = false;

  constructor(private readonly options: WaitingKeysOptions) {}

  /** Learns what waits from its predecessor's time. Nothing goes on before `begin`. */
  async load(): Promise<void> {
    for (const { key, due, length } of await this.options.lists.load(this.options.link)) {
      if (length instanceof RedisError) this.options.spoiled(length);
      else if (length > 0) this.#waits(this.#made(key, due, length));
      else this.options.lists.resume(this.options.committer.gather().batch, key); // its list was deleted by hand
    }
  }

  begin(): void {
    this.#wake();
  }

  /** Until when the key waits, ms since the epoch; undefined: it does not. */
  dueOf(key: string): number | undefined {
    return this.#keys.get(key)?.due;
  }

  /** The key waits until another time than its predecessor thought. */
  defer(key: string, due: number): void {
    const waiting = this.#keys.get(key);
    if (waiting === undefined || waiting.due === due) return;
    waiting.due = due;
    this.#waits(waiting);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Moves an inbox message behind the others of its waiting key (W1). */
  follow(held: Held, { batch }: Gathering): void {
    const waiting = this.#keys.get(listOf(held));
    invariant(waiting !== undefined, 'only a waiting key is followed');
    this.options.lists.push(batch, waiting.key, asideOf(held));
    this.#changes(waiting, 1);
  }

  /** The key waits until `due`, this message at its head. */
  wait(held: Held, gathering: Gathering, due: number): void {
    const key = listOf(held);
    const { lists, moved } = this.options;
    const waiting = this.#keys.get(key);
    lists.wait(gathering.batch, key, due);
    moved(key, gathering, true);
    if (waiting === undefined) {
      lists.push(gathering.batch, key, asideOf(held));
      this.#waits(this.#made(key, due, 1));
    } else {
      lists.replaceHead(gathering.batch, key, asideOf(held));
      this.#changes(waiting, 0);
      waiting.due = due;
      this.#drained(waiting);
      this.#waits(waiting);
    }
    gathering.after(() => this.#arm(due));
  }

  /**
   * The key holds more than its share of memory: from now on its messages go on from its list.
   * @param begun the one that is being worked at: it becomes the list's head, as if it had been loaded from there
   */
  crowd(key: string, begun: Held | undefined, { batch }: Gathering): void {
    const { lists, clock } = this.options;
    const waiting = this.#made(key, clock.now(), 0);
    lists.wait(batch, key, waiting.due);
    this.#waits(waiting);
    if (begun === undefined) return this.#arm(waiting.due); // W3: what is handed over next is waited for
    lists.push(batch, key, asideOf(begun));
    waiting.length = waiting.left = 1;
    begun.drain = waiting.drain = this.#begin();
  }

  #made(key: string, due: number, length: number): WaitingKey {
    return { key, due, length, drain: undefined, left: 0, version: this.#next() };
  }

  #next(): number {
    this.#versions += 1;
    return this.#versions;
  }

  /** The list will be longer or shorter, or another (W2, W4). */
  #changes(waiting: WaitingKey, by: number): void {
    waiting.length += by;
    if (waiting.version !== undefined) waiting.version = this.#next();
  }

  #waits(waiting: WaitingKey): void {
    this.#keys.set(waiting.key, waiting);
    if (waiting.due !== PARKED) this.#dues.add(waiting.due, waiting);
  }

  /** The head of its key's list is dealt with, in this commit. */
  pop(held: Held, gathering: Gathering): void {
    const waiting = this.#keys.get(listOf(held));
    if (waiting === undefined) return;
    this.options.lists.pop(gathering.batch, waiting.key);
    this.#shorter(waiting, gathering);
  }

  /** A message that was loaded, or is on its way into the list, is dealt with before it has begun. */
  remove(held: Held, gathering: Gathering): void {
    const waiting = this.#keys.get(listOf(held));
    if (waiting === undefined) return;
    this.options.lists.remove(gathering.batch, waiting.key, asideOf(held));
    this.#shorter(waiting, gathering, held.entry);
  }

  /** A list that is empty is none: its key waits no longer. @param entry of the message that has left it; the first when left out */
  #shorter(waiting: WaitingKey, gathering: Gathering, entry?: string): void {
    this.#changes(waiting, -1);
    this.options.moved(waiting.key, gathering, waiting.length > 0, entry);
    if (waiting.length > 0) return;
    this.options.lists.resume(gathering.batch, waiting.key);
    this.#keys.delete(waiting.key);
    this.#drained(waiting);
  }

  /** Whether the key waits for somebody to decide. */
  parked(key: string): boolean {
    return this.#keys.get(key)?.due === PARKED;
  }

  /** The first message of a parked key is tried again, as if it was new. */
  unpark(gathering: Gathering, key: string, head: Aside): void {
    this.options.lists.replaceHead(gathering.batch, key, { ...head, attempts: 0 });
    this.goOn(gathering, key);
  }

  /** The first message of a key that rests is taken out; those behind it go on. */
  dismiss(gathering: Gathering, key: string): void {
    const waiting = this.#waiting(key);
    this.options.lists.pop(gathering.batch, key);
    this.#shorter(waiting, gathering);
    if (waiting.length > 0) this.goOn(gathering, key);
  }

  /** One message that is not in memory is taken out of its key's list. `aside` as it was read, at the version that the list still has (W4). */
  takeOut(gathering: Gathering, key: string, aside: Aside, first: boolean): void {
    const waiting = this.#waiting(key);
    if (first && waiting.drain === undefined) return this.dismiss(gathering, key);
    this.options.lists.remove(gathering.batch, key, aside);
    this.#shorter(waiting, gathering, aside.entry);
  }

  /** W4. Undefined: the key does not wait, or what is in memory of its list changes right now. */
  version(key: string): number | undefined {
    return this.#keys.get(key)?.version;
  }

  /** How many messages stand in the key's list. */
  lengthOf(key: string): number {
    return this.#keys.get(key)?.length ?? 0;
  }

  #waiting(key: string): WaitingKey {
    const waiting = this.#keys.get(key);
    invariant(waiting !== undefined, `'${key}' waits`);
    return waiting;
  }

  /** The key waits no longer. @returns its new time, ms since the epoch */
  goOn(gathering: Gathering, key: string): number {
    const waiting = this.#waiting(key);
    const due = this.options.clock.now();
    this.options.lists.wait(gathering.batch, key, due);
    this.#changes(waiting, 0);
    waiting.due = due;
    this.#waits(waiting);
    gathering.after(() => this.#arm(due));
    return due;
  }

  /** Whether the message came from a list that was loaded anew since, or is not any more. */
  isStale(held: Held): boolean {
    return held.drain !== undefined && this.#keys.get(listOf(held))?.drain !== held.drain;
  }

  /** A message that came from a list has left memory. */
  forgotten(held: Held): void {
    const waiting = this.#keys.get(listOf(held));
    if (waiting === undefined || waiting.drain !== held.drain) return;
    waiting.left -= 1;
    if (waiting.left === 0) void this.#loadPiece(waiting, waiting.drain);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(due: number): void {
    if (this.#stopped || due >= this.#timerDue) return;
    this.#timer?.cancel();
    this.#timerDue = due;
    this.#timer = this.options.clock.after(Math.max(0, due - this.options.clock.now()), () => this.#wake());
  }

  /** Lets keys whose time has come go on, as many as may at once; then waits for the next. */
  #wake(): void {
    this.#timerDue = PARKED;
    if (this.#stopped) return;
    const now = this.options.clock.now();
    for (let first = this.#dues.first; first !== undefined && first.due <= now; first = this.#dues.first) {
      const { due, item: waiting } = first;
      const waits = this.#keys.get(waiting.key) === waiting && waiting.drain === undefined && waiting.due === due;
      if (waits && this.#crowded) return; // looked at again when one of them is done
      this.#dues.take();
      if (waits) this.#drain(waiting);
    }
    this.#arm(this.#dues.first?.due ?? PARKED);
  }

  get #crowded(): boolean {
    return this.#draining >= WAITING_KEYS_AT_ONCE || (this.#draining > 0 && this.options.room() <= 0);
  }

  #drain(waiting: WaitingKey): void {
    waiting.drain = this.#begin();
    void this.#loadPiece(waiting, waiting.drain);
  }

  #begin(): number {
    this.#drains += 1;
    this.#draining += 1;
    return this.#drains;
  }

  #drained(waiting: WaitingKey): void {
    if (waiting.drain === undefined) return;
    waiting.drain = undefined;
    waiting.version ??= this.#next();
    this.#draining -= 1;
    // Others may wait for nothing but their turn.
    if (this.#dues.first !== undefined) this.#arm(Math.max(this.#dues.first.due, this.options.clock.now()));
  }

  /** W3 */
  async #loadPiece(waiting: WaitingKey, drain: number | undefined): Promise<void> {
    const { committer, lists, link, room, deliver, onFailed } = this.options;
    waiting.version = undefined;
    try {
      // All that the length counts has reached the list once that was flushed; what was handed over meanwhile may not have, the first time.
      for (let tries = 1; ; tries += 1) {
        if (!(await committer.flushed()) || this.#stopped || waiting.drain !== drain) return;
        const piece = await lists.window(link, waiting.key, Math.min(Math.max(1, room()), ASIDE_WINDOW));
        if (this.#stopped || waiting.drain !== drain) return;
        waiting.left = piece.length;
        waiting.version = this.#next();
        for (const { entry, fields: stored, attempts, history } of piece) {
          const fields = waiting.key === REQUESTS ? takenOut(stored) : stored;
          const envelope = fromFields(fields);
          const from = { id: entry, fields };
          const more = { attempts, history, drain };
          // One that cannot be read takes its turn like the others: a list is popped in its order.
          if ('fault' in envelope) {
            const nobody: Envelope = { ...NOBODY, kind: 'event', subject: waiting.key };
            deliver({ ...heldOf(from, nobody), ...more, fault: envelope.fault });
          } else deliver({ ...heldOf(from, envelope), ...more });
        }
        if (piece.length > 0) return;
        if (tries > 2) throw new ErrandError('PARTITION_LOST', `the messages set aside for '${waiting.key}' are gone`);
      }
    } catch (error) {
      if (!this.#stopped) onFailed(asError(error));
    }
  }
}

function asideOf({ entry, envelope, fields, attempts, history }: Held): Aside {
  return { entry, fields: envelope.kind === 'request' ? putAway(fields) : fields, attempts, history };
}
