import { ErrandError } from '../../src/index.js';
import type { Message } from './shadow.js';
import type { SimNode } from './sim-node.js';
import type { Simulation } from './simulation.js';
import { FAR_MS } from './world.js';

/** Between two looks at what waits for hours, once all has healed. */
const AGAIN_MS = 300;

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

/**
 * People who cancel: whatever waits, runs, is parked or scheduled, is on its way from one to the other, and now and then what is over. In the end
 * whatever would wait for hours is cancelled; who was told `cancelled` asks no second time.
 */
export class Cancellers {
  readonly wishes: Wish[] = [];
  /** when somebody last asked for what would wait for hours, ms */
  lastAsked = 0;
  /** how likely a message is cancelled at the moment at which it is told, or fails */
  #eager = 0;

  constructor(private readonly simulation: Simulation) {}

  plan(span: number): void {
    const { chance, clock } = this.simulation;
    this.#eager = chance.oneOf([0, 0.1, 0.3]);
    for (let count = chance.oneOf([0, 0, 4, 12, 24]); count > 0; count -= 1) {
      clock.after(chance.below(span), () => {
        const id = this.#choose();
        this.#severally(id, this.#wait(id));
      });
    }
  }

  /** Sometimes two at one moment. */
  #severally(id: string, wait = 0, at?: SimNode): void {
    for (let times = this.simulation.chance.oneOf([1, 1, 1, 2]); times > 0; times -= 1) this.cancelSoon(id, wait, at);
  }

  /** A message is told, or will be now: it may be on its way to the schedule, or behind a waiting key, while it is looked for. */
  told(id: string): void {
    if (this.simulation.chance.yes(this.#eager)) this.#overtake(id);
  }

  /** What becomes of it is on its way: a retry, parking, its end. */
  failed(id: string): void {
    if (this.simulation.chance.yes(this.#eager)) this.#overtake(id);
  }

  /** All others are slow for a moment: a commit of theirs that is on its way comes after the mark. */
  #overtake(id: string): void {
    const { chance, clock, nodes, store } = this.simulation;
    const well = nodes.filter((node) => node.well && !store.slow.has(node));
    const at = chance.oneOf(well);
    if (at === undefined) return;
    const others = well.filter((node) => node !== at);
    const ms = chance.between(5, 40);
    for (const node of others) store.slow.set(node, ms);
    clock.after(ms, () => {
      for (const node of others) store.slow.delete(node);
    });
    this.#severally(id, chance.below(ms), at);
  }

  /** Somebody was told that it is cancelled, and can rely on it: the end of the log is not lost. */
  granted(id: string): boolean {
    return !this.simulation.torn && this.wishes.some((wish) => wish.id === id && wish.answer === 'cancelled');
  }

  /** From now on whatever waits for hours is cancelled. Nobody asks again who was answered. */
  endAll(): void {
    const { clock } = this.simulation;
    const again = (): void => {
      for (const id of this.#far) {
        if (this.granted(id) || this.wishes.some((wish) => wish.id === id && this.#waits(wish))) continue;
        this.lastAsked = clock.monotonic();
        this.#cancel(id);
      }
      clock.after(AGAIN_MS, again);
    };
    again();
  }

  /** Commands that wait for hours: where they are scheduled, or behind whatever waits. */
  get #far(): string[] {
    const { clock, witness } = this.simulation;
    const { scheduled, asides, dues } = witness.shadow;
    const late = clock.now() + FAR_MS / 2;
    const later = [...scheduled.values()].flatMap((messages) => [...messages.values()]).filter(({ due }) => (due ?? 0) > late);
    const waiting = [...asides].flatMap(([list, messages]) => {
      const due = dues.get(list) ?? 0;
      return due > late && Number.isFinite(due) ? messages : [];
    });
    return [...later, ...waiting].filter(({ kind }) => kind === 'command').map(({ id }) => id);
  }

  #waits({ open, at }: Wish): boolean {
    return open && !at.dead && !at.stopped;
  }

  /** What is scheduled may be cancelled when it goes back to the inbox. @returns how long to wait for that, ms */
  #wait(id: string): number {
    const { chance, clock, witness } = this.simulation;
    const scheduled = [...witness.shadow.scheduled.values()].flatMap((messages) => [...messages.values()]);
    const { due = 0 } = scheduled.find((message) => message.id === id) ?? {};
    return due > 0 && chance.yes(0.7) ? Math.max(0, due - clock.now() - chance.below(6)) : 0;
  }

  cancelSoon(id: string, wait = 0, at?: SimNode): void {
    const { chance, clock } = this.simulation;
    clock.after(wait + chance.below(3), () => this.#cancel(id, at));
  }

  /** Nobody waits for an answer, unless from a node that is gone. */
  get done(): boolean {
    return !this.wishes.some((wish) => this.#waits(wish));
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
    return (
      results.has(id) ||
      places.some((messages) => [...messages.values()].some((message) => message.id === id && message.kind === 'command'))
    );
  }

  #cancel(id: string, by?: SimNode): void {
    const { chance, nodes, witness, history, counts } = this.simulation;
    const well = nodes.filter((node) => node.well);
    if (well.length === 0) return;
    if (!nodes.some(({ hosts, system }) => hosts && system !== undefined)) counts.add('wish before anybody has hosted an actor type');
    const far = this.#far.includes(id);
    const at = by !== undefined && by.well ? by : chance.oneOf(well);
    const wish: Wish = { id, at, known: this.#known(id), answer: undefined, lie: undefined, open: true };
    this.wishes.push(wish);
    witness.fates.unwanted.add(id);
    history.note(at.name, `is told to cancel ${id}`);
    void at.system?.cancel(id).then(
      (answer) => {
        wish.open = false;
        wish.answer = answer;
        if (far && answer === 'cancelled') counts.add('command that would have waited for hours and was cancelled');
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
