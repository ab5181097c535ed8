import type { Suspect } from '../log/suspects.js';
import { asError, ErrandError } from '../message/errors.js';
import { KILLS_TO_CONDEMN } from '../message/limits.js';
import type { Activation, Handled, Surroundings } from './activation.js';
import type { Gathering } from './committer.js';
import type { Held } from './held.js';

/** It went aside while it waited. */
const isOver = ({ stage }: Held): boolean => stage === 'over';

/** What stands between a message's turn in its inbox and its handler: the breaker, a free slot, the gate; and, for the next one, its commit. */
export class Admission {
  constructor(private readonly around: Surroundings) {}

  /**
   * The inbox's receiver; never throws or rejects. A message whose slot is free, whose state is in memory and whose handler answers at once
   * waits for nothing but its commit, and makes no promise but the one for that.
   */
  receive(activation: Activation, held: Held): Promise<void> | undefined {
    const { closing, host } = this.around;
    if (closing || isOver(held)) return undefined;
    return host.breaker.open ? this.#inTurn(activation, held) : this.#work(activation, held, this.#end);
  }

  /** While the breaker is open. */
  async #inTurn(activation: Activation, held: Held): Promise<void> {
    const { around } = this;
    const { breaker } = around.host;
    const probe = await breaker.turn();
    const leave = (): void => {
      if (probe) breaker.leave();
    };
    if (around.closing || isOver(held)) return leave();
    await this.#work(activation, held, () => {
      leave();
      this.#end();
    });
  }

  readonly #end = (): void => this.around.inHand.end();

  #work(activation: Activation, held: Held, end: () => void): Promise<void> | undefined {
    const { host, inHand } = this.around;
    activation.begin(held);
    inHand.begin();
    return host.slots.tryTake() ? this.#inSlot(activation, held, end) : host.slots.turn().then(() => this.#inSlot(activation, held, end));
  }

  #inSlot(activation: Activation, held: Held, end: () => void): Promise<void> | undefined {
    const { around } = this;
    let handled: Handled;
    try {
      handled = around.cancellations.has(held) ? around.cancel(held) : this.#begun(activation, held);
    } catch (thrown) {
      handled = this.#broken(held, thrown);
    }
    if (!(handled instanceof Promise)) return this.#outOfSlot(handled, end);
    return handled.catch((thrown: unknown) => this.#broken(held, thrown)).then((late) => this.#outOfSlot(late, end));
  }

  #outOfSlot(handled: Gathering | undefined, end: () => void): Promise<void> | undefined {
    this.around.host.slots.give();
    if (handled !== undefined && !this.around.behavior.pipelined) return handled.done.then(end); // A1
    end();
    return undefined;
  }

  /**
   * Only what goes wrong around the handler comes here. When the state cannot be loaded, the partition is being dropped; all else is a fault
   * in errand, and the message must not stand in its key's way for ever. Never throws: what was taken for the message is given back after it.
   */
  #broken(held: Held, thrown: unknown): undefined {
    const { around } = this;
    const error = asError(thrown);
    try {
      around.verdicts.attemptFailed(held, error);
      if (!around.closing) around.deadLetter(held, 'BROKEN_INVARIANT', error);
    } catch (fault) {
      around.verdicts.fault(`${around.behavior.type}/${held.envelope.subject}`, asError(fault));
    }
    return undefined;
  }

  #begun(activation: Activation, held: Held): Handled {
    const suspect = this.around.suspect(held);
    return suspect === undefined ? this.#amongOthers(activation, held) : this.#alone(activation, held, suspect);
  }

  #amongOthers(activation: Activation, held: Held): Handled {
    const { gate } = this.around.host.deps;
    return gate.tryEnter() ? this.#inside(activation, held) : gate.enter().then(() => this.#inside(activation, held));
  }

  /** Handles it, and leaves the gate however that ends. */
  #inside(activation: Activation, held: Held): Handled {
    const { gate } = this.around.host.deps;
    let handled: Handled;
    try {
      handled = this.around.closing ? undefined : activation.handle(held);
    } catch (thrown) {
      gate.leave();
      throw thrown;
    }
    if (handled instanceof Promise) return handled.finally(() => gate.leave());
    gate.leave();
    return handled;
  }

  /** It may have killed its process: nothing else runs on this node until it is settled, so that nobody else is blamed. */
  async #alone(activation: Activation, held: Held, suspect: Suspect): Promise<Gathering | undefined> {
    const { around } = this;
    if (around.closing) return undefined;
    if (suspect.kills >= KILLS_TO_CONDEMN) {
      const text = `its process ended without a word each of the ${suspect.kills} times that it ran alone`;
      return around.deadLetter(held, 'POISON', new ErrandError('POISON', text));
    }
    return around.host.deps.gate.alone(async () => {
      if (around.closing || !(await around.beginAlone(held, suspect)) || around.closing) return undefined;
      const gathering = await activation.handle(held);
      await gathering?.done;
      return gathering;
    });
  }
}
