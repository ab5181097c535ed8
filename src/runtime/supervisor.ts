import { DefinitionError } from '../message/errors.js';
import type { Behavior } from './behavior.js';
import { type Deps, Host } from './host.js';
import type { Branch } from './inbox.js';
import {
  type ChildSettings,
  DEFAULT_SUPERVISOR,
  defaultChildSettings,
  type Strategy,
  type SupervisorSettings,
} from './supervision-settings.js';

/** A supervisor as data: what hangs below it on this node. */
export interface SupervisorView {
  readonly name: string;
  readonly strategy: Strategy;
  readonly children: readonly {
    readonly actor: string;
    readonly restart: 'permanent' | 'temporary';
    readonly activations: number;
    readonly partitions: readonly number[];
  }[];
  readonly supervisors: readonly SupervisorView[];
}

/** Actor types that no supervisor names hang below this one. */
const ROOT = 'root';

/**
 * The tree: system → supervisor (nested) → actor type → activation, spawned from settings. Every supervisor of the settings stands on every
 * node; of its children, those that this node hosts.
 */
export class Supervisor {
  readonly #hosts: Host[] = [];
  readonly #supervisors: Supervisor[] = [];

  private constructor(
    private readonly settings: Omit<SupervisorSettings, 'children' | 'supervisors'>,
    private readonly branch: Branch,
  ) {}

  /**
   * @param declared children named by several supervisors were refused when the settings were read
   * @throws DefinitionError `UNKNOWN_ACTOR` for a child that is no actor of this system
   */
  static spawn(root: Branch, deps: Deps, behaviors: readonly Behavior[], declared: readonly SupervisorSettings[]): Supervisor {
    const left = new Map(behaviors.map((behavior) => [behavior.type, behavior]));
    const top = new Supervisor({ ...DEFAULT_SUPERVISOR, name: ROOT }, root.branch(ROOT));
    for (const settings of declared) top.#add(deps, settings, left, behaviors.length > 0);
    for (const behavior of left.values()) top.#host(deps, behavior, defaultChildSettings(behavior.type));
    return top;
  }

  #add(deps: Deps, settings: SupervisorSettings, left: Map<string, Behavior>, strict: boolean): void {
    const below = new Supervisor(settings, this.branch.branch(settings.name));
    this.#supervisors.push(below);
    for (const child of settings.children) {
      const behavior = left.get(child.actor);
      if (behavior !== undefined) {
        left.delete(child.actor);
        below.#host(deps, behavior, child);
      } else if (strict) {
        const known = [...left.keys()].join(', ');
        throw new DefinitionError(
          'UNKNOWN_ACTOR',
          `supervisor '${settings.name}': there is no actor '${child.actor}'; known are ${known === '' ? 'none' : known}`,
        );
      }
    }
    for (const inner of settings.supervisors) below.#add(deps, inner, left, strict);
  }

  #host(deps: Deps, behavior: Behavior, settings: ChildSettings): void {
    this.#hosts.push(new Host(deps, behavior, settings, this.branch.branch(behavior.type)));
  }

  /** Every actor type below, in the order of the tree. */
  get hosts(): readonly Host[] {
    return [...this.#hosts, ...this.#supervisors.flatMap(({ hosts }) => hosts)];
  }

  view(): SupervisorView {
    const { name, strategy } = this.settings;
    const children = this.#hosts.map(({ type, settings, active, partitions }) => ({
      actor: type,
      restart: settings.restart,
      activations: active,
      partitions: [...partitions.keys()].sort((a, b) => a - b),
    }));
    return { name, strategy, children, supervisors: this.#supervisors.map((below) => below.view()) };
  }

  stop(): void {
    for (const host of this.hosts) host.stop();
    this.branch.stop();
  }
}
