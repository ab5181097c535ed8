import { SortedList } from './sorted-list.js';

/** Keys are grouped by the second in which they expire: moving a key's expiry is cheap, and finding what is due looks at few groups. */
const GROUP_MS = 1000;

/** Which key expires when. */
export class ExpiryQueue {
  readonly #times = new Map<string, number>();
  readonly #groups = new Map<number, Set<string>>();
  readonly #order = new SortedList<number>((a, b) => a < b); // the numbers of the groups, soonest first

  get size(): number {
    return this.#times.size;
  }

  get(key: string): number | undefined {
    return this.#times.get(key);
  }

  set(key: string, at: number): void {
    const old = this.#times.get(key);
    if (old === at) return;
    if (old !== undefined) this.#leave(key, old);
    this.#times.set(key, at);
    const number = Math.floor(at / GROUP_MS);
    let group = this.#groups.get(number);
    if (group === undefined) {
      group = new Set();
      this.#groups.set(number, group);
      this.#order.insert(number);
    }
    group.add(key);
  }

  delete(key: string): void {
    const old = this.#times.get(key);
    if (old === undefined) return;
    this.#times.delete(key);
    this.#leave(key, old);
  }

  clear(): void {
    this.#times.clear();
    this.#groups.clear();
    this.#order.clear();
  }

  /** A key whose time has come, or undefined. */
  due(now: number): string | undefined {
    const number = this.#order.first;
    if (number === undefined || number * GROUP_MS > now) return undefined;
    for (const key of this.#groups.get(number) ?? []) if ((this.#times.get(key) as number) <= now) return key;
    return undefined;
  }

  #leave(key: string, at: number): void {
    const number = Math.floor(at / GROUP_MS);
    const group = this.#groups.get(number);
    group?.delete(key);
    if (group?.size !== 0) return;
    this.#groups.delete(number);
    this.#order.remove(number);
  }
}
