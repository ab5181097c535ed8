import { sleep } from '../message/clock.js';
import { DefinitionError, ErrandError, failureCodeOf } from '../message/errors.js';
import type { Behavior } from './behavior.js';
import type { Deps, Host, LastFailure } from './host.js';
import type { Branch } from './inbox.js';
import type { Ownership } from './ownership.js';
import type { SupervisorSettings } from './supervision-settings.js';
import { type Decision, decide, NO_STATISTICS, type Statistics } from './supervision-strategy.js';
import { Supervisor, type SupervisorView, shownName, unknown } from './supervisor.js';

/**
 * The supervision tree at work: what the strategy decides is done to the actor types of this node, and thereby to their messages.
 *
 * V1: an actor type that terminates gives up its partitions: what has finished is committed, all else stays in the log as it was. So a restart
 *     loses nothing, and the message that failed comes back with its attempt counted.
 * V2: decisions are made one at a time, at once; what they ask for takes its time. Of two restarts that overlap the later one decides when an
 *     actor type starts again.
 * V3: changes by hand are made one at a time, each to the tree that the last one left. What is stopped by hand no restart brings back.
 */

/** A branch that is stopped by hand may finish what it has in hand. */
const HAND_OVER_MS = 10_000;

/** A number below 2 ** 32 as a share. */
const SHARE = 2 ** -32;

export class Supervision {
  readonly #top: Supervisor;
  readonly #behaviors: ReadonlyMap<string, Behavior>;
  #statistics: Statistics = NO_STATISTICS;
  #ownership: Ownership | undefined;
  readonly #stopped = new AbortController();
  /** V3 */
  #changed: Promise<void> = Promise.resolve();

  /** @param onFailed a supervisor at the top has failed: the node has to stop */
  constructor(
    private readonly deps: Deps,
    root: Branch,
    behaviors: readonly Behavior[],
    declared: readonly SupervisorSettings[],
    private readonly onFailed: (reason: ErrandError) => void,
  ) {
    this.#behaviors = new Map(behaviors.map((behavior) => [behavior.type, behavior]));
    this.#top = Supervisor.spawn(root, deps, behaviors, declared, (host, failure, error) => this.#escalated(host, failure, error));
  }

  /** Whoever gives up and takes partitions for this node. */
  actOn(ownership: Ownership): void {
    this.#ownership = ownership;
  }

  /** Every actor type of this node, in the order of the tree. */
  get hosts(): readonly Host[] {
    return this.#top.hosts;
  }

  /** Whether the actor type is at work on this node. */
  runs(type: string): boolean {
    return this.#top.runs(type);
  }

  view(): SupervisorView {
    return this.#top.view();
  }

