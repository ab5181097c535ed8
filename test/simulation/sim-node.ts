import { type Actor, type ActorClass, ActorSystem, type StartOptions } from '../../src/index.js';
import { type Clock, sleep } from '../../src/message/clock.js';
import { seededRandom } from '../../src/message/random.js';
import type { Counts } from './counts.js';
import type { History } from './history.js';
import { NodeClock } from './node-clock.js';
import type { Outside } from './outside.js';
import { Restarts, type Window } from './restarts.js';
import type { SimulatedStore } from './store.js';
import type { NearEnd } from './wire.js';
import type { Witness } from './witness.js';
import { ACTORS, Append, type Around } from './workload.js';
import { NAME } from './world.js';

export interface NodeSettings {
  readonly options: Partial<StartOptions>;
  readonly pipelined: boolean;
  readonly outside: Outside;
  readonly counts: Counts;
  readonly witness: Witness;
  /** of the supervisors, by name */
  readonly windows: ReadonlyMap<string, Window>;
  /** it stopped by itself */
  readonly onStopped: () => void;
  /** a message kills it */
  readonly onKilled: (node: SimNode, what: string) => void;
  /** an attempt at a message has failed; what becomes of it is not committed yet */
  readonly onFailed: (messageId: string) => void;
}

/** What the nodes themselves say that they do. */
const COUNTED: ReadonlySet<string> = new Set(['escalated', 'actor-restarted', 'supervisor-failed', 'running-alone']);

/** A start that fails, because Redis is away, is made again after this. */
const AGAIN_MS = 150;

/** One node of a simulation: production code on a clock, a random and a network of its own. */
export class SimNode implements NearEnd {
  readonly clock: NodeClock;
  readonly restarts: Restarts;
  system: ActorSystem | undefined;
  frozen = false;
  dead = false;
  draining = false;
  stopped = false;
  /** id of a command → how often it saw its result, when it watches them */
  readonly seen: Map<string, number> | undefined;
  #held: (() => void)[] = [];

  constructor(
    readonly name: string,
    private readonly seed: number,
    /** hosts actors; otherwise it is a client only */
    readonly hosts: boolean,
    private readonly store: SimulatedStore,
    private readonly settings: NodeSettings,
    private readonly history: History,
    private readonly shared: Clock,
    watches: boolean,
  ) {
    if (watches) this.seen = new Map();
    this.clock = new NodeClock(shared);
    this.restarts = new Restarts(name, settings.windows, settings.witness.violations);
  }

  /** It runs and can be asked for something. */
  get well(): boolean {
    return this.system !== undefined && !this.frozen && !this.dead && !this.draining;
  }

  async start(): Promise<void> {
    const { options, pipelined, outside, onKilled } = this.settings;
    for (let attempt = 0; !this.dead && !this.draining; attempt += 1) {
      try {
        const actors: ActorClass[] = this.hosts ? [...(pipelined ? ACTORS.pipelined : ACTORS.plain)] : [];
        const around: Around = { clock: this.clock, outside, begins: (id) => this.#begins(id), die: (what) => onKilled(this, what) };
        const resolve = (Target: ActorClass) => new (Target as new (around: Around) => Actor<unknown>)(around);
        const random = seededRandom(this.seed * 100 + attempt);
        const ports = { clock: this.clock, random };
        const system = await ActorSystem.startWith({ name: NAME, ...options, actors, resolve, redis: this.store.seenBy(this) }, ports);
        const [top] = system.supervisors.supervisors;
        this.restarts.missed = [top, ...(top?.supervisors ?? [])].some((one) => one !== undefined && one.escalations > 0);
        system.signals.subscribe((signal) => {
          this.history.note(this.name, `signals ${signal.kind} ${JSON.stringify(signal)}`);
          this.restarts.saw(signal, this.clock.monotonic());
          if (signal.kind === 'attempt-failed') this.settings.onFailed(signal.messageId);
          if (COUNTED.has(signal.kind)) this.settings.counts.add(`signal ${signal.kind}`);
          if (signal.kind === 'stopped' && signal.reason !== undefined) this.#stoppedItself();
        });
        const { seen } = this;
        if (seen !== undefined)
          system.results(Append, { from: 'start' }).subscribe(({ messageId }) => seen.set(messageId, (seen.get(messageId) ?? 0) + 1));
        this.system = system;
        this.history.note(this.name, 'has started');
        return;
      } catch (error) {
        this.history.note(this.name, `could not start: ${(error as Error).message}`);
        await sleep(this.clock, AGAIN_MS);
      }
    }
  }

  #begins(id: string): () => void {
    const { witness } = this.settings;
    const began = this.clock.monotonic();
    const limit = witness.begins(id, this.clock.now());
    return () => {
      if (this.clock.monotonic() - began <= limit) witness.fates.inTime(id);
    };
  }

  /** A supervisor at the top has failed. */
  #stoppedItself(): void {
    this.draining = this.stopped = true;
    this.settings.counts.add('node that stopped itself');
    this.settings.onStopped();
  }

  whenAwake(run: () => void): void {
    if (this.dead) return;
    if (this.frozen) this.#held.push(run);
    else run();
  }

  /** Stands still as under SIGSTOP: timers do not fire, and what arrives waits. */
  freeze(): void {
    this.frozen = true;
    this.clock.freeze();
  }

  /** Goes on: what has arrived meanwhile comes first or the timers that are late do, as a loop that stood somewhere would have it. */
  thaw(networkFirst: boolean): void {
    if (!this.frozen || this.dead) return;
    this.frozen = false;
    const held = this.#held;
    this.#held = [];
    const timers = (): void => this.clock.thaw();
    if (!networkFirst) timers();
    for (const run of held) run();
    // One turn of the loop lies between its poll phase and its timers.
    if (networkFirst) setImmediate(() => setImmediate(timers));
    this.shared.after(0, () => undefined); // the clock is told that something goes on
  }

  /** Vanishes without a word: nothing of it runs on, and nothing that it was sent arrives. */
  kill(): void {
    this.dead = true;
    this.clock.kill();
    this.#held = [];
    for (const wire of this.store.wires) if (wire.near === this) wire.orphan();
  }

  /** Finishes what is in hand and goes. */
  drain(grace: number): void {
    this.draining = true;
    void this.system?.stop({ grace }).then(() => {
      this.stopped = true;
      this.history.note(this.name, 'has stopped');
    });
  }

  /** After the run: ends whatever there is, also of one that was killed, so that nothing is kept in memory. */
  bury(): void {
    this.draining = true;
    this.dead = this.frozen = false;
    this.clock.revive();
    for (const wire of this.store.wires) if (wire.near === this) wire.destroy();
    void this.system?.stop({ grace: 0 });
  }
}
