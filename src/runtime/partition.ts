import { AsideLists, PARKED } from '../log/aside.js';
import { type Entry, FIRST } from '../log/entry.js';
import type { Source } from '../log/reader.js';
import { trimOld } from '../log/retention.js';
import { Schedule } from '../log/schedule.js';
import { deleteState, type StoredState, writeState } from '../log/state.js';
import { type Suspect, SuspectRecords } from '../log/suspects.js';
import { fromFields } from '../message/envelope.js';
import { codeOf, ErrandError, RedisError } from '../message/errors.js';
import { ATTEMPT_CHARACTERS, ATTEMPTS_TOLD } from '../message/limits.js';
import type { Surroundings } from './activation.js';
import { Activations } from './activations.js';
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
  readonly activations: Activations;
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
    this.activations = new Activations(this, (key, receive) => host.spawn(key, receive));
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
        this.activations.route(held);
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
  get breaker() {
    return this.host.breaker;
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
    const held: Held = { entry: id, envelope, fields, attempts: 0, history: [], drain: undefined, routed: false, removed: false };
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
    } else this.activations.route(held);
  }

  #hold(held: Held): void {
    if (held.drain === undefined) this.#window.add(held);
    this.#held += 1;
    this.host.held(1);
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
    gathering.after(() => this.#forget(held));
    return gathering;
  }

  #forget(held: Held): void {
    if (this.#dropped) return;
    this.#held -= 1;
    this.host.held(-1);
    this.activations.forget(held);
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
    const held: Held = { entry, fields, envelope: NOBODY, attempts: 0, history: [], drain: undefined, routed: false, removed: false };
    this.#hold(held);
    this.#condemn(gathering, held, code, new ErrandError(code, fault));
    answerUnreadable(gathering.batch, this.host.deps.keys, this.host.type, this.shard, fields, `${code}: ${fault}`, this.clock.now());
    this.#settle(held, gathering);
  }

  #condemn(gathering: Gathering, held: Held, reason: string, error: Error): void {
    const { envelope } = held;
    const messageId = envelope === NOBODY ? undefined : envelope.id;
    condemn(this.host.deps, this.host.type, this.shard, gathering, { ...held, messageId }, reason, error);
  }

  /** A fact that cannot be taken in. */
  refuseFact(gathering: Gathering, { id, fields }: Entry, reason: string, error: Error): void {
    const condemned = { entry: id, fields, attempts: 0, history: [], messageId: undefined };
    condemn(this.host.deps, this.host.type, this.shard, gathering, condemned, reason, error);
  }

  attemptFailed(held: Held, error: Error): void {
    const code = codeOf(error, 'HANDLER_FAILED');
    const failed = { attempt: held.attempts, at: this.clock.now(), node: this.host.deps.node, code };
    held.history = [...held.history, { ...failed, message: error.message.slice(0, ATTEMPT_CHARACTERS) }].slice(-ATTEMPTS_TOLD);
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

  divert(held: Held): boolean {
    const place = this.#waiting.placeOf(held);
    if (place === 'stale') this.#forget(held); // its key waits again; it still stands in the list
    if (place !== 'follow') return place === 'stale';
    const gathering = this.committer.gather();
    this.#waiting.follow(held, gathering);
    this.#settle(held, gathering);
    return true;
  }

  wait(held: Held, until: number | 'parked', error: Error): Gathering {
    const gathering = this.#setAside(held, until === 'parked' ? PARKED : until);
    if (until === 'parked') {
      const code = codeOf(error, 'HANDLER_FAILED');
      this.#condemn(gathering, held, `PARKED_${code}`, error);
      this.host.signal('parked', held, { attempt: held.attempts });
    } else this.host.signal('retry-delayed', held, { attempt: held.attempts, until: new Date(until) });
    return gathering;
  }

  leave(held: Held): Gathering {
    return this.#setAside(held, this.clock.now());
  }

  /** To the head of its key's list, its attempts with it. */
  #setAside(held: Held, due: number): Gathering {
    const gathering = this.committer.gather();
    this.#waiting.wait(held, gathering, due);
    if (held.drain === undefined) gathering.removed.push(held);
    this.#suspects.waits(gathering, held.entry);
    gathering.after(() => this.#forget(held));
    return gathering;
  }

  escalate(held: Held, error: Error, gathering: Gathering): void {
    gathering.after(() => this.host.escalate(held, error));
  }

  restartReason(key: string): Error | undefined {
    return this.host.restartReason(key);
  }

  fault(where: string, error: Error): void {
    this.host.deps.signals.emit({ kind: 'fault', where, code: codeOf(error, 'HANDLER_FAILED'), message: error.message });
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

  /** Tells running handlers to stop, and waits for them no longer. What has finished is still committed. */
  abandon(reason: Error): void {
    for (const attempt of this.running) attempt.abandon(reason);
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
    this.abandon(reason);
    this.#onRest?.();
    this.activations.clear();
    this.#states.fail(new RedisError('REDIS_CONNECTION_LOST', 'the partition was given up'));
    this.#window.clear();
    this.host.held(-this.#held);
    this.#held = 0;
  }
}
