import type { Suspect } from '../log/suspects.js';
import { asError, ErrandError } from '../message/errors.js';
import { KILLS_TO_CONDEMN } from '../message/limits.js';
import type { Activation, Handled, Surroundings } from './activation.js';
import type { Breaker } from './breaker.js';
import type { Gathering, Waiting } from './committer.js';
import type { Held } from './held.js';

/** It went aside while it waited. */
const isOver = ({ stage }: Held): boolean => stage === 'over';

/**
 * What stands between a message's turn in its inbox and its handler: the breaker, a free slot, the gate; and, for the next one,
 * its commit. What has to wait does so in a method of its own: a closure, were it made or not, would cost every message that need not.
 */
export class Admission {
  constructor(private readonly around: Surroundings) {}

  /**
   * Never throws. A message whose slot is free and whose handler answers at once waits for nothing but its commit, and makes no promise.
   * However it ends, the activation is told: `through` when it was not begun, `over` when it was.
   */
  receive(activation: Activation, held: Held): void {
    const { closing, host } = this.around;
    if (closing) activation.through();
    else if (isOver(held)) activation.skip(held);
    else {
      const breaker = host.breakers.openFor(held.envelope.type);
      if (breaker !== undefined) void this.#inTurn(activation, held, breaker);
      else this.#work(activation, held, activation);
    }
  }

  /** While the breaker of its type is open. */
  async #inTurn(activation: Activation, held: Held, breaker: Breaker): Promise<void> {
    const { around } = this;
    const probe = await breaker.turn(held.history.length === 0);
    if (around.closing || isOver(held)) {
      if (probe) breaker.leave();
      if (around.closing) activation.through();
      else activation.skip(held);
    } else this.#work(activation, held, probe ? probing(breaker, activation) : activation);
  }

  /** @param waiting is told when the message is over */
  #work(activation: Activation, held: Held, waiting: Waiting): void {
    const { host, inHand } = this.around;
    activation.begin(held);
    inHand.begin();
    if (host.slots.tryTake()) this.#inSlot(activation, held, waiting);
    else void this.#whenFree(activation, held, waiting);
  }

  async #whenFree(activation: Activation, held: Held, waiting: Waiting): Promise<void> {
    await this.around.host.slots.turn();
    this.#inSlot(activation, held, waiting);
  }

  #inSlot(activation: Activation, held: Held, waiting: Waiting): void {
    const { around } = this;
    let handled: Handled;
    try {
      handled = around.cancellations.has(held) ? around.cancel(held) : this.#begun(activation, held);
    } catch (thrown) {
      handled = this.#broken(held, thrown);
    }
    if (handled instanceof Promise) void this.#whenHandled(handled, held, waiting);
    else this.#outOfSlot(handled, waiting);
  }

  async #whenHandled(handling: Promise<Gathering | undefined>, held: Held, waiting: Waiting): Promise<void> {
    let handled: Gathering | undefined;
    try {
      handled = await handling;
    } catch (thrown) {
      handled = this.#broken(held, thrown);
    }
    this.#outOfSlot(handled, waiting);
  }

  #outOfSlot(handled: Gathering | undefined, waiting: Waiting): void {
    this.around.host.slots.give();
    if (handled === undefined || this.around.behavior.pipelined) waiting.over();
    else handled.over(waiting); // A1
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
    if (suspect !== undefined) return this.#alone(activation, held, suspect);
    return this.around.host.deps.gate.tryEnter() ? this.#inside(activation, held) : this.#whenAdmitted(activation, held);
  }

  async #whenAdmitted(activation: Activation, held: Held): Promise<Gathering | undefined> {
    await this.around.host.deps.gate.enter();
    return this.#inside(activation, held);
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
    if (handled instanceof Promise) return this.#leaving(handled);
    gate.leave();
    return handled;
  }

  async #leaving(handling: Promise<Gathering | undefined>): Promise<Gathering | undefined> {
    try {
      return await handling;
    } finally {
      this.around.host.deps.gate.leave();
    }
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

/** What a probe came to is known: the next one may go. */
function probing(breaker: Breaker, activation: Activation): Waiting {
  return {
    over() {
      breaker.leave();
      activation.over();
    },
  };
}
