import { type Aside, AsideLists, PARKED } from '../log/aside.js';
import { writeDeadLetter } from '../log/dead-letter.js';
import { after, compareIds, type Entry, FIRST } from '../log/entry.js';
import type { Source } from '../log/reader.js';
import { trimOld } from '../log/retention.js';
import { Schedule, without } from '../log/schedule.js';
import { deleteState, readStates, type StoredState, writeState } from '../log/state.js';
import type { Timer } from '../message/clock.js';
import { fromFields } from '../message/envelope.js';
import { ErrandError, RedisError } from '../message/errors.js';
import { ERROR_CHARACTERS, STACK_CHARACTERS } from '../message/limits.js';
import { Activation, type Surroundings } from './activation.js';
import { answer, type Ending } from './answers.js';
import type { Attempt } from './attempt.js';
import { Committer, type Gathering } from './committer.js';
import type { Held } from './held.js';
import type { Host } from './host.js';
import { Intake } from './intake.js';

/**
 * One actor type in one shard, owned under one nonce on one connection. Reads its inbox, routes each message to its key's activation,
 * and writes everything through its committer.
 *
 * P1: what is in memory is a copy of what stands in the log; dropping a partition loses nothing.
 * P2: an inbox entry is removed by the very commit that settles it or sets it aside. Everything older than the oldest unsettled one is gone.
 * P3: while a key waits, each of its messages is in its aside list or on its way there, behind the ones before it.
 */
export class Partition implements Surroundings, Source {
  readonly stream: string;
  readonly running = new Set<Attempt>();
  readonly committer: Committer;
  readonly #intakes: readonly Intake[];
  readonly #activations = new Map<string, Activation>();
  readonly #waiting = new Map<string, WaitingKey>();
  readonly #lists: AsideLists;
  readonly #schedule: Schedule;
  #nextScheduled: number | undefined;
  /** messages that are due are on their way back into the inbox */
  #firing = false;
  #alarm: Timer | undefined;
  #position = FIRST;
  /** messages read from the inbox, oldest first; those in front that are removed are cut off */
  #window: Held[] = [];
  #held = 0;
  #drains = 0;
  /** messages that activations are working at */
  #working = 0;
  #onRest: (() => void) | undefined;
  #dropped = false;
  #stopping = false;
  #loads: { key: string; resolve: (state: StoredState | undefined) => void; reject: (error: unknown) => void }[] = [];

  constructor(
    readonly host: Host,
    readonly shard: number,
    readonly nonce: string,
    cursors: ReadonlyMap<string, string>,
    private readonly onLost: (partition: Partition, reason: string, error?: Error) => void,
  ) {
    const { keys, link } = host.deps;
    const id = { type: host.type, shard };
    this.stream = keys.inbox(host.type, shard);
    this.#lists = new AsideLists(keys, id);
    this.#schedule = new Schedule(keys, id);
    this.committer = new Committer({
      link,
      partitionKey: keys.partition(host.type, shard),
      nonce,
      complete: (commit) => this.#removeSettled(commit),
      onLost: (reason, error) => this.onLost(this, reason, error),
      onRest: () => host.deps.pulse.beat(),
    });
    this.#intakes = [...host.behavior.subscriptions.values()].map((subscription) => new Intake(this, subscription, cursors));
  }