  /** V2 */
  #escalated(host: Host, failure: LastFailure, error: Error): void {
    if (host.state !== 'running' || this.#stopped.signal.aborted) return;
    const { clock, random, signals, logger, redaction } = this.deps;
    const err = redaction.logged(error, host.type);
    const chance = random.uint32() * SHARE;
    const decision = decide(this.#top.tops, this.#statistics, { actor: host.type, chance }, clock.monotonic());
    this.#statistics = decision.statistics;
    const text = `${host.type}/${failure.key}: ${failure.code}: ${failure.message}`;
    for (const step of decision.steps) {
      const supervisor = this.#top.all.find(({ settings }) => settings.name === step.supervisor);
      if (supervisor === undefined) continue;
      const { escalations } = step;
      const { strategy, period } = supervisor.settings;
      const name = shownName(step.supervisor);
      supervisor.escalations += 1;
      supervisor.lastFailure = failure;
      if (step.kind === 'fails') {
        signals.emit({ kind: 'supervisor-failed', supervisor: name, escalations, period });
        logger.error({ supervisor: name, escalations, period, err }, `supervisor ${name} failed: ${text}`);
      } else {
        const { stops: actors, starts: restarts, delay } = decision;
        signals.emit({ kind: 'supervisor-restarts', supervisor: name, strategy, actors, restarts, escalations, delay });
        logger.warn({ supervisor: name, actors, delay, err }, `supervisor ${name} restarts ${restarts.join(', ')}: ${text}`);
      }
    }
    if (decision.stopsNode) {
      const { supervisor = '', escalations = 0 } = decision.steps.at(-1) ?? {};
      const name = shownName(supervisor);
      this.onFailed(
        new ErrandError('ESCALATED', `supervisor ${name} failed after ${escalations} escalations; the last: ${text}`, { cause: error }),
      );
    } else void this.#apply(decision, host, error);
  }

  /** V1. Never rejects. */
  async #apply({ stops, starts, delay }: Decision, failed: Host, error: Error): Promise<void> {
    const { clock, signals } = this.deps;
    const alive = this.hosts.filter(({ state }) => state !== 'stopped'); // V3
    const named = (types: readonly string[]): Host[] => types.flatMap((type) => alive.find((host) => host.type === type) ?? []);
    const restarted = new Map(named(starts).map((host) => [host, host.generation + 1]));
    const reason = new ErrandError('RESTARTED', `${failed.type} failed: ${failureCodeOf(error)}: ${error.message}`, {
      cause: error,
    });
    const retiring = named(stops).map(async (host) => {
      host.generation += 1;
      host.remember(host === failed ? error : reason);
      host.state = restarted.has(host) ? 'restarting' : 'stopped';
      await this.#ownership?.retire(host, reason, 0);
      if (!restarted.has(host)) signals.emit({ kind: 'actor-stopped', actor: host.type });
    });
    await Promise.all([...retiring, sleep(clock, delay, this.#stopped.signal).catch(() => undefined)]);
    if (this.#stopped.signal.aborted) return;
    for (const [host, generation] of restarted) {
      if (host.generation !== generation) continue; // V2
      host.respawn();
      host.state = 'running';
      signals.emit({ kind: 'actor-restarted', actor: host.type });
    }
    await this.#ownership?.admit();
  }

  /**
   * A branch at run time: its children are actor types that this system has and that nobody supervises, or nobody any more.
   * @throws DefinitionError `UNKNOWN_SUPERVISOR`, `DUPLICATE_SUPERVISOR`, `UNKNOWN_ACTOR`, `DUPLICATE_ACTOR`; ErrandError `STOPPED`
   */
  spawn(settings: SupervisorSettings, under: string | undefined): Promise<void> {
    return this.#change(() => this.#spawn(settings, under));
  }

  async #spawn(settings: SupervisorSettings, under: string | undefined): Promise<void> {
    const parent = under === undefined ? this.#top : this.#find(under);
    const taken = new Set(this.#top.all.map((one) => one.settings.name));
    const own = flat(settings);
    for (const { name } of own) {
      if (taken.has(name)) throw new DefinitionError('DUPLICATE_SUPERVISOR', `there is a supervisor '${name}' already`);
    }
    const left = new Map<string, Behavior>();
    const moved: Host[] = [];
    for (const { actor } of own.flatMap(({ children }) => children)) {
      const behavior = this.#behaviors.get(actor);
      if (behavior === undefined) throw new DefinitionError('UNKNOWN_ACTOR', unknown('actor', actor, [...this.#behaviors.keys()]));
      const host = this.hosts.find(({ type }) => type === actor);
      const declared = host !== undefined && this.#top.supervisors.some(({ hosts }) => hosts.includes(host));
      if (declared && host.state !== 'stopped') {
        throw new DefinitionError('DUPLICATE_ACTOR', `the actor '${actor}' is supervised already; stop that supervisor first`);
      }
      if (host !== undefined) moved.push(host);
      left.set(actor, behavior);
    }
    await this.#retire(moved);
    this.#assertRunning();
    for (const host of moved) this.#top.remove(host);
    const gone = [...this.#statistics.gone].filter((actor) => !left.has(actor));
    this.#statistics = { ...this.#statistics, gone: new Set(gone) };
    parent.add(settings, left, true);
    await this.#ownership?.admit();
  }

  /**
   * Takes a branch down: its actor types finish what they have in hand and give up their partitions, for other nodes to take.
   * @throws DefinitionError `UNKNOWN_SUPERVISOR`; ErrandError `STOPPED`
   */
  stop(name: string): Promise<void> {
    return this.#change(() => this.#stop(name));
  }

  async #stop(name: string): Promise<void> {
    const branch = this.#find(name);
    await this.#retire(branch.hosts);
    this.#top.remove(branch);
    const names = new Set(branch.all.map(({ settings }) => settings.name));
    const windows = new Map([...this.#statistics.windows].filter(([one]) => !names.has(one)));
    this.#statistics = { ...this.#statistics, windows }; // whoever comes back under one of these names begins anew
  }

  /** V3 */
  #change(make: () => Promise<void>): Promise<void> {
    const made = this.#changed.then(() => {
      this.#assertRunning();
      return make();
    });
    this.#changed = made.catch(() => undefined); // whoever asked for it hears of it
    return made;
  }

  #assertRunning(): void {
    if (this.#stopped.signal.aborted) throw new ErrandError('STOPPED', 'the system was stopped');
  }

  async #retire(hosts: readonly Host[]): Promise<void> {
    const { signals } = this.deps;
    const retiring = hosts.map(async (host) => {
      if (host.state === 'stopped') return;
      host.generation += 1;
      host.state = 'stopped';
      await this.#ownership?.retire(host, new ErrandError('STOPPED', `${host.type} is stopped`), HAND_OVER_MS);
      signals.emit({ kind: 'actor-stopped', actor: host.type });
    });
    await Promise.all(retiring);
  }

  #find(name: string): Supervisor {
    const below = this.#top.supervisors.flatMap(({ all }) => all);
    const found = below.find(({ settings }) => settings.name === name);
    if (found !== undefined) return found;
    const known = below.map(({ settings }) => settings.name);
    throw new DefinitionError('UNKNOWN_SUPERVISOR', unknown('supervisor', name, known));
  }

  /** No restart comes after this. */
  end(): void {
    this.#stopped.abort();
  }

  stopAll(): void {
    this.end();
    this.#top.stop();
  }
}

function flat(settings: SupervisorSettings): SupervisorSettings[] {
  return [settings, ...settings.supervisors.flatMap(flat)];
}
