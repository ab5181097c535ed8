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

/** Loads states together: all that are wanted before this turn's other work is done go into one MGET. */
export class StateLoader {
  #wanting: Wanting[] = [];

  constructor(
    private readonly link: Link,
    private readonly onFailed: (error: Error) => void,
  ) {}

  load(wanting: Wanting): void {
    if (this.#wanting.push(wanting) === 1) queueMicrotask(() => void this.#read());
  }

  /** Answers all that is asked for with an error. */
  fail(error: Error): void {
    const wanting = this.#wanting;
    this.#wanting = [];
    for (const one of wanting) one.notLoaded(error);
  }

  async #read(): Promise<void> {
    const wanting = this.#wanting;
    this.#wanting = [];
    if (wanting.length === 0) return;
    let states: readonly (StoredState | undefined)[];
    try {
      states = await readStates(
        this.link,
        wanting.map(({ stateKey }) => stateKey),
      );
    } catch (thrown) {
      const error = asError(thrown);
      this.onFailed(error); // the partition is dropped: none of its messages is judged by this
      for (const one of wanting) one.notLoaded(error);
      return;
    }
    wanting.forEach((one, i) => one.loaded(states[i]));
  }
}
