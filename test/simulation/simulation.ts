import type { StartOptions } from '../../src/index.js';
import { scripts } from '../../src/log/scripts.js';
import { Args } from '../../src/memory-redis/args.js';
import { InternalClient } from '../../src/memory-redis/internal-client.js';
import type { Reply } from '../../src/memory-redis/reply.js';
import { resolve } from '../../src/memory-redis/request-check.js';
import { KILLS_TO_CONDEMN, SUSPICIONS_TO_RUN_ALONE } from '../../src/message/limits.js';
import { VirtualClock } from '../../src/testing.js';
import { Cancellers } from './cancellers.js';
import { Chance } from './chance.js';
import { Counts } from './counts.js';
import { DELAYS, Fates, IMMEDIATE, type Order, whatOf } from './fates.js';
import { Faults } from './faults.js';
import { History } from './history.js';
import { Menders } from './menders.js';
import { Outside } from './outside.js';
import { TOP, type Window } from './restarts.js';
import { type NodeSettings, SimNode } from './sim-node.js';
import { type Latency, SimulatedStore } from './store.js';
import { Tellers } from './tellers.js';
import { atTheEnd } from './verdict.js';
import { type Violation, Witness } from './witness.js';
import { DIRECTIVES } from './workload.js';
import { FAR_MS, LEASE_MS, PARTITION_TYPES, SHARDS, SUBSCRIBERS } from './world.js';

/**
 * One run: several nodes, the in-process Redis and the network between them under one virtual clock, drawn from one seed. For a while
 * messages are told and faults happen; then everything heals, and all that is open must come to its end in bounded time.
 */

const SEND_TIMEOUT_MS = 1_200;
/** Virtual time within which a healed system has settled everything; a message that brings a node down is a fault, too. */
const HEALED_MS = 15_000;
/**
 * A message kills so many processes at most: until it runs alone, then alone, and some that had lost it without having noticed. Where a key's
 * messages run ahead of their commits, whatever stands before it may be suspected first.
 */
const MOST_KILLS = SUSPICIONS_TO_RUN_ALONE + KILLS_TO_CONDEMN + 4;
/** The same, however often messages bring nodes down meanwhile. */
const MOST_HEALED_MS = 120_000;
/** Virtual time that nodes without a Redis need to end. */
const CLEARED_MS = 500;
/** Between looks at whether it has. */
const LOOK_MS = 50;

export interface Outcome {
  readonly seed: number;
  readonly hash: string;
  readonly violation: Violation | undefined;
  readonly history: History;
  readonly commits: number;
  readonly commands: number;
  /** virtual time between the last fault and quiescence, ms */
  readonly healed: number;
  readonly faults: readonly string[];
  /** what became of messages, and what was done about them */
  readonly counts: Counts;
  /** every command that was run, with the kind of its key */
  readonly used: ReadonlySet<string>;
}

const LATENCIES: readonly Latency[] = [
  { none: 1, most: 1, peak: 0 },
  { none: 0.9, most: 3, peak: 0 },
  { none: 0.3, most: 10, peak: 0 },
  { none: 0.8, most: 8, peak: 100 },
  { none: 0.8, most: 20, peak: 1.5 * LEASE_MS },
];

const SCRIPTS = Object.entries(scripts()).map(([name, { source, sha }]) => {
  // As the store sees it: a byte string.
  return { name, source: Buffer.from(source).toString('latin1'), sha };
});

function scriptOf(words: readonly string[]): string | undefined {
  return SCRIPTS.find(({ sha, source }) => words[1] === sha || words[1] === source)?.name;
}

export class Simulation {
  readonly clock = new VirtualClock();
  readonly chance: Chance;
  readonly history: History;
  /** some messages, and some retries, wait for hours unless somebody cancels them */
  readonly far: boolean;
  /** a crash of Redis loses what was not on the disk: then guarantee 1 is not claimed */
  readonly torn: boolean;
  readonly store: SimulatedStore;
  readonly witness: Witness;
  readonly nodes: SimNode[] = [];
  /** by how much the clock of some node was ever ahead, ms */
  ahead = 0;
  /** when a message last brought a node down, ms */
  #lastFall = 0;
  readonly #windows = new Map<string, Window>();
  readonly outside = new Outside();
  readonly counts = new Counts();
  readonly tellers = new Tellers(this);
  readonly menders = new Menders(this);
  readonly cancellers = new Cancellers(this);
  readonly #settings: NodeSettings;
  readonly #peeker: InternalClient;

