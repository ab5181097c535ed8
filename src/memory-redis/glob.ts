import { CommandError } from './reply.js';

const TOO_LONG = new CommandError('ERR the pattern takes too long to match');
/** Less than half a second's worth. */
const MOST_STEPS = 20_000_000;

/** How many steps matching may take: shared by all that one command matches, since pattern and texts may both be of a client's making. */
export class GlobBudget {
  #left = MOST_STEPS;

  spend(): void {
    this.#left -= 1;
    if (this.#left < 0) throw TOO_LONG;
  }
}

/** Redis' glob-style patterns over byte strings: `*`, `?`, `[a-z]`, `[^…]`, `\`. Throws a command's error when the budget is used up. */
export function globMatches(pattern: string, text: string, budget = new GlobBudget()): boolean {
  let p = 0;
  let t = 0;
  // Only the latest `*` is ever gone back to: what an earlier one could still take, this one can as well.
  let starAt = -1;
  let starText = 0;
  while (t < text.length) {
    budget.spend();
    if (pattern[p] === '*') {
      starAt = p;
      starText = t;
      p += 1;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t), budget) : -1;
    if (next >= 0) {
      p = next;
      t += 1;
    } else if (starAt >= 0) {
      starText += 1;
      t = starText;
      p = starAt + 1;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p >= pattern.length;
}

/** Matches one character; the position after that part of the pattern, or -1. */
function matchOne(pattern: string, at: number, code: number, budget: GlobBudget): number {
  const char = pattern[at];
  if (char === '?') return at + 1;
  if (char === '[') return matchClass(pattern, at + 1, code, budget);
  if (char === '\\' && at + 1 < pattern.length) return pattern.charCodeAt(at + 1) === code ? at + 2 : -1;
  return pattern.charCodeAt(at) === code ? at + 1 : -1;
}

function matchClass(pattern: string, from: number, code: number, budget: GlobBudget): number {
  let at = from;
  const not = pattern[at] === '^';
  if (not) at += 1;
  let found = false;
  while (at < pattern.length) {
    budget.spend();
    if (pattern[at] === '\\' && at + 1 < pattern.length) {
      at += 1;
      if (pattern.charCodeAt(at) === code) found = true;
    } else if (pattern[at] === ']') break;
    else if (pattern.length >= at + 3 && pattern[at + 1] === '-') {
      let low = pattern.charCodeAt(at);
      let high = pattern.charCodeAt(at + 2);
      if (low > high) [low, high] = [high, low];
      if (code >= low && code <= high) found = true;
      at += 2;
    } else if (pattern.charCodeAt(at) === code) found = true;
    at += 1;
  }
  return found !== not ? at + 1 : -1;
}
