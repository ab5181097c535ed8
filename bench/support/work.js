/**
 * The work that everything here is measured at: commands over some keys to a counter with durable state and a result. The same for all
 * systems, and checkable: every command has exactly one result, and every key ends at the sum of what it was told.
 */

/** The i-th command of `keys` keys. */
export function commandAt(i, keys, prefix = 'k') {
  return { key: `${prefix}${i % keys}`, amount: 1 + (i % 7) };
}

export function expectedTotals(n, keys, prefix = 'k') {
  const totals = new Map();
  for (let i = 0; i < n; i += 1) {
    const { key, amount } = commandAt(i, keys, prefix);
    totals.set(key, (totals.get(key) ?? 0) + amount);
  }
  return totals;
}

/**
 * Sees results come in; `done` resolves with the last of them. What it sees is only kept while the time runs, and looked through afterwards:
 * a set of all ids would cost each system a microsecond a message.
 */
export class Checker {
  #ids = [];
  #keys = [];
  #totals = [];
  #resolve;

  constructor(n, keys, prefix = 'k') {
    this.n = n;
    this.expected = expectedTotals(n, keys, prefix);
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  see(id, key, total) {
    this.#keys.push(key);
    this.#totals.push(total);
    if (this.#ids.push(id) === this.n) this.#resolve();
  }

  /** What is wrong with the results; empty when nothing is. */
  faults() {
    const distinct = new Set(this.#ids).size;
    const faults =
      distinct === this.n && this.#ids.length === this.n ? [] : [`${this.#ids.length} results, ${distinct} distinct, expected ${this.n}`];
    const highest = new Map();
    this.#keys.forEach((key, i) => highest.set(key, Math.max(highest.get(key) ?? 0, this.#totals[i])));
    return [...faults, ...wrongTotals(this.expected, highest)].slice(0, 5);
  }
}

/** Keys whose total is not the sum of what they were told. */
export function wrongTotals(expected, found) {
  const faults = [];
  for (const [key, total] of expected) {
    if (found.get(key) !== total) faults.push(`${key} is at ${found.get(key)}, expected ${total}`);
  }
  return faults;
}
