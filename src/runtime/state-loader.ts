import type { Link } from '../log/connection.js';
import { readStates, type StoredState } from '../log/state.js';
import { asError } from '../message/errors.js';

/** Who waits for a state. Told by calls, not by promises: where keys come and go, each would make several. */
export interface Wanting {
  /** the state's key in Redis */
  readonly stateKey: string;
  loaded(state: StoredState | undefined): void;
  notLoaded(error: Error): void;
}

/**
 * Loads the states of an actor type together: all that are wanted before this turn's other work is done, in whatever partition, go into
 * one MGET. A read brings some twenty messages to each partition, and an MGET for each of these would cost more than the states.
 */
export class StateLoader {
  #wanting: Wanting[] = [];

  constructor(private readonly link: Link) {}

  load(wanting: Wanting): void {
    if (this.#wanting.push(wanting) === 1) queueMicrotask(() => void this.#read());
  }

  async #read(): Promise<void> {
    const wanting = this.#wanting;
    this.#wanting = [];
    let states: readonly (StoredState | undefined)[];
    try {
      states = await readStates(
        this.link,
        wanting.map(({ stateKey }) => stateKey),
      );
    } catch (thrown) {
      for (const one of wanting) one.notLoaded(asError(thrown));
      return;
    }
    wanting.forEach((one, i) => one.loaded(states[i]));
  }
}
