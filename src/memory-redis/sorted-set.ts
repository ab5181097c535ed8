/** What one member of a sorted set costs beside its characters. */
const MEMBER_OVERHEAD_BYTES = 120;
/** Blocks are split at this size: small enough that an insertion moves little, large enough that there are few of them. */
const BLOCK_MEMBERS = 256;

export interface Scored {
  readonly member: string;
  readonly score: number;
}

const before = (a: Scored, b: Scored): boolean => a.score < b.score || (a.score === b.score && a.member < b.member);

/** Members by score, then by bytes: a map for look-ups and blocks of sorted members for ranges and ranks. */
export class SortedSet {
  readonly kind = 'zset';
  readonly scores = new Map<string, number>();
  bytes = 96;
  /** How much of `bytes` the database has added to its total. */
  accounted = 0;
  #blocks: Scored[][] = [];

  get size(): number {
    return this.scores.size;
  }

  /** True when the member is new. */
  set(member: string, score: number): boolean {
    const old = this.scores.get(member);
    if (old === score) return false;
    if (old !== undefined) this.#remove({ member, score: old });
    this.scores.set(member, score);
    this.#insert({ member, score });
    if (old !== undefined) return false;
    this.bytes += member.length + MEMBER_OVERHEAD_BYTES;
    return true;
  }

  delete(member: string): boolean {
    const score = this.scores.get(member);
    if (score === undefined) return false;
    this.scores.delete(member);
    this.#remove({ member, score });
    this.bytes -= member.length + MEMBER_OVERHEAD_BYTES;
    return true;
  }

  /** The position of a member that is there, counted from the lowest. */
  rank(member: string): number {
    const score = this.scores.get(member) as number;
    return this.countWhile((item) => before(item, { member, score }));
  }

  /** How many members come first of which `holds` is true; it must be true up to some member and false from there on. */
  countWhile(holds: (item: Scored) => boolean): number {
    let count = 0;
    for (const block of this.#blocks) {
      if (holds(block.at(-1) as Scored)) {
        count += block.length;
        continue;
      }
      let low = 0;
      let high = block.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (holds(block[middle] as Scored)) low = middle + 1;
        else high = middle;
      }
      return count + low;
    }
    return count;
  }

  /** The members at positions `start` up to, and without, `end`. */
  slice(start: number, end: number): Scored[] {
    const items: Scored[] = [];
    let first = 0;
    for (const block of this.#blocks) {
      if (first >= end) break;
      if (first + block.length > start) {
        const to = Math.min(block.length, end - first);
        for (let index = Math.max(0, start - first); index < to; index += 1) items.push(block[index] as Scored);
      }
      first += block.length;
    }
    return items;
  }

  #blockFor(item: Scored): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (before((this.#blocks[middle] as Scored[]).at(-1) as Scored, item)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(item: Scored): void {
    const at = Math.min(this.#blockFor(item), this.#blocks.length - 1);
    const block = this.#blocks[at];
    if (block === undefined) {
      this.#blocks.push([item]);
      return;
    }
    block.splice(position(block, item), 0, item);
    if (block.length > BLOCK_MEMBERS) this.#blocks.splice(at + 1, 0, block.splice(BLOCK_MEMBERS / 2));
  }

  #remove(item: Scored): void {
    const at = this.#blockFor(item);
    const block = this.#blocks[at] as Scored[];
    block.splice(position(block, item), 1);
    if (block.length === 0) this.#blocks.splice(at, 1);
  }
}

function position(block: readonly Scored[], item: Scored): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (before(block[middle] as Scored, item)) low = middle + 1;
    else high = middle;
  }
  return low;
}
