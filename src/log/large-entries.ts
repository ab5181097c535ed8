import { compareIds, type Entry } from './entry.js';

/** Of one stream; others are read once more. */
const KEPT = 10;

/**
 * Entries that are too large, of replies that came to nobody: making such a reply may take Redis so long that the partition it was for is
 * lost meanwhile, and read again from the start. What is known of them need not be asked for again, which would take as long each time.
 */
export class LargeEntries {
  readonly #streams = new Map<string, Entry[]>();

  /** What a reply held, in its order. */
  keep(stream: string, read: readonly Entry[]): void {
    const large = read.filter(({ oversize }) => oversize !== undefined);
    if (large.length === 0) return;
    const known = this.#streams.get(stream) ?? [];
    const news = large.filter(({ id }) => known.every((one) => one.id !== id));
    this.#streams.set(stream, [...known, ...news].sort((a, b) => compareIds(a.id, b.id)).slice(0, KEPT));
  }

  /** Somebody else may have settled them. */
  forget(stream: string): void {
    this.#streams.delete(stream);
  }

  get none(): boolean {
    return this.#streams.size === 0;
  }

  /** The first one of the stream that lies after `position`. What lies before it is of no use any more. */
  after(stream: string, position: string): Entry | undefined {
    const left = this.#streams.get(stream)?.filter(({ id }) => compareIds(id, position) > 0) ?? [];
    if (left.length === 0) this.#streams.delete(stream);
    else this.#streams.set(stream, left);
    return left[0];
  }
}
