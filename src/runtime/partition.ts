import { AsideLists, PARKED } from '../log/aside.js';
import { type Entry, FIRST } from '../log/entry.js';
import type { Source } from '../log/reader.js';
import { trimOld } from '../log/retention.js';
import { Schedule } from '../log/schedule.js';
import { deleteState, type StoredState, writeState } from '../log/state.js';
import { type Suspect, SuspectRecords } from '../log/suspects.js';
import { fromFields } from '../message/envelope.js';
import { codeOf, ErrandError, RedisError } from '../message/errors.js';
import { Activation, type Surroundings } from './activation.js';
import { answer, answerUnreadable, type Ending } from './answers.js';
import type { Attempt } from './attempt.js';
import { Committer, type Gathering } from './committer.js';
import { type Held, NOBODY } from './held.js';
import type { Host } from './host.js';
import { InboxWindow } from './inbox-window.js';
import { Intake } from './intake.js';
import { condemn } from './letters.js';
import { StateLoader } from './state-loader.js';
import { Suspects } from './suspects.js';
import { Timetable } from './timetable.js';
import { WaitingKeys } from './waiting-keys.js';

/**
 * One actor type in one shard, owned under one nonce on one connection. Reads its inbox, routes each message to its key's activation,
 * and writes everything through its committer.
 *
 * P1: what is in memory is a copy of what stands in the log; dropping a partition loses nothing.
 * P2: an inbox entry is removed by the very commit that settles it or sets it aside. Everything older than the oldest unsettled one is gone.
 */
export class Partition implements Surroundings, Source {
  readonly stream: string;
  readonly running = new Set<Attempt>();
  readonly committer: Committer;
  readonly #intakes: readonly Intake[];
  readonly #activations = new Map<string, Activation>();
  readonly #window: InboxWindow;
  readonly #states: StateLoader;
  readonly #lists: AsideLists;
  readonly #waiting: WaitingKeys;
  readonly #suspects: Suspects;
  readonly #timetable: Timetable;
  #position = FIRST;
  #held = 0;
  /** messages that activations are working at */
  #working = 0;
  #onRest: (() => void) | undefined;
  #dropped = false;
  #stopping = false;

