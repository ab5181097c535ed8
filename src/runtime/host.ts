import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import type { Reader } from '../log/reader.js';
import type { ToldTypes } from '../log/told-types.js';
import type { Clock, Timer } from '../message/clock.js';
import { failureCodeOf } from '../message/errors.js';
import { ACTIVATIONS_IN_MEMORY } from '../message/limits.js';
import type { Random } from '../message/random.js';
import type { Asks } from './asks.js';
import type { Behavior } from './behavior.js';
import { Breakers } from './breaker.js';
import type { Version } from './build.js';
import type { Gate } from './gate.js';
import type { Held } from './held.js';
import type { Branch, Inbox, Receiver } from './inbox.js';
import type { Logger } from './logger.js';
import type { Membership } from './membership.js';
import type { Composer } from './outgoing.js';
import type { Partition } from './partition.js';
import type { Pulse } from './pulse.js';
import type { Redaction } from './redaction.js';
import type { Signals } from './signals.js';
import { Slots } from './slots.js';
import type { Spoiled } from './spoiled.js';
import { StateLoader } from './state-loader.js';
import type { ChildSettings } from './supervision-settings.js';
import { UnhandledTypes } from './unhandled.js';

/** What everything on one node shares. */
export interface Deps {
  readonly node: string;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly composer: Composer;
  /** for commits, leases and whatever else an owner reads and writes */
  readonly link: Link;
  readonly reader: Reader;
  readonly told: ToldTypes;
  readonly asks: Asks;
  readonly signals: Signals;
  readonly pulse: Pulse;
  /** everybody who runs a handler is inside */
  readonly gate: Gate;
  /** who else lives, and what each node can handle */
  readonly membership: Membership;
  readonly logger: Logger;
  /** what errors may say outside the process */
  readonly redaction: Redaction;
}

/** The last failure that an actor type escalated, or a supervisor dealt with. */
export interface LastFailure {
  readonly at: Date;
  readonly actor: string;
  readonly key: string;
  readonly code: string;
  readonly message: string;
}

/** With less than this share of `prefetch` free nothing more is read; it is read again from that share on. */
const STARVED_BELOW = 8;
const FED_FROM = 4;
/** It is said again after this that wake-ups reach nobody. */
const UNHEARD_MS = 60_000;
/** Memory that has been full for this long while workers are free is full of keys that hold more than their share. */
const CROWDED_MS = 200;

/** One actor type on one node: what its partitions here share. */
export class Host {
  readonly partitions = new Map<number, Partition>();
  readonly slots: Slots;
  readonly breakers: Breakers;
  readonly states: StateLoader;
  readonly spoiled: Spoiled = new Map();
  /** of all its partitions */
  readonly unhandledTypes = new UnhandledTypes();
  #held = 0;
  /** since when (monotonic ms) too little is free for another read; undefined: it is not so */
  #starvedSince: number | undefined;
  #crowding: Timer | undefined;
  #sweep: Timer | undefined;
  /** so many activations may still be made before it is looked whether some must leave */
  #untilCrowded = ACTIVATIONS_IN_MEMORY;
  /** `restarting`: nothing is acquired until its supervisor's back-off is over; `stopped`: nothing any more */
  state: 'running' | 'restarting' | 'stopped' = 'running';
  /** counts restarts: of two that overlap the later one decides */
  generation = 0;
  escalations = 0;
  lastFailure: LastFailure | undefined;
  #branch: Branch;
  /** when it was last said that wake-ups reach nobody, monotonic ms */
  #unheard = Number.NEGATIVE_INFINITY;
  /** keys that were in memory when the type was restarted, and why it was */
  #restarted = new Map<string, Error>();

  constructor(
    readonly deps: Deps,
    readonly behavior: Behavior,
    readonly settings: ChildSettings,
    private readonly parent: Branch,
    private readonly onEscalation: (host: Host, failure: LastFailure, error: Error) => void,
  ) {
    this.#branch = parent.branch(behavior.type);
    this.slots = new Slots(settings.concurrency);
    this.states = new StateLoader(deps.link);
    this.breakers = new Breakers(settings.breaker, deps.clock, (type, open) => {
      deps.signals.emit({ kind: open ? 'breaker-opened' : 'breaker-closed', actor: behavior.type, type });
    });
  }

  get type(): string {
    return this.behavior.type;
  }

  get version(): Version {
    return this.deps.membership.version(this.type);
  }

  /** How many more messages this node may hold of this type. */
  get free(): number {
    return this.settings.prefetch - this.#held;
  }

  /** How many entries one more read may bring for each partition. */
  room(): number {
    const { free } = this;
    // A source with little room would make one read small for all: it is left out until a fair piece is free.
    const starved = free <= 0 || free * STARVED_BELOW < this.settings.prefetch;
    if (!starved) {
      this.#starvedSince = undefined;
      return Math.max(1, Math.floor(free / Math.max(1, this.partitions.size)));
    }
    this.#starvedSince ??= this.deps.clock.monotonic();
    this.#watchCrowds();
    return 0;
  }

