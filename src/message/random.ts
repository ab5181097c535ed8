import { randomFillSync } from 'node:crypto';

/** Where ids, nonces and jitter come from. */
export interface Random {
  /** An integer in [0, 2^32). */
  uint32(): number;
}

const pool = new Uint32Array(256);
let used = pool.length;

/** Cryptographically strong, drawn from the system 1 KiB at a time. */
export const systemRandom: Random = {
  uint32() {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    return pool[used++] as number;
  },
};

/** The same sequence for the same seed (mulberry32); for tests and simulations, never for nonces in production. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    uint32() {
      state = (state + 0x6d2b79f5) >>> 0;
      let x = Math.imul(state ^ (state >>> 15), 1 | state);
      x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
      return (x ^ (x >>> 14)) >>> 0;
    },
  };
}

/** A number in [0, 1). */
export function fraction(random: Random): number {
  return random.uint32() / 2 ** 32;
}

/** 96 random bits as 24 hexadecimal digits: a nonce, or the name of a node or producer. */
export function token(random: Random): string {
  let text = '';
  for (let i = 0; i < 3; i += 1) text += random.uint32().toString(16).padStart(8, '0');
  return text;
}
