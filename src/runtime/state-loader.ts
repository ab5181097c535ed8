import type { Link } from '../log/connection.js';
import { readStates, type StoredState } from '../log/state.js';
import { asError } from '../message/errors.js';

interface Load {
  readonly name: string;
  readonly resolve: (state: StoredState | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Loads states together: all that are wanted in one turn go into one MGET. */
export class StateLoader {
  #loads: Load[] = [];

  constructor(
    private readonly link: Link,
    private readonly onFailed: (error: Error) => void,
  ) {}

  /** @param name the state's key in Redis */
  load(name: string): Promise<StoredState | undefined> {
    return new Promise((resolve, reject) => {
      this.#loads.push({ name, resolve, reject });
      if (this.#loads.length === 1) setImmediate(() => void this.#read());
    });
  }

  /** Answers all that is asked for with an error. */
  fail(error: Error): void {
    const loads = this.#loads;
    this.#loads = [];
    for (const { reject } of loads) reject(error);
  }

  async #read(): Promise<void> {
    const loads = this.#loads;
    this.#loads = [];
    if (loads.length === 0) return;
    try {
      const states = await readStates(
        this.link,
        loads.map(({ name }) => name),
      );
      loads.forEach(({ resolve }, i) => resolve(states[i]));
    } catch (thrown) {
      const error = asError(thrown);
      for (const { reject } of loads) reject(error);
      this.onFailed(error);
    }
  }
}
