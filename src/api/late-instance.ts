import type { Envelope } from '../message/envelope.js';
import { asError } from '../message/errors.js';
import type { Attempt } from '../runtime/attempt.js';
import type { Hook, Instance } from '../runtime/behavior.js';

/** Stands for the state that an actor begins with, until there is an actor to ask for it. */
const BEGINNING = Symbol('the state of an actor that is not made yet');

/**
 * An actor that the user's `resolve` is still making. Its first hook, which every new instance is called with before any message, waits for it:
 * so the making belongs to the first attempt, and its deadline is the attempt's.
 */
export class LateInstance implements Instance {
  #actor: Instance | undefined;
  #failure: Error | undefined;
  #state: unknown;
  readonly #making: Promise<Instance>;

  constructor(making: PromiseLike<Instance>) {
    this.#making = Promise.resolve(making);
    this.#making.catch((error: unknown) => {
      this.#failure = asError(error);
    });
  }

  get state(): unknown {
    return this.#actor === undefined ? this.#state : this.#actor.state;
  }

  set state(state: unknown) {
    if (this.#actor !== undefined) this.#actor.state = state;
    else if (this.#failure !== undefined) throw this.#failure;
    else this.#state = state;
  }

  initialState(): unknown {
    return this.#actor === undefined ? BEGINNING : this.#actor.initialState();
  }

  handle(envelope: Envelope, data: unknown, attempt: Attempt): unknown {
    if (this.#actor === undefined) throw this.#failure ?? new Error('the actor is not made yet');
    return this.#actor.handle(envelope, data, attempt);
  }

  hook(name: Hook, reason?: Error): unknown {
    if (this.#actor !== undefined) return this.#actor.hook(name, reason);
    return name === 'onActivate' || name === 'onRestart' ? this.#made(name, reason) : undefined; // one that never lived takes no leave
  }

  async #made(name: Hook, reason: Error | undefined): Promise<void> {
    const actor = await this.#making;
    if (this.#state === BEGINNING) actor.state = actor.initialState();
    else if (this.#state !== undefined) actor.state = this.#state;
    this.#actor = actor;
    await actor.hook(name, reason);
  }

  onFailure(error: Error, attempt: Attempt): unknown {
    return this.#actor?.onFailure(error, attempt);
  }
}
