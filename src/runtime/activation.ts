import { StoredState } from '../log/state.js';
import type { Suspect } from '../log/suspects.js';
import type { Clock } from '../message/clock.js';
import type { MessageDefinition } from '../message/definition.js';
import type { Envelope } from '../message/envelope.js';
import { asError, codeOf, ErrandError, failureCodeOf, type RedisError, SchemaError, TerminalError } from '../message/errors.js';
import { checkSize, toJson } from '../message/json.js';
import type { Admission } from './admission.js';
import { Attempt } from './attempt.js';
import type { Behavior, Hook, Instance } from './behavior.js';
import { type Breakers, isProgrammingError } from './breaker.js';
import type { Gathering, Waiting } from './committer.js';
import { Abandoned, isThenable, withDeadline } from './deadline.js';
import { decode, definitionFor, unknownMessage } from './decode.js';
import type { Gate } from './gate.js';
import type { Held } from './held.js';
import type { Inbox, Receiver } from './inbox.js';
import { type Failure, farewell, type OnFault, ownChoice } from './lifecycle.js';
import type { Composer } from './outgoing.js';
import { Queue } from './queue.js';
import { choose, decide, usedUp } from './recoverability.js';
import type { Slots } from './slots.js';
import type { Wanting } from './state-loader.js';
import type { ChildSettings } from './supervision-settings.js';
import type { Verdicts } from './verdicts.js';

/**
 * One actor type and key in memory, one message at a time.
 *
 * A1: a key's next message waits for its predecessor's commit, so that no handler acts outward on a state that may never come to be
 *     (Akka's `persist`). A pipelined actor runs on uncommitted state (`persistAsync`): its handlers only stage effects.
 * A2: memory is never ahead of the log for good: when a commit fails, the partition and with it every activation is dropped.
 * A3: each attempt after a failure gets a new instance and a fresh copy of the state as it was before the message. After `resume` the
 *     instance stays, with a fresh copy, unless its handler is still running.
 */

/** What an activation asks of its partition. */
export interface Surroundings {
  readonly behavior: Behavior;
  readonly settings: ChildSettings;
  readonly host: {
    readonly slots: Slots;
    readonly breakers: Breakers;
    readonly deps: { readonly gate: Gate };
    readonly states: { load(wanting: Wanting): void };
    inbox(receiver: Receiver<Held>): Inbox<Held>;
  };
  readonly clock: Clock;
  readonly composer: Composer;
  readonly shards: number;
  /** the partition is no longer ours, or is stopping: begin nothing new */
  readonly closing: boolean;
  /** attempts whose handlers are awaited */
  readonly running: Set<Attempt>;
  readonly verdicts: Verdicts;
  /** work at a message begins; ends, its commit included */
  readonly inHand: { begin(): void; end(): void };
  readonly cancellations: { has(held: Held): boolean };
  /** where the key's state is stored */
  stateKey(key: string): string;
  /** A key's state cannot be loaded: the partition is dropped, and none of its messages is judged by this. */
  stateUnread(error: Error): void;
  completed(held: Held, attempt: Attempt, resultJson: string, stateKey: string, state: StoredState | undefined): Gathering;
  failed(held: Held, code: string, message: string): Gathering;
  cancel(held: Held): Gathering;
  deadLetter(held: Held, code: string, error: Error): Gathering;
  wait(held: Held, due: number | 'parked', error: Error): Gathering;
  /**
   * It waits in its place for a node that can handle it; undefined: it may not, or not any longer, and `givenUp` says why.
   * @param refused this node knows its type, and a schema refuses its data or its state
   */
  unhandled(held: Held, error: Error, refused: boolean): Gathering | undefined;
  givenUp(held: Held, error: Error): Error;
  /** Leaves it in the log, at the head of its key, its attempt counted. */
  leave(held: Held): Gathering;
  /** Once `gathering` is committed, the supervisor applies its strategy. */
  escalate(held: Held, error: Error, gathering: Gathering): void;
  /** Why this key's activation is made anew, when its supervisor restarted the actor type. */
  restartReason(key: string): Error | undefined;
  flushed(): Promise<boolean>;
  /** set when this message must run alone: it may have killed its process */
  suspect(held: Held): Suspect | undefined;
  /** Writes down that it begins. False: the partition is no longer ours. */
  beginAlone(held: Held, suspect: Suspect): Promise<boolean>;
}

function hasExpired({ expires }: Envelope, clock: Clock): boolean {
  return expires !== undefined && expires <= clock.now();
}

function expiry({ expires }: Envelope): string {
  return `not handled before ${new Date(expires ?? Number.NaN).toISOString()}`;
}

