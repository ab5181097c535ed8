/** What lies outside errand: what handlers call. No crash of a node or of Redis touches it. */
export class Outside {
  readonly #mended = new Set<string>();
  readonly #killed = new Map<string, number>();

  /** What a message met every time is gone for good, whoever meets it next. @param what the message's type and word */
  mend(what: string): void {
    this.#mended.add(what);
  }

  mended(what: string): boolean {
    return this.#mended.has(what);
  }

  /** Whether handling it kills the process, this time. @param times how often it does */
  kills(what: string, times: number): boolean {
    const killed = this.killed(what);
    if (killed >= times || this.mended(what)) return false;
    this.#killed.set(what, killed + 1);
    return true;
  }

  /** How often it has. */
  killed(what: string): number {
    return this.#killed.get(what) ?? 0;
  }
}
