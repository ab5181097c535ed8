import { EFFECTS_BYTES, ENTRY_BYTES } from './limits.js';

/** Bounds that a test may lower: the same happens beyond a small bound as beyond a large one, and costs less memory. */
export interface Sizes {
  /** as EFFECTS_BYTES */
  readonly effects: number;
  /** as ENTRY_BYTES */
  readonly entry: number;
}

export const SIZES: Sizes = { effects: EFFECTS_BYTES, entry: ENTRY_BYTES };
