import type { Committer } from './committer.js';

/** A partition's messages that activations are working at, and all who wait until there are none. */
export class InHand {
  #working = 0;
  #onRest: (() => void)[] = [];
  #over = false;

  constructor(private readonly committer: Committer) {}

  begin(): void {
    this.#working += 1;
  }

  end(): void {
    this.#working -= 1;
    if (this.#working === 0) this.#rest();
  }

  /** Nobody need wait any longer. */
  giveUp(): void {
    this.#over = true;
    this.#rest();
  }

  #rest(): void {
    const waiting = this.#onRest;
    this.#onRest = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves once all is finished and committed, or given up. */
  async finished(): Promise<void> {
    while (!this.#over && (this.#working > 0 || !this.committer.idle)) {
      if (this.#working > 0) {
        await new Promise<void>((resolve) => {
          this.#onRest.push(resolve);
        });
      } else await this.committer.flushed();
    }
  }
}