  constructor(
    readonly host: Host,
    readonly shard: number,
    private readonly acquired: {
      readonly nonce: string;
      /** its last owner is another one, and did not release it */
      readonly unclean: boolean;
      /** its hash as it stood before: cursors */
      readonly fields: ReadonlyMap<string, string>;
    },
    private readonly onLost: (partition: Partition, reason: string, error?: Error) => void,
  ) {
    const { keys, link, clock } = host.deps;
    const id = { type: host.type, shard };
    this.stream = keys.inbox(host.type, shard);
    this.#window = new InboxWindow(this.stream);
    const committer = new Committer({
      link,
      partitionKey: keys.partition(host.type, shard),
      nonce: acquired.nonce,
      complete: (commit) => this.#window.remove(commit),
      onLost: (reason, error) => this.onLost(this, reason, error),
      onRest: () => host.deps.pulse.beat(),
    });
    this.committer = committer;
    const unread = (what: string) => (error: Error) => this.onLost(this, `${what} unread`, error);
    this.#states = new StateLoader(link, unread('states'));
    this.#timetable = new Timetable(new Schedule(keys, id), committer, link, clock, unread('schedule'));
    this.#suspects = new Suspects(new SuspectRecords(keys, id), committer);
    this.#lists = new AsideLists(keys, id);
    this.#waiting = new WaitingKeys({
      lists: this.#lists,
      committer,
      link,
      clock,
      room: () => host.free,
      deliver: (held) => {
        this.#hold(held);
        this.#route(held);
      },
      onFailed: unread('waiting messages'),
    });
    this.#intakes = [...host.behavior.subscriptions.values()].map((subscription) => new Intake(this, subscription, acquired.fields));
  }

  get nonce(): string {
    return this.acquired.nonce;
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
  get gate() {
    return this.host.deps.gate;
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
    const { link, clock } = this.host.deps;
    const takeOver = this.acquired.unclean ? { lists: this.#lists, prefetch: this.settings.prefetch, now: clock.now() } : undefined;
    await this.#suspects.load(link, takeOver);
    await Promise.all([this.#waiting.load(), this.#timetable.load()]);
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
    const held: Held = { entry: id, envelope, fields, attempts: 0, drain: undefined, stage: 'read', removed: false };
    this.#hold(held);
    const { deps } = this.host;
    const shard = deps.composer.shardOf(envelope.subject);
    if (shard !== this.shard) {
      const text = `the key '${envelope.subject}' belongs to shard ${shard} of ${this.shards}, the entry stands in shard ${this.shard}`;
      this.deadLetter(held, 'WRONG_SHARD', new ErrandError('WRONG_SHARD', text));
    } else if (envelope.due !== undefined && envelope.due > this.clock.now()) {
      const gathering = this.committer.gather();
      this.#timetable.postpone(held, gathering, envelope.due);
      this.#settle(held, gathering);
    } else this.#route(held);
  }

  #hold(held: Held): void {
    if (held.drain === undefined) this.#window.add(held);
    this.#held += 1;
    this.host.held(1);
  }

  #route(held: Held): void {
    const key = held.envelope.subject;
    if (held.drain === undefined && this.#waiting.has(key)) return this.#follow(held);
    const activation = this.#activation(key);
    held.stage = 'routed';
    activation.outstanding += 1;
    activation.queued.push(held);
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

  loadState(key: string): Promise<StoredState | undefined> {
    return this.#states.load(this.host.deps.keys.state(this.host.type, this.shard, key));
  }

  // ---- settling --------------------------------------------------------------------------------------------------------------------

  /** The message is dealt with in `gathering`; once that is committed it leaves memory. */
  #settle(held: Held, gathering: Gathering): Gathering {
    if (held.drain === undefined) gathering.removed.push(held);
    else this.#waiting.pop(held, gathering.batch);
    this.#suspects.settled(gathering, held.entry);
    this.#leave(held, gathering);
    return gathering;
  }

  /** What becomes of the message is handed over; once that is committed it leaves memory. */
  #leave(held: Held, gathering: Gathering): void {
    const counted = held.stage !== 'read';
    held.stage = 'over';
    gathering.after(() => this.#forget(held, counted));
  }

  /** @param counted by its key's activation */
  #forget(held: Held, counted: boolean): void {
    if (this.#dropped) return;
    this.#held -= 1;
    this.host.held(-1);
    const key = held.envelope.subject;
    const activation = counted ? this.#activations.get(key) : undefined;
    if (activation !== undefined) {
      activation.outstanding -= 1;
      activation.lastUsed = this.clock.monotonic();
    }
    if (held.drain !== undefined) this.#waiting.forgotten(held);
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
    this.#condemn(gathering, held, code, error);
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

  /** An entry that is no message. */
  #refuse(entry: string, fields: readonly string[], code: string, fault: string): void {
    const gathering = this.committer.gather();
    const held: Held = { entry, fields, envelope: NOBODY, attempts: 0, drain: undefined, stage: 'read', removed: false };
    this.#hold(held);
    this.#condemn(gathering, held, code, new ErrandError(code, fault));
    answerUnreadable(gathering.batch, this.host.deps.keys, this.host.type, this.shard, fields, `${code}: ${fault}`, this.clock.now());
    this.#settle(held, gathering);
  }

  #condemn(gathering: Gathering, held: Held, reason: string, error: Error): void {
    const { entry, fields, attempts, envelope } = held;
    const messageId = envelope === NOBODY ? undefined : envelope.id;
    condemn(this.host.deps, this.host.type, this.shard, gathering, { entry, fields, attempts, messageId }, reason, error);
  }

  /** A fact that cannot be taken in. */
  refuseFact(gathering: Gathering, { id, fields }: Entry, reason: string, error: Error): void {
    const condemned = { entry: id, fields, attempts: 0, messageId: undefined };
    condemn(this.host.deps, this.host.type, this.shard, gathering, condemned, reason, error);
  }

  attemptFailed(held: Held, error: Error): void {
    const code = codeOf(error, 'HANDLER_FAILED');
    this.host.signal('attempt-failed', held, { attempt: held.attempts, code, message: error.message });
    const { type, id, subject } = held.envelope;
    const text = `attempt ${held.attempts} at ${type} for ${this.host.type}/${subject} failed`;
    this.host.deps.logger.warn({ actor: this.host.type, key: subject, messageId: id, attempt: held.attempts, err: error }, text);
  }

  suspect(held: Held): Suspect | undefined {
    return this.#suspects.get(held.entry);
  }

  async beginAlone(held: Held, { kills }: Suspect): Promise<boolean> {
    if (!(await this.#suspects.begin(held.entry))) return false;
    this.host.signal('running-alone', held, { kills });
    return true;
  }

  flushed(): Promise<boolean> {
    return this.committer.flushed();
  }

  // ---- waiting ---------------------------------------------------------------------------------------------------------------------

  /** From the inbox to the end of its waiting key's list. */
  #follow(held: Held): void {
    const gathering = this.committer.gather();
    this.#waiting.follow(held, gathering);
    this.#settle(held, gathering);
  }

  /** All that is queued in memory behind a key that waits from now on. What came from its list still stands there. */
  #clearQueue({ queued }: Activation): void {
    for (const held of queued.splice(0)) {
      if (held.drain === undefined) this.#follow(held);
      else {
        held.stage = 'over';
        this.#forget(held, true);
      }
    }
  }

  /** Keys of which several messages are held in memory, and how many are queued. */
  crowds(): { key: string; queued: number }[] {
    const crowds: { key: string; queued: number }[] = [];
    if (this.closing) return crowds;
    for (const { key, queued, outstanding } of this.#activations.values()) {
      if (queued.length > 0 && outstanding > 1 && !this.#waiting.has(key)) crowds.push({ key, queued: queued.length });
    }
    return crowds;
  }

  /** A key with more than its share of memory goes on from its aside list. */
  crowd(key: string): void {
    const activation = this.#activations.get(key);
    if (activation === undefined || this.closing || this.#waiting.has(key)) return;
    const { current } = activation;
    const begun = current?.stage === 'begun' ? current : undefined;
    const gathering = this.committer.gather();
    this.#waiting.crowd(key, begun, gathering);
    if (begun !== undefined) gathering.removed.push(begun);
    this.#clearQueue(activation);
  }

  wait(held: Held, until: number | 'parked', error: Error): Gathering {
    const gathering = this.committer.gather();
    this.#waiting.wait(held, gathering, until === 'parked' ? PARKED : until);
    if (held.drain === undefined) gathering.removed.push(held);
    this.#suspects.waits(gathering, held.entry);
    this.#leave(held, gathering);
    const activation = this.#activations.get(held.envelope.subject);
    if (activation !== undefined) this.#clearQueue(activation);
    if (until === 'parked') {
      const code = codeOf(error, 'HANDLER_FAILED');
      this.#condemn(gathering, held, `PARKED_${code}`, error);
      this.host.signal('parked', held, { attempt: held.attempts });
    } else this.host.signal('retry-delayed', held, { attempt: held.attempts, until: new Date(until) });
    return gathering;
  }

  /** Trims what has been kept for long enough. */
  trimOld(): void {
    if (!this.closing) trimOld(this.committer.gather().batch, this.host.deps.keys, this.host.type, this.shard, this.clock.now());
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------------------

  /** Begins nothing new. */
  stopWork(): void {
    this.#stopping = true;
    this.#waiting.stop();
    this.#timetable.stop();
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
    this.#waiting.stop();
    this.#timetable.stop();
    this.committer.end();
    for (const attempt of this.running) attempt.abandon(reason);
    this.#onRest?.();
    for (const activation of this.#activations.values()) activation.inbox?.stop();
    this.#states.fail(new RedisError('REDIS_CONNECTION_LOST', 'the partition was given up'));
    this.#activations.clear();
    this.#window.clear();
    this.host.held(-this.#held);
    this.#held = 0;
  }
}
