import type { SimNode } from './sim-node.js';
import type { Simulation } from './simulation.js';
import type { Wire } from './wire.js';
import { LEASE_MS, NAME, PARTITION_TYPES, SHARDS } from './world.js';

/** How often Redis is killed in a run that is about that, beside all else. */
const TORN_CRASHES = 2;

/** What goes wrong in one run, and when. */
export class Faults {
  /** what happened, in order */
  readonly names: string[] = [];
  readonly #repairs = new Set<() => void>();
  #healed = false;
  #rewound = false;

  constructor(private readonly simulation: Simulation) {}

  plan(span: number): void {
    const { chance, clock } = this.simulation;
    const kinds = Object.entries(this.#kinds);
    // Few kinds at a time: what happens often together finds what needs the two.
    const favoured = Array.from({ length: chance.between(1, 5) }, () => chance.oneOf(kinds));
    const count = chance.oneOf([0, 2, 4, 8, 16]);
    if (this.simulation.torn)
      for (let i = 0; i < TORN_CRASHES; i += 1) clock.after(chance.below(span), () => this.#healed || this.#crash());
    // One that is refused while another is under way: that takes many.
    if (chance.yes(0.2)) {
      this.names.push('a tenth of all commits is refused');
      this.simulation.store.refusedCommits = 0.1;
    }
    for (let i = 0; i < count; i += 1) {
      clock.after(chance.below(span), () => {
        if (this.#healed) return;
        const [name, fault] = chance.oneOf(chance.yes(0.7) ? favoured : kinds);
        this.names.push(name);
        this.simulation.history.note('fault', name);
        fault();
      });
    }
  }

  /** All is well from now on: whoever stood still goes on, clocks are right, and somebody hosts every actor. */
  heal(): void {
    this.#healed = true;
    for (const repair of [...this.#repairs]) repair();
    const { nodes, store, chance } = this.simulation;
    for (const node of nodes) {
      node.clock.skew = 0;
      node.thaw(chance.yes(0.5));
    }
    store.command('CONFIG', 'SET', 'maxmemory', '0');
    store.command('CLIENT', 'UNPAUSE');
    store.refuses = { until: 0, share: 1 };
    store.unansweredCommits = store.refusedCommits = 0;
    // Its owner sees it with the next fact.
    if (this.#rewound) this.simulation.tellers.publishEverywhere();
    if (!nodes.some((node) => node.hosts && !node.dead && !node.draining)) this.simulation.add(true);
  }

  /** Undoes something after a while, or when all heals. */
  #for(ms: number, repair: () => void): void {
    const once = (): void => {
      if (this.#repairs.delete(once)) repair();
    };
    this.#repairs.add(once);
    this.simulation.clock.after(ms, once);
  }

  #node(fits: (node: SimNode) => boolean = () => true): SimNode | undefined {
    const { nodes, chance } = this.simulation;
    const found = nodes.filter((node) => !node.dead && !node.stopped && fits(node));
    return found.length === 0 ? undefined : chance.oneOf(found);
  }

  #wires(): Wire[] {
    const { chance, store } = this.simulation;
    const purpose = chance.oneOf(['control', 'control', 'append', 'read', undefined]);
    const share = chance.oneOf([0.5, 1]);
    return [...store.wires].filter((wire) => !wire.over && (purpose === undefined || wire.purpose === purpose) && chance.yes(share));
  }

  /** Shorter than the lease, about as long, or longer. */
  #while(): number {
    return this.simulation.chance.oneOf([0.05, 0.3, 0.9, 1.2, 2]) * LEASE_MS;
  }

  readonly #kinds: Readonly<Record<string, () => void>> = {
    'connections break': () => {
      for (const wire of this.#wires()) wire.cut();
    },
    'connections break in the middle of a request': () => {
      for (const wire of this.#wires()) wire.cutAtNext('up');
    },
    'connections break before a reply': () => {
      for (const wire of this.#wires()) wire.cutAtNext('down');
    },
    'commits are not answered': () => {
      this.simulation.store.unansweredCommits += this.simulation.chance.between(1, 4);
    },
    'connections die silently': () => {
      const direction = this.simulation.chance.oneOf(['up', 'down', 'both'] as const);
      for (const wire of this.#wires()) wire.blackHole(direction);
    },
    'a node is cut off': () => {
      const node = this.#node();
      if (node === undefined) return;
      const { store } = this.simulation;
      store.unreachable.add(node);
      for (const wire of store.wires) if (wire.near === node) wire.blackHole('both');
      this.#for(this.#while(), () => store.unreachable.delete(node));
    },
    'the network of a node is slow': () => {
      const node = this.#node();
      if (node === undefined) return;
      const { store, chance } = this.simulation;
      store.slow.set(node, chance.oneOf([5, 40, 300, 1.1 * LEASE_MS]));
      this.#for(this.#while(), () => store.slow.delete(node));
    },
    'a node is killed': () => {
      const { nodes, tellers, clock, chance } = this.simulation;
      const node = this.#node();
      if (node === undefined) return;
      node.kill();
      tellers.gone(node);
      if (nodes.filter(({ dead, draining }) => !dead && !draining).length < 3)
        clock.after(chance.below(300), () => this.#healed || this.simulation.add(node.hosts || chance.yes(0.5)));
    },
    'a node stands still': () => {
      const node = this.#node(({ frozen }) => !frozen);
      if (node === undefined) return;
      node.freeze();
      this.#for(this.#while(), () => node.thaw(this.simulation.chance.yes(0.5)));
    },
    'the clock of a node jumps': () => {
      const node = this.#node();
      if (node === undefined) return;
      node.clock.skew += this.simulation.chance.oneOf([-800, -50, 50, 800]);
      this.simulation.ahead = Math.max(this.simulation.ahead, node.clock.skew);
    },
    'a node joins': () => {
      if (this.simulation.nodes.filter(({ dead, draining }) => !dead && !draining).length < 4) this.simulation.add(true);
    },
    'a node drains': () => {
      const node = this.#node(({ well }) => well);
      if (node === undefined) return;
      node.drain(this.simulation.chance.oneOf([0, 30, 2_000]));
    },
    'Redis is killed and starts again': () => this.#crash(),
    'Redis stands still': () => {
      const { engine } = this.simulation.store;
      engine.pause();
      this.#for(this.#while(), () => engine.resume());
    },
    'clients are paused': () => {
      const { store, chance } = this.simulation;
      store.command('CLIENT', 'PAUSE', String(Math.floor(this.#while())), chance.oneOf(['ALL', 'WRITE']));
    },
    'the scripts are flushed': () => {
      const { store, clock, chance } = this.simulation;
      for (let i = chance.between(1, 6); i > 0; i -= 1) clock.after(chance.below(60), () => store.command('SCRIPT', 'FLUSH'));
    },
    'the memory is full': () => {
      const { store } = this.simulation;
      store.command('CONFIG', 'SET', 'maxmemory', '1');
      this.#for(this.#while(), () => store.command('CONFIG', 'SET', 'maxmemory', '0'));
    },
    'writes are refused': () => {
      const { store, clock, chance } = this.simulation;
      store.refuses = { until: clock.monotonic() + chance.oneOf([2, 20, 200, 500]), share: 1 };
    },
    'some writes are refused': () => {
      const { store, clock, chance } = this.simulation;
      store.refuses = { until: clock.monotonic() + chance.oneOf([20, 200, 500]), share: chance.oneOf([0.1, 0.5]) };
    },
    'somebody takes a partition': () => {
      const { store, clock, chance } = this.simulation;
      const until = String(clock.now() + chance.below(LEASE_MS));
      store.command('HSET', this.#partition(), 'nonce', `thief ${chance.below(1e9)}`, 'node', 'thief', 'until', until);
    },
    'somebody rewinds a subscription': () => {
      const { store, chance, witness } = this.simulation;
      const partition = this.#partition();
      const cursor = chance.oneOf([...(witness.shadow.facts.values().next().value ?? []).map(({ entry }) => entry), '0-0']);
      if (!/:(ear|tally):/.test(partition)) return;
      store.command('HSET', partition, 'cursor:heard', cursor);
      this.#rewound = true;
    },
  };

  #partition(): string {
    const { chance } = this.simulation;
    return `{${NAME}:${chance.below(SHARDS)}}:${chance.oneOf(PARTITION_TYPES)}:partition`;
  }

  /** With all that was written, or in a torn run without what had not reached the disk. */
  #crash(): void {
    const { store, chance, torn, witness } = this.simulation;
    if (store.engine.down) return;
    this.names.push('Redis is killed');
    this.simulation.history.note('fault', 'Redis is killed');
    store.engine.crash(torn ? chance.oneOf([1, 3, 10, 30, 60]) : 0);
    this.#for(this.#while(), () => {
      if (torn) witness.replay(() => store.engine.restart());
      else store.engine.restart();
    });
  }
}
