import type { Committer } from './committer.js';

/** A partition's messages that activations are working at, and who waits until there are none. */
export class InHand {
  #working = 0;
  #onRest: (() => void) | undefined;
  #over = false;

  constructor(private readonly committer: Committer) {}

  begin(): void {
    this.#working += 1;
  }

  end(): void {
    this.#working -= 1;
    if (this.#working === 0) this.#onRest?.();
  }

  /** Nobody need wait any longer. */
  giveUp(): void {
    this.#over = true;
    this.#onRest?.();
  }

  /** Resolves once all is finished and committed, or given up. */
  async finished(): Promise<void> {
    while (!this.#over && (this.#working > 0 || !this.committer.idle)) {
      if (this.#working > 0) {
        await new Promise<void>((resolve) => {
          this.#onRest = resolve;
        });
      } else await this.committer.flushed();
    }
  }
}
