import { ErrandError } from '../../src/index.js';
import { whatOf } from './fates.js';
import { nameOf, POISON } from './letters.js';
import type { Letter } from './shadow.js';
import type { SimNode } from './sim-node.js';
import type { Simulation } from './simulation.js';

/** Between two looks for what is parked, once all has healed. */
const AGAIN_MS = 300;

/** People who look after dead letters: they mend what a message met, or not, then redrive or discard, through whatever node is well. */
export class Menders {
  /** what they were told to be redriven */
  readonly answered: { readonly letter: string; readonly messageId: string }[] = [];
  /** those who ask, each at its node */
  readonly #asking = new Set<{ readonly at: SimNode }>();

  /** when somebody last asked for what nobody waited for, once all had healed, ms */
  lastAsked = 0;
  #ending = false;
  /** so many rounds are still to come, whether somebody waits for them or not */
  #last = 0;

  constructor(private readonly simulation: Simulation) {}

  plan(span: number): void {
    const { chance, clock } = this.simulation;
    for (let rounds = chance.oneOf([0, 2, 4, 8]); rounds > 0; rounds -= 1) clock.after(chance.below(span), () => this.#rounds());
  }

  /** Several at one moment ask for the same letters. */
  #rounds(): void {
    const { chance, clock } = this.simulation;
    for (let same = chance.oneOf([1, 1, 2]); same > 0; same -= 1) clock.after(chance.below(5), () => this.#round(0.6));
  }

  /** From now on no parked message is left alone. */
  endAll(): void {
    const { clock, chance } = this.simulation;
    this.#ending = true;
    this.#last = chance.below(3);
    const again = (): void => {
      if (this.#parked.length > 0) this.#round(1);
      else if (this.#last > 0) {
        this.lastAsked = clock.monotonic();
        this.#rounds();
      }
      this.#last -= 1;
      clock.after(AGAIN_MS, again);
    };
    again();
  }

  /** Nobody waits for an answer, unless from a node that is gone. */
  get done(): boolean {
    return this.#last <= 0 && [...this.#asking].every(({ at }) => at.dead || at.stopped);
  }

  /** Once all has healed, those who were told that a message is cancelled rely on it: nobody else touches it. */
  get #parked(): Letter[] {
    const { witness, cancellers } = this.simulation;
    return witness.letters.all.filter(({ parked, message }) => parked && !(this.#ending && cancellers.granted(message.id)));
  }

  /** @param mends how likely what the messages met is mended before */
  #round(mends: number): void {
    const { chance, nodes, witness, history, outside, cancellers } = this.simulation;
    const node = chance.oneOf(nodes.filter(({ well }) => well));
    const letters = witness.letters.all;
    const parked = this.#parked;
    const one = chance.oneOf(parked.length > 0 ? parked : letters);
    if (node === undefined || one === undefined) return;
    const granted = this.#ending && letters.some(({ parked: waits, message }) => waits && cancellers.granted(message.id));
    const target = granted ? nameOf(one) : chance.oneOf([nameOf(one), { actor: one.actor }, { key: one.message.key }, {}]);
    for (const letter of letters) if (chance.yes(mends) || letter.reason === POISON) outside.mend(whatOf(letter.message));
    const verb = chance.yes(0.7) ? 'redrive' : 'discard';
    // Somebody else has another wish for the same message.
    if (one.parked && one.message.kind === 'command' && chance.yes(0.4)) cancellers.cancelSoon(one.message.id);
    history.note(node.name, `is told to ${verb} ${JSON.stringify(target)}`);
    void this.#tend(node, verb, target).then(
      (said) => history.note(node.name, `has ${verb}n: ${said}`),
      (error: unknown) => {
        history.note(node.name, `could not ${verb}: ${String(error)}`);
        if (!(error instanceof ErrandError)) witness.violations.push({ check: 'whatever is thrown is typed', text: String(error) });
      },
    );
  }

  async #tend(at: SimNode, verb: 'redrive' | 'discard', target: string | object): Promise<string> {
    const { system } = at;
    if (system === undefined) return 'nothing';
    const asking = { at };
    this.#asking.add(asking);
    try {
      if (verb === 'discard') return String(await system.deadLetters.discard(target));
      const redriven = await system.deadLetters.redrive(target);
      this.answered.push(...redriven);
      return redriven.map(({ letter, messageId }) => `${letter} as ${messageId}`).join(', ');
    } finally {
      this.#asking.delete(asking);
    }
  }
}
