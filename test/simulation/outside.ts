/** What lies outside errand: what handlers call. No crash of a node or of Redis touches it. */
export class Outside {
  readonly #mended = new Set<string>();

  /** What a message met every time is gone for good, whoever meets it next. @param what the message's type and word */
  mend(what: string): void {
    this.#mended.add(what);
  }

  mended(what: string): boolean {
    return this.#mended.has(what);
  }
}