  get behavior() {
    return this.host.behavior;
  }
  get settings() {
    return this.host.settings;
  }
  get slots() {
    return this.host.slots;
  }
  get clock() {
    return this.host.deps.clock;
  }
  get composer() {
    return this.host.deps.composer;
  }
  get shards(): number {
    return this.host.deps.keys.shards;
  }
  get closing(): boolean {
    return this.#dropped || this.#stopping;
  }
  get dropped(): boolean {
    return this.#dropped;
  }
  /** everything the reader is to read for this partition */
  get sources(): readonly Source[] {
    return [this, ...this.#intakes];
  }
  /** nothing is read that is not settled */
  get quiet(): boolean {
    return this.#held === 0 && this.committer.idle;
  }

  /** Learns what waits from its predecessor's time. Call before the first read. */
  async load(): Promise<void> {
    const { link } = this.host.deps;
    const [waiting, next] = await Promise.all([this.#lists.load(link), this.#schedule.next(link)]);
    for (const { key, due, length } of waiting) if (length > 0) this.#waiting.set(key, { due, length, drain: undefined, left: 0 });
    this.#nextScheduled = next;
    this.#setAlarm();
  }

  // ---- the inbox -------------------------------------------------------------------------------------------------------------------

  position(): string {
    return this.#position;
  }

  wanted(): number {
    return this.closing ? 0 : this.host.room();
  }

  deliver(entries: readonly Entry[]): void {
    for (const entry of entries) this.#take(entry);
    const last = entries.at(-1);
    if (last !== undefined) this.#position = last.id;
  }

  #take({ id, fields }: Entry): void {
    const envelope = fromFields(fields);
    if ('fault' in envelope) return this.#refuse(id, fields, 'NO_ENVELOPE', envelope.fault);
    const held: Held = { entry: id, envelope, fields, attempts: 0, drain: undefined, routed: false, removed: false };
    this.#hold(held);
    const { deps } = this.host;
    const shard = deps.composer.shardOf(envelope.subject);
    if (shard !== this.shard) {
      const text = `the key '${envelope.subject}' belongs to shard ${shard} of ${this.shards}, the entry stands in shard ${this.shard}`;
      this.deadLetter(held, 'WRONG_SHARD', new ErrandError('WRONG_SHARD', text));
    } else if (envelope.due !== undefined && envelope.due > this.clock.now()) this.#postpone(held, envelope.due);
    else this.#route(held);
  }

  #hold(held: Held): void {
    if (held.drain === undefined) this.#window.push(held);
    this.#held += 1;
    this.host.held(1);
  }

  #route(held: Held): void {
    const activation = this.#activation(held.envelope.subject);
    held.routed = true;
    activation.outstanding += 1;
    activation.inbox?.send(held);
  }

