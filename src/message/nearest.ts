/** The number of single-character insertions, deletions and replacements between two texts (Levenshtein). */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = (previous[column - 1] as number) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] as number) + 1, (current[column - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[b.length] as number;
}

/** Longer texts are nobody's slip of the finger, and comparing them costs the product of both lengths. */
const LONGEST_COMPARED = 60;

/** The candidate that `text` was probably meant to be: at most a third of it (and three characters) differs. Undefined when none is that close. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  if (text.length > LONGEST_COMPARED) return undefined;
  let best: string | undefined;
  let least = Math.min(3, Math.ceil(text.length / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate.length > LONGEST_COMPARED) continue;
    const apart = distance(text.toLowerCase(), candidate.toLowerCase());
    if (apart < least) [best, least] = [candidate, apart];
  }
  return best;
}