  constructor(readonly seed: number) {
    this.chance = new Chance(seed);
    const { chance, clock } = this;
    this.history = new History(() => clock.monotonic());
    this.torn = chance.yes(0.25);
    this.far = chance.yes(0.4);
    this.store = new SimulatedStore(clock, chance, this.history, chance.oneOf(LATENCIES), this.torn);
    this.#peeker = new InternalClient(this.store.engine);
    for (const { sha, name } of SCRIPTS) this.store.nameScript(sha, name);
    const usual = chance.oneOf<Order>(['block', 'block', 'park', 'skip']);
    const orders = new Map<string, Order>(
      PARTITION_TYPES.map((actor) => [actor, chance.yes(0.8) ? usual : chance.oneOf<Order>(['block', 'park', 'skip'])]),
    );
    this.witness = new Witness(
      scriptOf,
      (stream) => Number(this.peek('XLEN', stream)),
      new Fates(orders, this.outside, () => clock.now() + this.ahead),
      this.counts,
    );
    this.store.observer = this.witness;
    const child = (actor: string): object => ({
      actor,
      concurrency: chance.oneOf([1, 2, 256]),
      prefetch: chance.oneOf([1, 4, 1_000]),
      passivateAfter: chance.oneOf([100, 10_000]),
      recoverability: {
        immediate: IMMEDIATE,
        delayed: this.#delays(actor),
        order: orders.get(actor),
      },
      directives: DIRECTIVES,
    });
    const options = {
      shards: SHARDS,
      lease: LEASE_MS,
      sendTimeout: SEND_TIMEOUT_MS,
      supervisors: [this.#supervisors(PARTITION_TYPES.map(child))],
    } as Partial<StartOptions>;
    const { outside, counts, witness } = this;
    this.#settings = {
      options,
      pipelined: chance.yes(0.3),
      outside,
      counts,
      witness,
      windows: this.#windows,
      onStopped: () => this.#replace(),
      onKilled: (node, what) => this.#killed(node, what),
      onFailed: (messageId) => this.cancellers.failed(messageId),
    };
  }

