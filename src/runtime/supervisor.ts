import { DefinitionError } from '../message/errors.js';
import { nearest } from '../message/nearest.js';
import type { Behavior } from './behavior.js';
import { type Deps, Host, type LastFailure } from './host.js';
import type { Branch } from './inbox.js';
import {
  type ChildSettings,
  DEFAULT_SUPERVISOR,
  defaultChildSettings,
  type Strategy,
  type SupervisorSettings,
} from './supervision-settings.js';
import type { Tree } from './supervision-strategy.js';

/** `restarting`: waiting for the end of a back-off; `stopped`: for good, on this node. */
export type SupervisionState = 'running' | 'restarting' | 'stopped';

/** A supervisor as data: what hangs below it on this node. Counts are since the node started. */
export interface SupervisorView {
  readonly name: string;
  readonly strategy: Strategy;
  /** `stopped` when nothing below it runs any more */
  readonly state: SupervisionState;
  /** escalations that it was asked to decide about, from below */
  readonly escalations: number;
  readonly lastFailure: LastFailure | undefined;
  readonly children: readonly ChildView[];
  readonly supervisors: readonly SupervisorView[];
}

export interface ChildView {
  readonly actor: string;
  readonly restart: 'permanent' | 'temporary';
  readonly state: SupervisionState;
  readonly escalations: number;
  readonly lastFailure: LastFailure | undefined;
  /** `open` when the messages of some type wait */
  readonly breaker: 'closed' | 'open';
  /** the types of messages that wait for a probe to succeed */
  readonly openFor: readonly string[];
  readonly activations: number;
  readonly partitions: readonly number[];
}

/** Actor types that no supervisor names hang below this one; in the tree it has a name that no user can give. */
const ROOT = 'root';
const ROOT_NAME = '/';

/** The supervisor's name as it is shown. */
export function shownName(name: string): string {
  return name === ROOT_NAME ? ROOT : name;
}

/** What to say of a name that nobody knows. */
export function unknown(what: string, name: string, known: readonly string[]): string {
  const suggestion = nearest(name, known);
  const hint = suggestion === undefined ? '' : `; did you mean '${suggestion}'?`;
  return `there is no ${what} '${name}'; known are ${known.length === 0 ? 'none' : known.join(', ')}${hint}`;
}

type Own = Omit<SupervisorSettings, 'children' | 'supervisors'>;
type MakeHost = (behavior: Behavior, settings: ChildSettings, parent: Branch) => Host;

/**
 * The tree: system → supervisor (nested) → actor type → activation, spawned from settings. Every supervisor of the settings stands on every
 * node; of its children, those that this node hosts.
 */
export class Supervisor {
  readonly #hosts: Host[] = [];
  readonly #supervisors: Supervisor[] = [];
  escalations = 0;
  lastFailure: LastFailure | undefined;

  private constructor(
    readonly settings: Own,
    private readonly branch: Branch,
    private readonly make: MakeHost,
  ) {}

  /**
   * @param declared children named by several supervisors were refused when the settings were read
   * @throws DefinitionError `UNKNOWN_ACTOR` for a child that is no actor of this system
   */
  static spawn(
    root: Branch,
    deps: Deps,
    behaviors: readonly Behavior[],
    declared: readonly SupervisorSettings[],
    onEscalation: (host: Host, failure: LastFailure, error: Error) => void,
  ): Supervisor {
    const left = new Map(behaviors.map((behavior) => [behavior.type, behavior]));
    const make: MakeHost = (behavior, settings, parent) => new Host(deps, behavior, settings, parent, onEscalation);
    const top = new Supervisor({ ...DEFAULT_SUPERVISOR, name: ROOT_NAME }, root.branch(ROOT), make);
    for (const settings of declared) top.add(settings, left, behaviors.length > 0);
    for (const behavior of left.values()) top.#host(behavior, defaultChildSettings(behavior.type));
    return top;
  }

  /**
   * A branch below this one.
   * @param left behaviors that hang nowhere yet; those that are named are taken out
   * @param strict whether a child that is not among them is a fault; a client hosts none
   */
  add(settings: SupervisorSettings, left: Map<string, Behavior>, strict: boolean): Supervisor {
    const below = new Supervisor(settings, this.branch.branch(settings.name), this.make);
    this.#supervisors.push(below);
    for (const child of settings.children) {
      const behavior = left.get(child.actor);
      if (behavior !== undefined) {
        left.delete(child.actor);
        below.#host(behavior, child);
      } else if (strict) {
        throw new DefinitionError('UNKNOWN_ACTOR', `supervisor '${settings.name}': ${unknown('actor', child.actor, [...left.keys()])}`);
      }
    }
    for (const inner of settings.supervisors) below.add(inner, left, strict);
    return below;
  }

  #host(behavior: Behavior, settings: ChildSettings): void {
    this.#hosts.push(this.make(behavior, settings, this.branch));
  }

  /** Takes an actor type, or a whole branch, out of the tree. */
  remove(member: Host | Supervisor): void {
    for (const list of [this.#hosts, this.#supervisors] as (Host | Supervisor)[][]) {
      const at = list.indexOf(member);
      if (at >= 0) list.splice(at, 1)[0]?.stop();
    }
    for (const below of this.#supervisors) below.remove(member);
  }

  /** Every actor type below, in the order of the tree. */
  get hosts(): readonly Host[] {
    return [...this.#hosts, ...this.#supervisors.flatMap(({ hosts }) => hosts)];
  }

  /** Whether the actor type is at work somewhere below. Asked for each message, so it makes nothing. */
  runs(type: string): boolean {
    for (const host of this.#hosts) if (host.type === type && host.state !== 'stopped') return true;
    for (const below of this.#supervisors) if (below.runs(type)) return true;
    return false;
  }

  get supervisors(): readonly Supervisor[] {
    return this.#supervisors;
  }

  /** This one and all below. */
  get all(): readonly Supervisor[] {
    return [this, ...this.#supervisors.flatMap(({ all }) => all)];
  }

  /** What the strategy decides on. */
  get tree(): Tree {
    return {
      ...this.settings,
      children: this.#hosts.map(({ settings }) => settings),
      supervisors: this.#supervisors.map(({ tree }) => tree),
    };
  }

  /** Nobody stands above these: the declared ones, and the one that holds what nobody declared. */
  get tops(): readonly Tree[] {
    return [{ ...this.tree, supervisors: [] }, ...this.#supervisors.map(({ tree }) => tree)];
  }

  view(): SupervisorView {
    const states = this.hosts.map(({ state }) => state);
    return {
      name: shownName(this.settings.name),
      strategy: this.settings.strategy,
      state: states.includes('restarting') ? 'restarting' : states.length > 0 && !states.includes('running') ? 'stopped' : 'running',
      escalations: this.escalations,
      lastFailure: this.lastFailure,
      children: this.#hosts.map(({ type, settings, state, escalations, lastFailure, breakers, active, partitions }) => ({
        actor: type,
        restart: settings.restart,
        state,
        escalations,
        lastFailure,
        breaker: breakers.open.length > 0 ? 'open' : 'closed',
        openFor: breakers.open,
        activations: active,
        partitions: [...partitions.keys()].sort((a, b) => a - b),
      })),
      supervisors: this.#supervisors.map((below) => below.view()),
    };
  }

  stop(): void {
    for (const host of this.hosts) host.stop();
    this.branch.stop();
  }
}
