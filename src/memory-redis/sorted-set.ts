import { SortedList } from './sorted-list.js';

/** What one member of a sorted set costs beside its characters. */
const MEMBER_OVERHEAD_BYTES = 120;

export interface Scored {
  readonly member: string;
  readonly score: number;
}

const before = (a: Scored, b: Scored): boolean => a.score < b.score || (a.score === b.score && a.member < b.member);

/** Members by score, then by bytes: a map for look-ups and a sorted list for ranges and ranks. */
export class SortedSet {
  readonly kind = 'zset';
  readonly scores = new Map<string, number>();
  readonly #order = new SortedList<Scored>(before);
  bytes = 96;
  /** How much of `bytes` the database has added to its total. */
  accounted = 0;

  get size(): number {
    return this.scores.size;
  }

  /** True when the member is new. */
  set(member: string, score: number): boolean {
    const old = this.scores.get(member);
    if (old === score) return false;
    if (old !== undefined) this.#order.remove({ member, score: old });
    this.scores.set(member, score);
    this.#order.insert({ member, score });
    if (old !== undefined) return false;
    this.bytes += member.length + MEMBER_OVERHEAD_BYTES;
    return true;
  }

  clone(): SortedSet {
    const copy = new SortedSet();
    for (const [member, score] of this.scores) copy.set(member, score);
    return copy;
  }

  delete(member: string): boolean {
    const score = this.scores.get(member);
    if (score === undefined) return false;
    this.scores.delete(member);
    this.#order.remove({ member, score });
    this.bytes -= member.length + MEMBER_OVERHEAD_BYTES;
    return true;
  }

  /** The position of a member that is there, counted from the lowest. */
  rank(member: string): number {
    const score = this.scores.get(member) as number;
    return this.#order.countWhile((item) => before(item, { member, score }));
  }

  /** How many members come first of which `holds` is true; it must be true up to some member and false from there on. */
  countWhile(holds: (item: Scored) => boolean): number {
    return this.#order.countWhile(holds);
  }

  /** The members at positions `start` up to, and without, `end`. */
  slice(start: number, end: number): Scored[] {
    return this.#order.slice(start, end);
  }
}
