/** Open scans kept at once; the oldest is forgotten, and whoever goes on with it begins again. */
const MOST_OPEN = 256;

/**
 * The cursors of SCAN and its kin. A cursor is a running iteration of the collection itself, which sees each element that stays at least once.
 * An unknown cursor begins from the start: elements may come twice, which SCAN allows, and none is missed.
 */
export class Cursors {
  readonly #open = new Map<string, { readonly of: object; readonly items: Iterator<unknown> }>();
  #next = 1;

  /** Up to `count` items of `collection` from `cursor` on, and the cursor to go on with ('0' at the end). */
  scan<T>(collection: object, start: () => Iterator<T>, cursor: string, count: number): { cursor: string; items: T[] } {
    const known = cursor === '0' ? undefined : this.#open.get(cursor);
    if (known !== undefined) this.#open.delete(cursor);
    const iterator = known?.of === collection ? (known.items as Iterator<T>) : start();
    const items: T[] = [];
    for (let taken = 0; taken < count; taken += 1) {
      const next = iterator.next();
      if (next.done) return { cursor: '0', items };
      items.push(next.value);
    }
    // The last step of a whole collection should end the scan, not ask for one more call.
    const further = iterator.next();
    if (further.done) return { cursor: '0', items };
    items.push(further.value);
    const id = String(this.#next++);
    this.#open.set(id, { of: collection, items: iterator });
    if (this.#open.size > MOST_OPEN) this.#open.delete(this.#open.keys().next().value as string);
    return { cursor: id, items };
  }
}
