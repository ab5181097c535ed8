/** How often what happened, so that it can be seen that all of it does. */
export class Counts {
  readonly #times = new Map<string, number>();

  add(what: string, times = 1): void {
    this.#times.set(what, (this.#times.get(what) ?? 0) + times);
  }

  addAll(others: Counts): void {
    for (const [what, times] of others.#times) this.add(what, times);
  }

  of(what: string): number {
    return this.#times.get(what) ?? 0;
  }

  toString(): string {
    return [...this.#times].map(([what, times]) => `${times} × ${what}`).join(', ');
  }
}
