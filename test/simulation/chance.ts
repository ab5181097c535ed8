import { fraction, seededRandom } from '../../src/message/random.js';

/** What one seed draws. */
export class Chance {
  readonly #random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  fraction(): number {
    return fraction(this.#random);
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.fraction() * n);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True with this probability. */
  yes(probability: number): boolean {
    return this.fraction() < probability;
  }

  oneOf<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}
