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

/** Sees results come in; `done` resolves with the last of them. */
export class Checker {
  #ids = new Set();
  #highest = new Map();
  #resolve;
  #faults = [];

  constructor(n, keys, prefix = 'k') {
    this.n = n;
    this.expected = expectedTotals(n, keys, prefix);
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  see(id, key, total) {
    const seen = this.#ids.size;
    this.#ids.add(id);
    if (this.#ids.size === seen) this.#faults.push(`two results for ${id}`);
    if (total > (this.#highest.get(key) ?? 0)) this.#highest.set(key, total);
    if (this.#ids.size === this.n) this.#resolve();
  }

  /** What is wrong with the results; empty when nothing is. */
  faults() {
    const faults = [...this.#faults];
    if (this.#ids.size !== this.n) faults.push(`${this.#ids.size} distinct results, expected ${this.n}`);
    return [...faults, ...wrongTotals(this.expected, this.#highest)].slice(0, 5);
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