/** What handling a message came to: the commit that its effects went into, or nothing; at once, or later. */
export type Handled = Gathering | undefined | Promise<Gathering | undefined>;

export class Activation implements Receiver<Held>, Waiting, Wanting {
  /** only while a message was sent to it that the activation is not through with: idle ones are many, and keep none */
  #inbox: Inbox<Held> | undefined;
  /** the message that was sent to the inbox last */
  #sent: Held | undefined;
  /** messages routed to it and not yet dealt with */
  outstanding = 0;
  /** those of them that are not begun, in order */
  readonly queued = new Queue();
  /** the one that was begun last, until nothing is outstanding */
  current: Held | undefined;
  lastUsed = 0; // monotonic ms
  #instance: Instance | undefined;
  /** why the next instance takes the place of another */
  #failure: Error | undefined;
  /** it leaves memory once nothing is outstanding */
  stopped = false;
  /** as of the last message that finished; committed, or pipelined and on its way */
  #stored: StoredState | undefined;
  #loading: boolean;
  /** why there is no state: the partition is being dropped */
  #notLoaded: Error | undefined;
  /** its state's key holds something else: somebody has changed it by hand */
  #spoiled: RedisError | undefined;
  /** its schema refuses the state: a newer node may have written it */
  #unread: Error | undefined;
  /** the message that came before the state */
  #early: Held | undefined;
  readonly stateKey: string;

  constructor(
    readonly key: string,
    private readonly around: Surroundings,
    private readonly admission: Admission,
  ) {
    this.stateKey = around.stateKey(key);
    // At once, so that what comes for many keys loads their states together.
    this.#loading = around.behavior.stateful;
    if (this.#loading) around.host.states.load(this);
  }

  /** Behind those that wait already. */
  enqueue(held: Held): void {
    this.queued.push(held);
    if (this.#inbox === undefined) this.through();
  }

  /** The inbox's receiver. A message waits for its key's state before it takes a slot, so that those of many keys are on their way at a time. */
  receive(held: Held): void {
    if (this.#loading) this.#early = held;
    else this.admission.receive(this, held);
  }

  /** With the message that was sent to the inbox: the next one follows, unless the partition closes, which leaves them all where they are. */
  through(): void {
    const first = this.around.closing ? undefined : this.queued.first;
    this.#sent = first;
    if (first === undefined) return this.#leaveInbox();
    this.#inbox ??= this.around.host.inbox(this);
    this.#inbox.send(first);
  }

  /** A message has left the queue before it began: the next one follows, unless it has done so already. */
  skip(held: Held): void {
    if (this.#sent === held) this.through();
  }

  /** Likewise, with one that was begun. */
  over(): void {
    this.around.inHand.end();
    this.through();
  }

  #leaveInbox(): void {
    this.#inbox?.stop();
    this.#inbox = undefined;
  }

  /** It is about to be worked at. */
  begin(held: Held): void {
    this.queued.shift();
    this.current = held;
    held.stage = 'begun';
  }

  /** Everything up to the commit that its effects go into. */
  handle(held: Held): Handled {
    const { around } = this;
    if (held.fault !== undefined) return around.deadLetter(held, 'NO_ENVELOPE', new ErrandError('NO_ENVELOPE', held.fault));
    const definition = definitionFor(around.behavior, held.envelope);
    if (definition === undefined) return this.#unknown(held);
    if (this.#notLoaded !== undefined) throw this.#notLoaded;
    if (this.#spoiled !== undefined) {
      this.stopped = true; // the next one looks again
      return around.deadLetter(held, this.#spoiled.code, this.#spoiled);
    }
    return this.#try(held, definition);
  }

  /** A node of another build may have a handler for it. */
  #unknown(held: Held): Gathering {
    const { around } = this;
    const { envelope } = held;
    if (hasExpired(envelope, around.clock)) return around.failed(held, 'EXPIRED', expiry(envelope));
    const error = unknownMessage(around.behavior, envelope);
    return around.unhandled(held, error, false) ?? around.deadLetter(held, error.code, around.givenUp(held, error));
  }

  loaded(stored: StoredState | undefined): void {
    this.#stored = stored;
    this.#arrived();
  }

  get wanted(): boolean {
    return !this.around.closing;
  }

  notLoaded(error: Error): void {
    this.#notLoaded = error;
    this.around.stateUnread(error);
    this.#arrived();
  }

  spoiled(error: RedisError): void {
    this.#spoiled = error;
    this.#arrived();
  }

  #arrived(): void {
    this.#loading = false;
    const held = this.#early;
    this.#early = undefined;
    if (held !== undefined) this.receive(held);
  }

  #try(held: Held, definition: MessageDefinition): Handled {
    const { around } = this;
    const { envelope } = held;
    if (around.cancellations.has(held)) return around.cancel(held);
    if (hasExpired(envelope, around.clock)) return around.failed(held, 'EXPIRED', expiry(envelope));
    let data: unknown;
    try {
      data = decode(held, definition, around.shards);
    } catch (thrown) {
      const error = asError(thrown);
      const code = codeOf(error, 'INVALID_DATA');
      // Another build's schema may take it; what is no JSON none does.
      const waits = code === 'INVALID_DATA' || code === 'INVALID_RESULT' ? around.unhandled(held, error, true) : undefined;
      return waits ?? around.deadLetter(held, code, around.givenUp(held, error));
    }
    held.attempts += 1;
    const ended = this.#attempt(held, data);
    return ended instanceof Promise ? this.#whenEnded(held, definition, ended) : this.#after(held, definition, ended);
  }

  async #whenEnded(held: Held, definition: MessageDefinition, ending: Promise<Gathering | Failure>): Promise<Gathering | undefined> {
    return this.#after(held, definition, await ending);
  }

  #after(held: Held, definition: MessageDefinition, ended: Gathering | Failure): Handled {
    const { around } = this;
    if (!('error' in ended)) return ended;
    if (around.closing && ended.error instanceof Abandoned) return undefined;
    if (around.cancellations.has(held)) {
      this.#instance = undefined; // its state is what the handler left
      return around.cancel(held);
    }
    if (ended.error === this.#unread) {
      held.attempts -= 1; // its handler was not called
      const waits = around.unhandled(held, ended.error, true);
      if (waits !== undefined) return waits;
      held.attempts += 1;
    }
    around.verdicts.attemptFailed(held, ended.error);
    const gathering = this.#afterFailure(held, ended);
    return gathering === 'retry' ? this.#again(held, definition) : gathering;
  }

