import { AsideLists } from '../log/aside.js';
import { type Entry, FIRST } from '../log/entry.js';
import type { Source } from '../log/reader.js';
import { trimOld } from '../log/retention.js';
import { Schedule } from '../log/schedule.js';
import type { StoredState } from '../log/state.js';
import { type Suspect, SuspectRecords } from '../log/suspects.js';
import { fromFields } from '../message/envelope.js';
import { ErrandError } from '../message/errors.js';
import type { Surroundings } from './activation.js';
import { Activations } from './activations.js';
import { Asides, leaves } from './asides.js';
import type { Attempt } from './attempt.js';
import { Cancellations } from './cancellations.js';
import { Committer, type Gathering } from './committer.js';
import { applyEffects } from './effects.js';
import { type Held, heldOf, NOBODY } from './held.js';
import type { Host } from './host.js';
import { InHand } from './in-hand.js';
import { InboxWindow } from './inbox-window.js';
import { Intake } from './intake.js';
import { tooLarge } from './letters.js';
import { Requests } from './requests.js';
import { SpoiledLists } from './spoiled.js';
import { Suspects } from './suspects.js';
import { Timetable } from './timetable.js';
import { Unhandled } from './unhandled.js';
import { Verdicts } from './verdicts.js';
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
  readonly verdicts: Verdicts;
  readonly inHand: InHand;
  readonly cancellations: Cancellations;
  readonly asides: Asides;
  /** when it was acquired, monotonic ms */
  readonly since: number;
  readonly #window: InboxWindow;
  readonly #lists: AsideLists;
  readonly #waiting: WaitingKeys;
  readonly #suspects: Suspects;
  readonly #unhandled: Unhandled;
  readonly spoiled: SpoiledLists;
  readonly #requests: Requests;
  readonly #timetable: Timetable;
  #position = FIRST;
  #held = 0;
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
    this.since = clock.monotonic();
    this.stream = keys.inbox(host.type, shard);
    this.#window = new InboxWindow(this.stream);
    this.cancellations = new Cancellations(keys, id, link, acquired.fields, () => this.#endMarked());
    const committer = new Committer({
      link,
      partitionKey: keys.partition(host.type, shard),
      nonce: acquired.nonce,
      complete: (commit) => this.#window.remove(commit),
      committed: ({ left }) => {
        const now = clock.monotonic();
        for (const held of left) this.forget(held, now);
      },
      again: (commit) => this.cancellations.again(commit),
      onLost: (reason, error) => {
        this.spoiled.learn(error);
        this.onLost(this, reason, error);
      },
      onUnheard: () => host.unheard(),
      onRest: () => host.deps.pulse.beat(),
      // A key's next message waits for the commit anyhow, unless it is pipelined.
      alone: () => this.#held === 1 || (this.activations.busy === 1 && !host.behavior.pipelined),
    });
    this.committer = committer;
    const unread = (what: string) => (error: Error) => this.onLost(this, `${what} unread`, error);
    this.verdicts = new Verdicts(host, shard);
    this.inHand = new InHand(committer);
    this.activations = new Activations(this, () => host.makeRoom());
    this.#timetable = new Timetable(new Schedule(keys, id), committer, link, clock, unread('schedule'));
    this.#suspects = new Suspects(new SuspectRecords(keys, id), committer);
    this.#lists = new AsideLists(keys, id);
    this.spoiled = new SpoiledLists({
      lists: this.#lists,
      link,
      known: host.spoiled,
      mended: (name) => this.onLost(this, `'${name}' is right again`),
      condemn: (held, error) => this.deadLetter(held, error.code, error),
      told: ({ code, message }) => host.deps.signals.emit({ kind: 'fault', where: `${host.type}/${shard}`, code, message }),
      onFailed: unread('type of a list'),
    });
    this.#waiting = new WaitingKeys({
      lists: this.#lists,
      committer,
      link,
      clock,
      room: () => host.free,
      deliver: (held) => {
        this.#hold(held);
        if (held.envelope.kind === 'request') this.#requests.take(held);
        else if (this.cancellations.has(held)) this.cancel(held);
        else this.activations.route(held);
      },
      moved: (key, gathering, waits, entry) => this.#unhandled.moved(key, gathering, waits, entry),
      spoiled: (error) => this.spoiled.learn(error),
      onFailed: unread('waiting messages'),
    });
    this.asides = new Asides({
      host,
      committer,
      waiting: this.#waiting,
      suspects: this.#suspects,
      activations: this.activations,
      verdicts: this.verdicts,
      cancellations: this.cancellations,
      endCancelled: (gathering, cancelled) => this.endCancelled(gathering, cancelled),
      forget: (held) => this.forget(held),
    });
    this.#unhandled = new Unhandled({ host, shard, committer, waiting: this.#waiting, asides: this.asides });
    this.#requests = new Requests(this, this.#lists, this.#waiting, this.#timetable, unread('a request'));
    this.#intakes = [...host.behavior.subscriptions.values()].map((subscription) => new Intake(this, subscription, acquired.fields));
  }

  /** What its messages wait for that this node cannot handle. */
  get needs() {
    return this.#unhandled.needs;
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
    await Promise.all([this.#waiting.load(), this.#timetable.load(), this.cancellations.load()]);
    await this.#unhandled.load(link);
    this.#waiting.begin();
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

  #take(entry: Entry): void {
    if (entry.oversize !== undefined) return this.#refuse(entry, tooLarge(entry.oversize));
    const envelope = fromFields(entry.fields);
    if ('fault' in envelope) return this.#refuse(entry, new ErrandError('NO_ENVELOPE', envelope.fault));
    const held = heldOf(entry, envelope);
    this.#hold(held);
    const { deps } = this.host;
    if (envelope.kind === 'request') return this.#requests.take(held);
    const shard = deps.composer.shardOf(envelope.subject);
    if (shard !== this.shard) {
      const text = `the key '${envelope.subject}' belongs to shard ${shard} of ${this.shards}, the entry stands in shard ${this.shard}`;
      this.deadLetter(held, 'WRONG_SHARD', new ErrandError('WRONG_SHARD', text));
    } else if (this.cancellations.has(held)) this.cancel(held);
    else if (envelope.due !== undefined && envelope.due > this.clock.now()) this.#postpone(held, envelope.due);
    else if (this.spoiled.has(held)) this.spoiled.take(held);
    else if (this.#waiting.has(envelope.subject)) this.asides.follow(held);
    else this.activations.route(held);
  }

  /** From the inbox to the schedule, until `due` (ms since the epoch). */
  #postpone(held: Held, due: number): void {
    const gathering = this.committer.gather();
    this.#timetable.postpone(held, gathering, due);
    this.cancellations.moves(gathering, held, (same) => {
      this.#timetable.takeBack(held, same);
      this.endCancelled(same, held);
    });
    this.#takeOut(held, gathering);
  }

  /** Marked messages that have not begun end at once, whatever they wait for. */
  #endMarked(): void {
    if (this.#dropped) return;
    for (const held of this.activations.takeOut((queued) => this.cancellations.has(queued))) this.cancel(held);
  }

  #hold(held: Held): void {
    if (held.drain === undefined) this.#window.add(held);
    this.#held += 1;
    this.host.held(1);
  }

  stateKey(key: string): string {
    return this.host.deps.keys.state(this.host.type, this.shard, key);
  }

  stateUnread(error: Error): void {
    this.onLost(this, 'states unread', error);
  }

  // ---- settling --------------------------------------------------------------------------------------------------------------------

  /** The message gets its outcome in `gathering`; once that is committed it leaves memory. */
  settle(held: Held, gathering: Gathering): Gathering {
    gathering.settle(held);
    this.cancellations.expect(gathering.batch);
    return this.#takeOut(held, gathering);
  }

  /** Removes the message from the inbox, or from its key's list. */
  #takeOut(held: Held, gathering: Gathering): Gathering {
    if (held.drain === undefined) gathering.remove(held);
    else if (held.stage === 'begun' || held.envelope.kind === 'request') this.#waiting.pop(held, gathering);
    else this.#waiting.remove(held, gathering); // it need not be the first
    this.#suspects.settled(gathering, held.entry);
    leaves(held, gathering);
    return gathering;
  }

  /** It leaves memory, wherever it stands now. @param now monotonic ms */
  forget(held: Held, now: number = this.clock.monotonic()): void {
    if (this.#dropped) return;
    this.#held -= 1;
    this.host.held(-1);
    if (held.counted) this.activations.forget(held, now);
    if (held.drain !== undefined) this.#waiting.forgotten(held);
  }

  completed(held: Held, attempt: Attempt, resultJson: string, stateKey: string, state: StoredState | undefined): Gathering {
    const gathering = this.committer.gather();
    applyEffects(this.host.deps, gathering, attempt, stateKey, state, this.settings.state.keepFor);
    this.verdicts.answer(held, gathering, { status: 'completed', json: resultJson });
    return this.settle(held, gathering);
  }

  failed(held: Held, code: string, message: string): Gathering {
    const gathering = this.committer.gather();
    this.verdicts.answer(held, gathering, { status: 'failed', code, message });
    this.host.signal('message-failed', held, { code, message });
    return this.settle(held, gathering);
  }

  cancel(held: Held): Gathering {
    const gathering = this.committer.gather();
    this.endCancelled(gathering, held);
    return this.#takeOut(held, gathering);
  }

  endCancelled(gathering: Gathering, cancelled: Pick<Held, 'envelope'>): void {
    this.cancellations.clear(gathering, cancelled);
    this.verdicts.cancelled(cancelled, gathering);
  }

  deadLetter(held: Held, code: string, error: Error): Gathering {
    const gathering = this.committer.gather();
    this.verdicts.condemn(gathering, held, code, error);
    this.verdicts.answer(held, gathering, { status: 'failed', code: 'DEAD_LETTERED', message: `${code}: ${error.message}` });
    return this.settle(held, gathering);
  }

  /** An entry that is no message. */
  #refuse(entry: Entry, error: ErrandError): void {
    const gathering = this.committer.gather();
    const held = heldOf(entry, NOBODY);
    this.#hold(held);
    this.verdicts.unreadable(gathering, held, error, entry.oversize);
    this.settle(held, gathering);
  }

  cleared(entry: string, gathering: Gathering): void {
    this.#suspects.settled(gathering, entry);
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

  /** Keys of which several messages are held in memory, and how many are queued. */
  crowds(): { key: string; queued: number }[] {
    return this.closing ? [] : this.asides.crowds();
  }

  crowd(key: string): void {
    if (!this.closing) this.asides.crowd(key);
  }

  wait(held: Held, until: number | 'parked', error: Error): Gathering {
    return this.asides.wait(held, until, error);
  }

  leave(held: Held): Gathering {
    return this.asides.wait(held, this.clock.now());
  }

  unhandled(held: Held, error: Error, refused: boolean): Gathering | undefined {
    return this.#unhandled.wait(held, error, refused);
  }

  givenUp(held: Held, error: Error): Error {
    return this.#unhandled.givenUp(held, error);
  }

  escalate(held: Held, error: Error, gathering: Gathering): void {
    gathering.after(() => this.host.escalate(held, error));
  }

  restartReason(key: string): Error | undefined {
    return this.host.restartReason(key);
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

  /** Tells running handlers to stop, and waits for them no longer. What has finished is still committed. */
  abandon(reason: Error): void {
    for (const attempt of this.running) attempt.abandon(reason);
  }

  /** Invariant P1: throws away all memory, and tells running handlers so. */
  drop(reason: Error): void {
    if (this.#dropped) return;
    this.#dropped = true;
    this.#waiting.stop();
    this.#timetable.stop();
    this.committer.end();
    this.abandon(reason);
    this.inHand.giveUp();
    this.activations.clear();
    this.#window.clear();
    this.host.held(-this.#held);
    this.#held = 0;
  }
}
