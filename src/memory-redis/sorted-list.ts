/** Blocks are split at this size: small enough that an insertion moves little, large enough that there are few of them. */
const BLOCK_ITEMS = 256;

/** Items in the order that `before` gives them, in blocks: finding is a search, inserting and removing move one block at most. */
export class SortedList<T> {
  #blocks: T[][] = [];
  length = 0;

  /** `before` is a strict order in which no two items of the list are equal. */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get first(): T | undefined {
    return this.#blocks[0]?.[0];
  }

  get last(): T | undefined {
    return this.#blocks.at(-1)?.at(-1);
  }

  insert(item: T): void {
    this.length += 1;
    const at = Math.min(this.#blockFor(item), this.#blocks.length - 1);
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push([item]);
      return;
    }
    block.splice(this.#position(block, item), 0, item);
    if (block.length > BLOCK_ITEMS) this.#blocks.splice(at + 1, 0, block.splice(BLOCK_ITEMS / 2));
  }

  /** Removes an item that is there. */
  remove(item: T): void {
    this.length -= 1;
    const at = this.#blockFor(item);
    const block = this.#blocks[at] as T[];
    block.splice(this.#position(block, item), 1);
    if (block.length === 0) this.#blocks.splice(at, 1);
  }

  clear(): void {
    this.#blocks = [];
    this.length = 0;
  }

  /** How many items come first of which `holds` is true; it must be true up to some item and false from there on. */
  countWhile(holds: (item: T) => boolean): number {
    let count = 0;
    for (const block of this.#blocks) {
      if (holds(block.at(-1) as T)) {
        count += block.length;
        continue;
      }
      let low = 0;
      let high = block.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (holds(block[middle] as T)) low = middle + 1;
        else high = middle;
      }
      return count + low;
    }
    return count;
  }

  /** The items at positions `start` up to, and without, `end`. */
  slice(start: number, end: number): T[] {
    const items: T[] = [];
    let first = 0;
    for (const block of this.#blocks) {
      if (first >= end) break;
      if (first + block.length > start) {
        const to = Math.min(block.length, end - first);
        for (let index = Math.max(0, start - first); index < to; index += 1) items.push(block[index] as T);
      }
      first += block.length;
    }
    return items;
  }

  #blockFor(item: T): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.before((this.#blocks[middle] as T[]).at(-1) as T, item)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #position(block: readonly T[], item: T): number {
    let low = 0;
    let high = block.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.before(block[middle] as T, item)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