  #delays(actor: string): number[] {
    const { chance, far } = this;
    const delays = Array.from({ length: DELAYS }, (_, i) => chance.between(10, i === 0 ? 80 : 200));
    // Only of those that are sent commands: nothing else can be cancelled.
    if (far && (actor === 'list' || actor === 'echo') && chance.yes(0.4)) delays[chance.below(DELAYS)] = FAR_MS;
    return delays;
  }

  /** One supervisor, or one below another. */
  #supervisors(children: readonly object[]): object {
    const { chance } = this;
    const settings = (name: string): object => {
      const strategy = chance.oneOf(['one-for-one', 'one-for-all', 'rest-for-one']);
      const window = { intensity: chance.oneOf([0, 1, 5, 1_000]), period: chance.oneOf([300, 10_000]) };
      this.#windows.set(name, window);
      return { name, strategy, ...window, backoff: { min: 20, max: 400 } };
    };
    if (chance.yes(0.5)) return { ...settings(TOP), children };
    const inner = { ...settings('inner'), children: children.slice(0, 2) };
    return { ...settings(TOP), children: children.slice(2), supervisors: [inner] };
  }

  /** of each message that kills where messages run ahead, how many of its key stood before it when it first did */
  readonly #before = new Map<string, number>();

  /** By a message. What its process does in this moment it still does. */
  #killed(node: SimNode, what: string): void {
    const { clock, tellers, counts, history, outside, witness } = this;
    const killed = outside.killed(what);
    if (killed === 1 && this.#settings.pipelined)
      this.#before.set(
        what,
        witness.shadow.before((message) => whatOf(message) === what),
      );
    if (killed > MOST_KILLS + SUSPICIONS_TO_RUN_ALONE * (this.#before.get(what) ?? 0))
      witness.violations.push({ check: 'what kills its process is given up', text: `${what} killed ${killed}` });
    clock.after(0, () => {
      if (node.dead) return;
      history.note(node.name, 'is killed by a message');
      counts.add('node that a message killed');
      node.kill();
      tellers.gone(node);
      this.#replace();
    });
  }

  /** A node is gone without anybody's doing: another one comes, unless enough are left. */
  #replace(): void {
    const { nodes, clock, chance } = this;
    this.#lastFall = clock.monotonic();
    clock.after(chance.below(300), () => {
      if (nodes.filter(({ hosts, dead, draining }) => hosts && !dead && !draining).length < 2) this.add(true);
    });
  }

  /** A look at the store that nobody sees. */
  readonly peek = (...words: string[]): Reply => {
    const { engine } = this.store;
    const args = Args.of(words);
    return resolve(engine.table.find(args), args).run(this.#peeker, args);
  };

  /** A node begins to start. */
  add(hosts: boolean): SimNode {
    const { seed, nodes, store, history, clock } = this;
    const settings = hosts ? this.#settings : { ...this.#settings, options: { sendTimeout: SEND_TIMEOUT_MS, shards: SHARDS } };
    const node = new SimNode(
      `n${nodes.length + 1}`,
      seed * 100 + nodes.length,
      hosts,
      store,
      settings,
      history,
      clock,
      !this.torn && this.chance.yes(0.2),
    );
    nodes.push(node);
    void node.start();
    return node;
  }

  async run(): Promise<Outcome> {
    const { chance, clock, history, witness, store } = this;
    await this.#loadScripts();
    const span = chance.between(1_000, 3_000);
    const hosts = (): void => {
      this.add(true);
      for (let more = chance.below(3); more > 0; more -= 1) this.add(true);
    };
    // Messages may be sent, and cancelled, before anybody has hosted their actor type.
    const late = chance.yes(0.2);
    if (late) clock.after(chance.between(50, span / 2), hosts);
    else hosts();
    if (late || chance.yes(0.4)) this.add(false);
    const { tellers, menders, cancellers } = this;
    const faults = new Faults(this);
    tellers.plan(span);
    menders.plan(span);
    cancellers.plan(span);
    faults.plan(span);
    let violation: Violation | undefined;
    const passed = async (ms: number): Promise<boolean> => {
      await clock.advance(ms);
      violation ??= witness.violations[0];
      return violation === undefined;
    };
    for (let at = 0; at < span; at += LOOK_MS) if (!(await passed(LOOK_MS))) break;
    const faulted = clock.monotonic();
    if (violation === undefined) {
      faults.heal();
      history.note('all', 'heals');
      menders.endAll();
      cancellers.endAll();
      while (
        clock.monotonic() - Math.max(faulted, this.#lastFall, menders.lastAsked, cancellers.lastAsked) < HEALED_MS &&
        clock.monotonic() - faulted < MOST_HEALED_MS
      ) {
        if (!(await passed(LOOK_MS)) || (tellers.done && menders.done && cancellers.done && this.#quiet() && this.#seen())) break;
      }
    }
    const healed = clock.monotonic() - Math.max(faulted, this.#lastFall, menders.lastAsked, cancellers.lastAsked);
    violation ??= atTheEnd(this, tellers.intents);
    const outcome = {
      seed: this.seed,
      hash: history.hash,
      violation,
      history,
      commits: witness.commits,
      commands: store.engine.commandsRun,
      healed,
      faults: faults.names,
      counts: this.counts,
      used: store.used,
    };
    await this.#clear();
    return outcome;
  }

  /** Nothing of a run may stay in memory, and there are thousands. */
  async #clear(): Promise<void> {
    const { clock, store, nodes, history } = this;
    history.close();
    store.observer = undefined;
    store.engine.crash(0);
    for (const node of nodes) node.bury();
    await clock.advance(CLEARED_MS);
    store.engine.close();
  }

  /** The script engine is WebAssembly, which is compiled on other threads: before anything that must come in one order. */
  async #loadScripts(): Promise<void> {
    await this.store.engine.loadScripts();
  }

  #quiet(): boolean {
    const { inboxes, asides, scheduled, facts } = this.witness.shadow;
    const empty = (maps: Iterable<{ readonly size: number } | readonly unknown[]>): boolean =>
      [...maps].every((one) => ('size' in one ? one.size : one.length) === 0);
    if (!empty(inboxes.values()) || !empty(asides.values()) || !empty(scheduled.values())) return false;
    return [...facts].every(([stream, all]) => this.cursorsOf(stream).every((cursor) => cursor === (all.at(-1)?.entry ?? cursor)));
  }

  #seen(): boolean {
    const { results } = this.witness.shadow;
    return this.watchers.every(({ seen }) => [...results.keys()].every((id) => seen?.has(id) === true || !this.witness.isAppend(id)));
  }

  /** The nodes that watch all results, and live. */
  get watchers(): readonly SimNode[] {
    return this.nodes.filter((node) => node.seen !== undefined && node.system !== undefined && !node.dead && !node.draining);
  }

  /** Where each subscriber stands in an event stream. */
  readonly cursorsOf = (stream: string): string[] => {
    const tag = stream.slice(0, stream.indexOf('}:') + 2);
    const event = stream.slice(tag.length + 'event:'.length);
    return SUBSCRIBERS.map((type) => this.witness.shadow.partitions.get(`${tag}${type}:partition`)?.get(`cursor:${event}`) ?? '');
  };
}
