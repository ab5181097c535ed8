/** Says that something was settled on this node, to whoever waits for that. */
export class Pulse {
  #next: Promise<void> | undefined;
  #resolve: () => void = () => undefined;

  beat(): void {
    this.#next = undefined;
    this.#resolve();
  }

  /** Resolves at the next beat. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#resolve = resolve;
    });
    return this.#next;
  }
}
