import { ErrandError } from '../../src/index.js';
import type { Message } from './shadow.js';
import type { SimNode } from './sim-node.js';
import type { Simulation } from './simulation.js';
import { NAME, PARTITION_TYPES } from './world.js';

/** The id of a message that nobody ever told. */
const NOBODY = '0.nobody';

/** Somebody's wish that a message does not complete. */
export interface Wish {
  readonly id: string;
  readonly at: SimNode;
  /** there was such a message when it was wished */
  readonly known: boolean;
  /** undefined: nobody answered */
  answer: 'cancelled' | 'too-late' | undefined;
  /** it was said to be too late, and was not */
  lie: string | undefined;
  open: boolean;
}

/** People who cancel: whatever waits, runs, is parked or scheduled, and now and then what is over. */
export class Cancellers {
  readonly wishes: Wish[] = [];

  constructor(private readonly simulation: Simulation) {}

  plan(span: number): void {
    const { chance, clock } = this.simulation;
    for (let count = chance.oneOf([0, 0, 4, 12, 24]); count > 0; count -= 1) {
      const times = chance.oneOf([1, 1, 1, 2]); // two at one moment
      clock.after(chance.below(span), () => {
        const id = this.#choose();
        for (let i = 0; i < times; i += 1) this.cancelSoon(id, this.#wait(id));
      });
    }
  }

  /** What is scheduled may be cancelled when it goes back to the inbox. @returns how long to wait for that, ms */
  #wait(id: string): number {
    const { chance, clock, witness } = this.simulation;
    const scheduled = [...witness.shadow.scheduled.values()].flatMap((messages) => [...messages.values()]);
    const { due = 0 } = scheduled.find((message) => message.id === id) ?? {};
    return due > 0 && chance.yes(0.7) ? Math.max(0, due - clock.now() - chance.below(6)) : 0;
  }

  cancelSoon(id: string, wait = 0): void {
    const { chance, clock } = this.simulation;
    clock.after(wait + chance.below(3), () => this.#cancel(id));
  }

  /** Nobody waits for an answer, unless from a node that is gone. */
  get done(): boolean {
    return this.wishes.every(({ open, at }) => !open || at.dead || at.stopped);
  }

  /** Of what waits anywhere, what is parked or scheduled is picked as often as all else. */
  #choose(): string {
    const { chance, witness, tellers } = this.simulation;
    const { inboxes, asides, scheduled, results } = witness.shadow;
    const all = (places: Iterable<Iterable<Message>>): Message[] => [...places].flatMap((messages) => [...messages]);
    const parked = witness.letters.all.filter((letter) => letter.parked).map(({ message }) => message);
    const later = all([...scheduled.values()].map((messages) => messages.values()));
    const others = all([...[...inboxes.values()].map((messages) => messages.values()), ...asides.values()]);
    const places = [parked, later, others, others].map((messages) => messages.filter(({ kind }) => kind === 'command'));
    const waiting = chance.oneOf(places.filter(({ length }) => length > 0));
    if (waiting !== undefined && chance.yes(0.8)) return chance.oneOf(waiting).id;
    return chance.oneOf([...results.keys(), ...tellers.idsToCome, NOBODY]);
  }

  #known(id: string): boolean {
    const { inboxes, asides, scheduled, results } = this.simulation.witness.shadow;
    const places = [...inboxes.values(), ...asides.values(), ...scheduled.values()];
    return results.has(id) || places.some((messages) => [...messages.values()].some((message) => message.id === id));
  }

  #cancel(id: string): void {
    const { chance, nodes, witness, history, peek } = this.simulation;
    const well = nodes.filter((node) => node.well);
    // Of two who wish it at the moment it is told, the one who looked before takes away the mark that the other relies on: not promised
    // (test/runtime/cancel-gaps.test.ts).
    const early = this.wishes.some((wish) => wish.id === id && !wish.known && wish.answer === undefined);
    // Nor that a message is found whose actor type no node has ever hosted.
    const recorded = peek('HMGET', `${NAME}:system`, ...PARTITION_TYPES.map((type) => `actor:${type}`)) as unknown[];
    if (well.length === 0 || early || recorded.includes(null)) return;
    const at = chance.oneOf(well);
    const wish: Wish = { id, at, known: this.#known(id), answer: undefined, lie: undefined, open: true };
    this.wishes.push(wish);
    witness.fates.unwanted.add(id);
    history.note(at.name, `is told to cancel ${id}`);
    void at.system?.cancel(id).then(
      (answer) => {
        wish.open = false;
        wish.answer = answer;
        if (answer === 'too-late') wish.lie = this.#tooEarly(wish);
        history.note(at.name, `says that ${id} is ${answer}`);
      },
      (error: unknown) => {
        wish.open = false;
        history.note(at.name, `could not cancel ${id}: ${String(error)}`);
        if (!(error instanceof ErrandError)) witness.violations.push({ check: 'whatever is thrown is typed', text: String(error) });
      },
    );
  }

  /** It is too late only for what has its outcome. */
  #tooEarly({ id, known }: Wish): string | undefined {
    const result = this.simulation.witness.shadow.results.get(id)?.[0];
    if (result === undefined) return known ? 'it had no outcome' : undefined;
    return isCancelled(result) ? 'it was cancelled' : undefined;
  }
}

export function isCancelled({ status, data }: { readonly status: string; readonly data: string }): boolean {
  return status === 'failed' && (JSON.parse(data) as { code: string }).code === 'CANCELLED';
}
