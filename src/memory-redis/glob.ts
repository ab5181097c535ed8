/** Redis' glob-style patterns over byte strings: `*`, `?`, `[a-z]`, `[^…]`, `\`. */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  // Only the latest `*` is ever gone back to: what an earlier one could still take, this one can as well.
  let starAt = -1;
  let starText = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      starAt = p;
      starText = t;
      p += 1;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : -1;
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
function matchOne(pattern: string, at: number, code: number): number {
  const char = pattern[at];
  if (char === '?') return at + 1;
  if (char === '[') return matchClass(pattern, at + 1, code);
  if (char === '\\' && at + 1 < pattern.length) return pattern.charCodeAt(at + 1) === code ? at + 2 : -1;
  return pattern.charCodeAt(at) === code ? at + 1 : -1;
}

function matchClass(pattern: string, from: number, code: number): number {
  let at = from;
  const not = pattern[at] === '^';
  if (not) at += 1;
  let found = false;
  for (;;) {
    if (at >= pattern.length) break;
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