  async #again(held: Held, definition: MessageDefinition): Promise<Gathering | undefined> {
    const { around } = this;
    // What a pipelined key staged before this message is committed first: the retry runs on committed state.
    if (around.behavior.pipelined && !(await around.flushed())) return undefined;
    return around.closing ? undefined : this.#try(held, definition);
  }

  /** The one decision after a failed attempt, with its two halves: the actor and the message (docs/DESIGN.md, section 6). */
  #afterFailure(held: Held, failure: Failure): Gathering | 'retry' {
    const { around } = this;
    const { error, instance } = failure;
    const { recoverability, directives } = around.settings;
    const code = failureCodeOf(error);
    const directive = choose(error, ownChoice(failure, this.#onFault()), directives);
    this.#instance = undefined; // A3
    if (error instanceof TerminalError) around.host.breakers.succeeded(held.envelope.type); // an answer
    if (directive === 'resume') {
      if (instance !== undefined && !failure.running) this.#instance = this.#renewed(instance);
      return around.failed(held, code, error.message);
    }
    if (directive === 'stop') {
      if (instance !== undefined) farewell(instance, 'onStop', this.#onFault());
      this.stopped = true;
      return around.failed(held, code, error.message);
    }
    this.#failure = error;
    if (!isProgrammingError(error)) around.host.breakers.failed(this.key, held.envelope.type);
    const { envelope } = held;
    const expired = hasExpired(envelope, around.clock);
    if (directive === 'escalate') {
      const gathering = expired
        ? around.failed(held, 'EXPIRED', expiry(envelope))
        : usedUp(recoverability, held.attempts)
          ? around.deadLetter(held, code, error)
          : around.leave(held);
      around.escalate(held, error, gathering);
      return gathering;
    }
    if (expired) return around.failed(held, 'EXPIRED', expiry(envelope));
    if (!isProgrammingError(error) && around.host.breakers.openFor(envelope.type) !== undefined) {
      held.attempts -= 1; // no fault of its own
      return around.wait(held, around.clock.now() + around.settings.breaker.probeEvery, error);
    }
    const decision = decide(recoverability, held.attempts);
    if (decision.kind === 'retry') return 'retry';
    if (decision.kind === 'dead-letter') return around.deadLetter(held, code, error);
    return around.wait(held, decision.kind === 'park' ? 'parked' : around.clock.now() + decision.delay, error);
  }

  /** Made where it is needed: an activation that is idle should be small. */
  #onFault(): OnFault {
    return (hook, error) => this.around.verdicts.fault(`${this.around.behavior.type}/${this.key} ${hook}`, error);
  }

  /** The activation leaves memory. */
  leave(hook: Hook): void {
    if (this.#instance !== undefined) farewell(this.#instance, hook, this.#onFault());
    this.#instance = undefined;
    this.#leaveInbox();
  }

  /** One attempt; it never throws. */
  #attempt(held: Held, data: unknown): Gathering | Failure | Promise<Gathering | Failure> {
    const { around } = this;
    const { envelope } = held;
    const { clock, settings } = around;
    const began = clock.now();
    const timeout = began + settings.attemptTimeout;
    const deadline = envelope.expires === undefined ? timeout : Math.min(timeout, envelope.expires);
    const attempt = new Attempt(envelope, held.attempts, held.entry, deadline, around.behavior, around.composer);
    const known = this.#instance;
    let actor = known;
    try {
      actor ??= this.#revive();
      const returned = known === undefined ? this.#begin(actor, attempt, data) : actor.handle(envelope, data, attempt);
      if (isThenable(returned)) return this.#whenSettled(held, attempt, actor, returned, deadline - began);
      return this.#finish(held, attempt, actor, returned);
    } catch (thrown) {
      attempt.end();
      return { error: asError(thrown), attempt, instance: actor, running: false };
    }
  }

  /** @param limit how long its handler was given, ms */
  async #whenSettled(
    held: Held,
    attempt: Attempt,
    instance: Instance,
    returned: PromiseLike<unknown>,
    limit: number,
  ): Promise<Gathering | Failure> {
    const { clock, running } = this.around;
    let settled = false;
    running.add(attempt);
    try {
      const value = await withDeadline(clock, attempt, returned, limit, () => (settled = true));
      running.delete(attempt);
      return this.#finish(held, attempt, instance, value);
    } catch (thrown) {
      attempt.end();
      running.delete(attempt);
      return { error: asError(thrown), attempt, instance, running: !settled };
    }
  }

  #finish(held: Held, attempt: Attempt, instance: Instance, returned: unknown): Gathering {
    const { around } = this;
    const { envelope } = held;
    attempt.end();
    const givenUp = around.closing ? attempt.aborted : around.cancellations.has(held);
    if (givenUp) throw new Abandoned('ABANDONED', 'the partition was given up, or the message cancelled');
    around.host.breakers.succeeded(envelope.type);
    const resultJson = envelope.kind === 'command' ? (around.behavior.commands.get(envelope.type)?.encodeResult(returned) ?? '') : '';
    const stored = this.#encodeState(instance, attempt);
    this.#instance = attempt.forgotten ? undefined : instance;
    this.#failure = undefined;
    this.#stored = stored;
    return around.completed(held, attempt, resultJson, this.stateKey, stored);
  }

  #revive(): Instance {
    this.stopped = false;
    return this.#withState(this.around.behavior.create());
  }

  /** The last committed state, a copy of its own. */
  #withState(instance: Instance): Instance {
    const { behavior } = this.around;
    if (behavior.stateful) instance.state = this.#stored === undefined ? instance.initialState() : this.#parse(this.#stored);
    return instance;
  }

  #parse({ json }: StoredState): unknown {
    try {
      return this.around.behavior.parseState(json);
    } catch (thrown) {
      this.#unread = asError(thrown);
      throw this.#unread;
    }
  }

  /** The same instance, on its last committed state; none when that cannot be read any more. */
  #renewed(instance: Instance): Instance | undefined {
    try {
      return this.#withState(instance);
    } catch {
      return undefined; // the next attempt meets the same error, and tells it
    }
  }

  /** A new instance's first message: it learns that it lives, then handles it. Both belong to the attempt. */
  #begin(instance: Instance, attempt: Attempt, data: unknown): unknown {
    const { envelope } = attempt;
    const reason = this.#failure ?? this.around.restartReason(this.key);
    const told = reason === undefined ? instance.hook('onActivate') : instance.hook('onRestart', reason);
    if (!isThenable(told)) return instance.handle(envelope, data, attempt);
    return told.then(() => {
      attempt.assertRunning(); // its time may be up meanwhile
      return instance.handle(envelope, data, attempt);
    });
  }

  /** @throws SchemaError `NOT_JSON`, `INVALID_STATE`; LimitError `STATE_TOO_LARGE` */
  #encodeState(instance: Instance, attempt: Attempt): StoredState | undefined {
    const { behavior, settings } = this.around;
    const place = `state of ${behavior.type}/${this.key}`;
    if (!behavior.stateful) {
      if (instance.state === undefined) return undefined;
      throw new SchemaError('INVALID_STATE', place, [{ path: '', message: 'this actor sets its state but has no initialState()' }]);
    }
    if (attempt.forgotten) return undefined;
    const json = checkSize(toJson(instance.state, place), place, 'STATE_TOO_LARGE', settings.state.maxBytes);
    if (json === '') throw new SchemaError('INVALID_STATE', place, [{ path: '', message: 'the state is undefined' }]);
    return new StoredState((this.#stored?.version ?? 0) + 1, json);
  }
}
