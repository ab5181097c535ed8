/**
 * Many may be inside at once, or one alone. Who wants to be alone waits until the others have left, and nobody enters before.
 * Source of the pattern: the readers–writer lock, first come, first served.
 */
export class Gate {
  #inside = 0;
  #occupied = false;
  readonly #waiting: { readonly alone: boolean; readonly go: () => void }[] = [];

  /** True when there was nobody to wait for; otherwise await `enter()`. Whoever is in must `leave()`. */
  tryEnter(): boolean {
    if (this.#occupied || this.#waiting.length > 0) return false;
    this.#inside += 1;
    return true;
  }

  enter(): Promise<void> {
    return this.#wait(false);
  }

  leave(): void {
    this.#inside -= 1;
    this.#admit();
  }

  /** Runs with nobody else inside. */
  async alone<T>(run: () => Promise<T>): Promise<T> {
    await this.#wait(true);
    try {
      return await run();
    } finally {
      this.#occupied = false;
      this.#admit();
    }
  }

  #wait(alone: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ alone, go: resolve });
      this.#admit();
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && !this.#occupied; next = this.#waiting[0]) {
      if (next.alone && this.#inside > 0) return;
      this.#waiting.shift();
      if (next.alone) this.#occupied = true;
      else this.#inside += 1;
      next.go();
    }
  }
}