  #activation(key: string): Activation {
    let activation = this.#activations.get(key);
    if (activation === undefined) {
      activation = new Activation(key, this);
      activation.inbox = this.host.spawn(key, activation.receive);
      this.#activations.set(key, activation);
    }
    return activation;
  }

  /** Deactivates what has been idle since before `since` (monotonic ms). */
  passivate(since: number): void {
    for (const [key, activation] of this.#activations) {
      if (activation.outstanding > 0 || activation.lastUsed > since) continue;
      this.#activations.delete(key);
      activation.inbox?.stop();
    }
  }

  /** When each activation that has nothing to do was last used, monotonic ms. */
  idleSince(): number[] {
    return [...this.#activations.values()].filter(({ outstanding }) => outstanding === 0).map(({ lastUsed }) => lastUsed);
  }

  get active(): number {
    return this.#activations.size;
  }

  /** States are asked for together: all that are wanted in one turn go into one MGET. */
  loadState(key: string): Promise<StoredState | undefined> {
    return new Promise((resolve, reject) => {
      this.#loads.push({ key, resolve, reject });
      if (this.#loads.length === 1) setImmediate(() => void this.#loadStates());
    });
  }

  async #loadStates(): Promise<void> {
    const loads = this.#loads;
    this.#loads = [];
    const { keys, link } = this.host.deps;
    try {
      const names = loads.map(({ key }) => keys.state(this.host.type, this.shard, key));
      const states = await readStates(link, names);
      loads.forEach(({ resolve }, i) => resolve(states[i]));
    } catch (error) {
      for (const { reject } of loads) reject(error);
      this.onLost(this, 'states unread', error as Error);
    }
  }

  // ---- settling --------------------------------------------------------------------------------------------------------------------

  /** The message is dealt with in `gathering`; once that is committed it leaves memory. */
  #settle(held: Held, gathering: Gathering): Gathering {
    this.#leave(held, gathering);
    gathering.after(() => this.#forget(held));
    return gathering;
  }

  /** Takes the message from where it stands, in this very commit. */
  #leave(held: Held, { batch, removed }: Gathering): void {
    if (held.drain === undefined) {
      removed.push(held);
      return;
    }
    const key = held.envelope.subject;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#lists.pop(batch, key);
    waiting.length -= 1;
    if (waiting.length === 0) {
      this.#lists.resume(batch, key);
      this.#waiting.delete(key);
    }
  }

  #forget(held: Held): void {
    if (this.#dropped) return;
    this.#held -= 1;
    this.host.held(-1);
    const key = held.envelope.subject;
    const activation = held.routed ? this.#activations.get(key) : undefined;
    if (activation !== undefined) {
      activation.outstanding -= 1;
      activation.lastUsed = this.clock.monotonic();
    }
    if (held.drain === undefined) return;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined || waiting.drain !== held.drain) return;
    waiting.left -= 1;
    if (waiting.left === 0) void this.#loadWindow(key, waiting, held.drain);
  }

  /** Invariant P2. Runs when a commit is about to be sent: what a later one removes must stay until then. */
  #removeSettled({ batch, removed }: Gathering): void {
    if (removed.length === 0) return;
    for (const held of removed) held.removed = true;
    let gone = 0;
    while (gone < this.#window.length && this.#window[gone]?.removed) gone += 1;
    const last = this.#window[gone - 1];
    if (last !== undefined) {
      this.#window.splice(0, gone);
      batch.write('XTRIM', this.stream, 'MINID', '=', after(last.entry));
    }
    const beyond = last === undefined ? removed : removed.filter(({ entry }) => compareIds(entry, last.entry) > 0);
    batch.writeMany(
      'XDEL',
      this.stream,
      beyond.map(({ entry }) => entry),
    );
  }

  completed(held: Held, attempt: Attempt, resultJson: string, state: StoredState | undefined): Gathering {
    const gathering = this.committer.gather();
    const { batch } = gathering;
    const { keys } = this.host.deps;
    const stateKey = keys.state(this.host.type, this.shard, held.envelope.subject);
    if (state !== undefined) writeState(batch, stateKey, state, this.settings.state.keepFor);
    else if (attempt.forgotten) deleteState(batch, stateKey);
    for (const { stream, fields } of attempt.staged) batch.append(stream, fields);
    this.#answer(held, gathering, { status: 'completed', json: resultJson });
    return this.#settle(held, gathering);
  }

  failed(held: Held, code: string, message: string): Gathering {
    const gathering = this.committer.gather();
    this.#answer(held, gathering, { status: 'failed', code, message });
    this.host.signal('message-failed', held, { code, message });
    return this.#settle(held, gathering);
  }

  deadLetter(held: Held, code: string, error: Error): Gathering {
    const gathering = this.committer.gather();
    this.#writeLetter(gathering, held.entry, held.fields, held.attempts, code, error, held.envelope.id);
    this.#answer(held, gathering, { status: 'failed', code: 'DEAD_LETTERED', message: `${code}: ${error.message}` });
    return this.#settle(held, gathering);
  }

  /** Only commands have results. */
  #answer(held: Held, gathering: Gathering, ending: Ending): void {
    const { envelope } = held;
    if (envelope.kind !== 'command') return;
    const { keys, asks } = this.host.deps;
    const outcome = answer(gathering.batch, keys, this.host.type, this.shard, envelope, ending, this.clock.now());
    if (outcome === undefined) return;
    gathering.after(() => asks.settle(envelope.id, outcome)); // whoever attached here need not wait for a look
    if (envelope.replyNode !== undefined && envelope.replyNode !== asks.node)
      asks.wake(gathering.batch, envelope.replyNode, envelope.id, outcome);
  }

  /** An entry that is no message at all: nobody can be answered. */
  #refuse(entry: string, fields: readonly string[], code: string, fault: string): void {
    const gathering = this.committer.gather();
    const held: Held = { entry, fields, envelope: NOBODY, attempts: 0, drain: undefined, routed: false, removed: false };
    this.#hold(held);
    this.#writeLetter(gathering, entry, fields, 0, code, new ErrandError(code, fault), undefined);
    this.#settle(held, gathering);
  }

  #writeLetter(
    gathering: Gathering,
    entry: string,
    fields: readonly string[],
    attempts: number,
    reason: string,
    error: Error,
    messageId: string | undefined,
  ): void {
    const { deps, type } = this.host;
    const message = error.message.slice(0, ERROR_CHARACTERS);
    const thrown = attempts > 0;
    writeDeadLetter(
      gathering.batch,
      deps.keys,
      { type, shard: this.shard },
      {
        reason,
        message,
        errorClass: thrown ? error.constructor.name : undefined,
        stack: thrown ? error.stack?.slice(0, STACK_CHARACTERS) : undefined,
        attempts,
        node: deps.node,
        at: this.clock.now(),
        entry,
        fields,
      },
    );
    gathering.after(() => deps.signals.emit({ kind: 'dead-letter', actor: type, shard: this.shard, entry, messageId, reason, message }));
  }

  /** A fact that cannot be taken in. */
  refuseFact(gathering: Gathering, { id, fields }: Entry, code: string, error: Error): void {
    this.#writeLetter(gathering, id, fields, 0, code, error, undefined);
  }

  attemptFailed(held: Held, error: Error): void {
    const code = error instanceof ErrandError ? error.code : 'HANDLER_FAILED';
    this.host.signal('attempt-failed', held, { attempt: held.attempts, code, message: error.message });
    const { type, id, subject } = held.envelope;
    const text = `attempt ${held.attempts} at ${type} for ${this.host.type}/${subject} failed`;
    this.host.deps.logger.warn({ actor: this.host.type, key: subject, messageId: id, attempt: held.attempts, err: error }, text);
  }

  flushed(): Promise<boolean> {
    return this.committer.flushed();
  }

  // ---- keys that wait --------------------------------------------------------------------------------------------------------------

  /** Invariant P3. */
  divert(held: Held): boolean {
    const key = held.envelope.subject;
    const waiting = this.#waiting.get(key);
    if (held.drain !== undefined) {
      if (waiting?.drain === held.drain) return false;
      this.#forget(held); // its key waits again; it still stands in the list
      return true;
    }
    if (waiting === undefined) return false;
    const gathering = this.committer.gather();
    this.#lists.push(gathering.batch, key, asideOf(held));
    waiting.length += 1;
    this.#settle(held, gathering);
    return true;
  }

  wait(held: Held, until: number | 'parked', error: Error): Gathering {
    const key = held.envelope.subject;
    const due = until === 'parked' ? PARKED : until;
    const gathering = this.committer.gather();
    const { batch } = gathering;
    const known = this.#waiting.get(key);
    this.#lists.wait(batch, key, due);
    if (known === undefined) {
      this.#lists.push(batch, key, asideOf(held));
      this.#waiting.set(key, { due, length: 1, drain: undefined, left: 0 });
      this.#settle(held, gathering);
    } else {
      this.#lists.replaceHead(batch, key, asideOf(held));
      known.due = due;
      known.drain = undefined;
      gathering.after(() => this.#forget(held));
    }
    if (until === 'parked') {
      const code = error instanceof ErrandError ? error.code : 'HANDLER_FAILED';
      this.#writeLetter(gathering, held.entry, held.fields, held.attempts, `PARKED_${code}`, error, held.envelope.id);
      this.host.signal('parked', held, { attempt: held.attempts });
    } else {
      this.host.signal('retry-delayed', held, { attempt: held.attempts, until: new Date(until) });
      gathering.after(() => this.#setAlarm());
    }
    return gathering;
  }

  #drain(key: string, waiting: WaitingKey): void {
    this.#drains += 1;
    waiting.drain = this.#drains;
    void this.#loadWindow(key, waiting, this.#drains);
  }

  /** The next piece of a waiting key's list; it is loaded only after all that was handed to the committer has reached the list. */
  async #loadWindow(key: string, waiting: WaitingKey, drain: number): Promise<void> {
    try {
      if (!(await this.committer.flushed()) || this.closing || waiting.length === 0) return;
      const window = await this.#lists.window(this.host.deps.link, key);
      if (this.closing || waiting.drain !== drain) return;
      waiting.left = window.length;
      for (const { entry, fields, attempts } of window) {
        const envelope = fromFields(fields);
        if ('fault' in envelope) continue; // it was an envelope when it was set aside
        const held: Held = { entry, envelope, fields, attempts, drain, routed: false, removed: false };
        this.#hold(held);
        this.#route(held);
      }
      if (window.length === 0) await this.#loadWindow(key, waiting, drain);
    } catch (error) {
      this.onLost(this, 'waiting messages unread', error as Error);
    }
  }

  // ---- what is due later -----------------------------------------------------------------------------------------------------------

  #postpone(held: Held, due: number): void {
    const gathering = this.committer.gather();
    this.#schedule.add(gathering.batch, { id: held.envelope.id, due }, held.fields);
    this.#settle(held, gathering);
    gathering.after(() => {
      this.#nextScheduled = Math.min(this.#nextScheduled ?? due, due);
      this.#setAlarm();
    });
  }

  #setAlarm(): void {
    if (this.closing) return;
    let next = this.#firing ? PARKED : (this.#nextScheduled ?? PARKED);
    for (const { due, drain } of this.#waiting.values()) if (drain === undefined) next = Math.min(next, due);
    this.#alarm?.cancel();
    this.#alarm = next === PARKED ? undefined : this.clock.after(Math.max(0, next - this.clock.now()), () => void this.#wake());
  }

  async #wake(): Promise<void> {
    const now = this.clock.now();
    for (const [key, waiting] of this.#waiting) if (waiting.drain === undefined && waiting.due <= now) this.#drain(key, waiting);
    if (!this.#firing && this.#nextScheduled !== undefined && this.#nextScheduled <= now) {
      // One at a time: two that read the same messages as due would both put them back.
      this.#firing = true;
      await this.#fireScheduled(now);
      this.#firing = false;
    }
    this.#setAlarm();
  }

  async #fireScheduled(now: number): Promise<void> {
    const { link } = this.host.deps;
    try {
      if (!(await this.committer.flushed())) return;
      const due = await this.#schedule.due(link, now);
      if (this.closing) return;
      if (due.length > 0) {
        const gathering = this.committer.gather();
        for (const { id, fields } of due) this.#schedule.fire(gathering.batch, id, without(fields, 'duetime'));
        if (!(await gathering.done)) return;
      }
      this.#nextScheduled = await this.#schedule.next(link);
    } catch (error) {
      this.onLost(this, 'schedule unread', error as Error);
    }
  }

  /** Trims what has been kept for long enough. */
  trimOld(): void {
    if (!this.closing) trimOld(this.committer.gather().batch, this.host.deps.keys, this.host.type, this.shard, this.clock.now());
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------------------

  /** Begins nothing new. */
  stopWork(): void {
    this.#stopping = true;
    this.#alarm?.cancel();
  }

  begin(): void {
    this.#working += 1;
  }

  end(): void {
    this.#working -= 1;
    if (this.#working === 0) this.#onRest?.();
  }

  /** Resolves once what is in hand is finished and committed, or given up. */
  async finished(): Promise<void> {
    while (!this.#dropped && (this.#working > 0 || !this.committer.idle)) {
      if (this.#working > 0) {
        await new Promise<void>((resolve) => {
          this.#onRest = resolve;
        });
      } else await this.committer.flushed();
    }
  }

  /** Invariant P1: throws away all memory, and tells running handlers so. */
  drop(reason: Error): void {
    if (this.#dropped) return;
    this.#dropped = true;
    this.#alarm?.cancel();
    this.committer.end();
    for (const attempt of this.running) attempt.abandon(reason);
    this.#onRest?.();
    for (const activation of this.#activations.values()) activation.inbox?.stop();
    for (const { reject } of this.#loads) reject(new RedisError('REDIS_CONNECTION_LOST', 'the partition was given up'));
    this.#loads = [];
    this.#activations.clear();
    this.#waiting.clear();
    this.#window = [];
    this.host.held(-this.#held);
    this.#held = 0;
  }
}

interface WaitingKey {
  due: number; // ms since the epoch; PARKED: until told otherwise
  /** messages in its list, those on their way there included */
  length: number;
  /** which draining is under way */
  drain: number | undefined;
  /** messages of the loaded piece that are not yet dealt with */
  left: number;
}

const NOBODY = {
  id: '',
  type: '',
  kind: 'command',
  source: '',
  subject: '',
  time: Number.NaN,
  correlationId: '',
  causationId: undefined,
  idempotencyKey: '',
  data: '',
  replyTo: undefined,
  replyNode: undefined,
  track: undefined,
  expires: undefined,
  due: undefined,
  status: undefined,
  traceparent: undefined,
} as const;

function asideOf({ entry, fields, attempts }: Held): Aside {
  return { entry, fields, attempts };
}