  /** One look at a time, however often memory is full. */
  #watchCrowds(): void {
    this.#crowding ??= this.deps.clock.after(CROWDED_MS, () => {
      this.#crowding = undefined;
      if (this.#starvedSince === undefined) return;
      const crowded = this.deps.clock.monotonic() - this.#starvedSince >= CROWDED_MS;
      if (crowded && this.slots.free > 0) this.#makeWay();
      this.#watchCrowds();
    });
  }

  /** The keys that hold most of the memory go aside, so that those behind them are read. */
  #makeWay(): void {
    const partitions = [...this.partitions.values()];
    const crowds = partitions.flatMap((partition) => partition.crowds().map((crowd) => ({ partition, ...crowd })));
    let { free } = this;
    for (const { partition, key, queued } of crowds.sort((a, b) => b.queued - a.queued)) {
      if (free * FED_FROM >= this.settings.prefetch) return;
      partition.crowd(key);
      free += queued;
    }
  }

  /** So many more messages are in memory. */
  held(more: number): void {
    this.#held += more;
    // Asked for again only once a fair piece is free: a read for each single message would cost more than it brings.
    if (this.#starvedSince === undefined || this.free * FED_FROM < this.settings.prefetch) return;
    this.#starvedSince = undefined;
    for (const partition of this.partitions.values()) this.deps.reader.nudge(partition);
  }

  inbox(receiver: Receiver<Held>): Inbox<Held> {
    return this.#branch.inbox(receiver);
  }

  /** For one more activation. */
  makeRoom(): void {
    this.#armSweep();
    this.#untilCrowded -= 1;
    if (this.#untilCrowded >= 0) return;
    if (this.active >= ACTIVATIONS_IN_MEMORY) this.#halve();
    // When nobody could leave, because all are at work, the next look is only after some more have come.
    this.#untilCrowded = Math.max(ACTIVATIONS_IN_MEMORY - this.active, ACTIVATIONS_IN_MEMORY / 10);
  }

  /** Told by an activation: the message that failed is safe in the log, its attempt counted. */
  escalate({ envelope, attempts }: Held, error: Error): void {
    const { subject, id, type, correlationId } = envelope;
    const { signals, clock, redaction } = this.deps;
    const code = failureCodeOf(error);
    const message = redaction.message(error, this.type);
    signals.emit({
      kind: 'escalated',
      actor: this.type,
      key: subject,
      messageId: id,
      type,
      correlationId,
      attempt: attempts,
      code,
      message,
    });
    this.escalations += 1;
    this.lastFailure = { at: new Date(clock.now()), actor: this.type, key: subject, code, message };
    this.onEscalation(this, this.lastFailure, error);
  }

  /** Whoever asks from another node hears nothing, and looks for the outcome. */
  unheard(): void {
    const { signals, clock, keys } = this.deps;
    const now = clock.monotonic();
    if (now - this.#unheard < UNHEARD_MS) return;
    this.#unheard = now;
    const message = `the Redis user may not publish; whoever asks from another node waits longer for the answer; add to its rules: +publish &${keys.name}:*`;
    signals.emit({ kind: 'fault', where: this.type, code: 'REDIS_PERMISSION', message });
  }

  /** Everything in memory is about to go. */
  remember(reason: Error): void {
    this.#restarted = new Map();
    for (const { activations } of this.partitions.values()) for (const key of activations.keys) this.#restarted.set(key, reason);
  }

  /** Once: the key's next activation is told, and no later one. */
  restartReason(key: string): Error | undefined {
    const reason = this.#restarted.get(key);
    this.#restarted.delete(key);
    return reason;
  }

  /** A branch of its own for what comes after a restart. */
  respawn(): void {
    this.#branch.stop();
    this.#branch = this.parent.branch(this.type);
  }

  signal(kind: 'message-failed', held: Pick<Held, 'envelope'>, more: { code: string; message: string }): void;
  signal(kind: 'attempt-failed', held: Held, more: { attempt: number; code: string; message: string }): void;
  signal(kind: 'retry-delayed', held: Held, more: { attempt: number; until: Date }): void;
  signal(kind: 'parked', held: Held, more: { attempt: number }): void;
  signal(kind: 'running-alone', held: Held, more: { kills: number }): void;
  signal(
    kind: 'message-failed' | 'attempt-failed' | 'retry-delayed' | 'parked' | 'running-alone',
    { envelope }: Pick<Held, 'envelope'>,
    more: object,
  ): void {
    const { subject, id, type, correlationId } = envelope;
    const { signals, redaction } = this.deps;
    const { message } = more as { message?: string };
    const told = message === undefined ? more : { ...more, message: redaction.text(message, 'message', this.type) };
    signals.emit({ kind, actor: this.type, key: subject, messageId: id, type, correlationId, ...told } as Parameters<Signals['emit']>[0]);
  }

  /** Passivation: an activation leaves memory between one and one and a half times `passivateAfter` after its last message. */
  #armSweep(): void {
    if (this.#sweep !== undefined) return;
    const { passivateAfter } = this.settings;
    this.#sweep = this.deps.clock.after(Math.max(1, passivateAfter / 2), () => {
      this.#sweep = undefined;
      const since = this.deps.clock.monotonic() - passivateAfter;
      let active = 0;
      for (const partition of this.partitions.values()) {
        partition.activations.passivate(since);
        active += partition.activations.size;
      }
      if (active > 0) this.#armSweep();
    });
  }

  /** The half of the idle activations that was used longest ago leaves memory. */
  #halve(): void {
    const partitions = [...this.partitions.values()];
    const moments: number[] = [];
    for (const { activations } of partitions) activations.idleSince(moments);
    const median = Float64Array.from(moments).sort()[Math.floor(moments.length / 2)]; // sorted natively: there are thousands
    if (median !== undefined) for (const partition of partitions) partition.activations.passivate(median);
  }

  /** Activations in memory. */
  get active(): number {
    let active = 0;
    for (const partition of this.partitions.values()) active += partition.activations.size;
    return active;
  }

  stop(): void {
    this.#sweep?.cancel();
    this.breakers.stop();
    this.#branch.stop();
    this.#crowding?.cancel();
  }
}
