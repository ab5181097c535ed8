import type { Suspect } from '../log/suspects.js';
import { asError, ErrandError } from '../message/errors.js';
import { KILLS_TO_CONDEMN } from '../message/limits.js';
import type { Activation, Handled, Surroundings } from './activation.js';
import type { Gathering } from './committer.js';
import type { Held } from './held.js';

/** It went aside while it waited. */
const isOver = ({ stage }: Held): boolean => stage === 'over';

/**
 * What stands between a message's turn in its inbox and its handler: the breaker, a free slot, the gate; and, for the next one, its commit.
 * What has to wait does so in a method of its own: a closure, were it made or not, would cost every message that need not.
 */
export class Admission {
  constructor(private readonly around: Surroundings) {}

  /**
   * The inbox's receiver; never throws or rejects. A message whose slot is free, whose state is in memory and whose handler answers at once
   * waits for nothing but its commit, and makes no promise.
   * @param through runs once the message is dealt with, its commit included
   */
  receive(activation: Activation, held: Held, through: () => void): Promise<unknown> | undefined {
    const { closing, host } = this.around;
    if (closing || isOver(held)) {
      through();
      return undefined;
    }
    if (host.breaker.open) return this.#inTurn(activation, held, through);
    return activation.ready ? this.#work(activation, held, through) : this.#whenReady(activation, held, through);
  }

  /** Waits for its state before it takes a slot, so that the states of many keys are on their way at a time. */
  async #whenReady(activation: Activation, held: Held, through: () => void): Promise<void> {
    const { around } = this;
    await activation.load().catch(() => undefined); // told below
    if (around.closing || isOver(held)) through();
    else if (around.host.breaker.open) await this.#inTurn(activation, held, through);
    else await this.#work(activation, held, through);
  }

  /** While the breaker is open. */
  async #inTurn(activation: Activation, held: Held, through: () => void): Promise<void> {
    const { around } = this;
    const { breaker } = around.host;
    const probe = await breaker.turn();
    const left = (): void => {
      if (probe) breaker.leave();
      through();
    };
    if (around.closing || isOver(held)) return left();
    await this.#work(activation, held, left);
  }

  readonly #end = (): void => this.around.inHand.end();

  #work(activation: Activation, held: Held, through: () => void): Promise<unknown> | undefined {
    const { host, inHand } = this.around;
    activation.begin(held);
    inHand.begin();
    return host.slots.tryTake() ? this.#inSlot(activation, held, through) : this.#whenFree(activation, held, through);
  }

  async #whenFree(activation: Activation, held: Held, through: () => void): Promise<void> {
    await this.around.host.slots.turn();
    await this.#inSlot(activation, held, through);
  }

  #inSlot(activation: Activation, held: Held, through: () => void): Promise<unknown> | undefined {
    const { around } = this;
    let handled: Handled;
    try {
      handled = around.cancellations.has(held) ? around.cancel(held) : this.#begun(activation, held);
    } catch (thrown) {
      handled = this.#broken(held, thrown);
    }
    return handled instanceof Promise ? this.#whenHandled(handled, held, through) : this.#outOfSlot(handled, through);
  }

  async #whenHandled(handling: Promise<Gathering | undefined>, held: Held, through: () => void): Promise<void> {
    let handled: Gathering | undefined;
    try {
      handled = await handling;
    } catch (thrown) {
      handled = this.#broken(held, thrown);
    }
    await this.#outOfSlot(handled, through);
  }

  #outOfSlot(handled: Gathering | undefined, through: () => void): Promise<unknown> | undefined {
    this.around.host.slots.give();
    if (handled === undefined || this.around.behavior.pipelined) {
      this.#end();
      through();
      return undefined;
    }
    handled.over(this.#end);
    handled.over(through);
    return handled.done; // A1
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
