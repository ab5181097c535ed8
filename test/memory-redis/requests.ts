import { type Arbitrary, array, boolean, constant, constantFrom, oneof, tuple } from 'fast-check';
import { TEMPLATES } from './command-grammar.js';
import { POOLS } from './word-pools.js';

/** One word of a template: literal alternatives, a pool, or a group. */
function wordsOf(part: string): Arbitrary<readonly string[]> {
  const optional = part.endsWith('?') && part !== '?';
  const repeated = part.endsWith('+') && part.length > 1;
  const core = optional || repeated ? part.slice(0, -1) : part;
  const words = core.startsWith('[') ? tuple(...core.slice(1, -1).split(' ').map(wordsOf)).map((all) => all.flat()) : oneWord(core);
  if (optional) return boolean().chain((there) => (there ? words : constant([])));
  if (repeated) return array(words, { minLength: 1, maxLength: 3 }).map((all) => all.flat());
  return words;
}

function oneWord(core: string): Arbitrary<readonly string[]> {
  const choices = core.split('|').flatMap((name) => POOLS[name] ?? [name]);
  const right = constantFrom(...choices).map((word) => [word]);
  if (!['str', 'hash', 'list', 'set', 'zset', 'stream'].includes(core)) return right;
  // Now and then a key of another type.
  const wrong = constantFrom(...(POOLS['any'] as readonly string[])).map((word) => [word]);
  return oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: wrong });
}

function request(template: string): Arbitrary<readonly string[]> {
  const parts = template.match(/\[[^\]]*\]\??|\S+/g) ?? [];
  return tuple(...parts.map(wordsOf)).map((words) => words.flat());
}

/** Mostly requests that make sense, some with a word too many or too few. */
function anyOf(templates: readonly string[]): Arbitrary<readonly string[]> {
  const whole = constantFrom(...templates).chain(request);
  const extra = tuple(whole, constantFrom(...(POOLS['value'] as readonly string[]))).map(([words, word]) => [...words, word]);
  // SPOP without its count takes one at random: from then on the two would differ.
  const cut = whole.map((words) => (words.length > 1 && words[0] !== 'SPOP' ? words.slice(0, -1) : words));
  const lower = whole.map(([name = '', ...words]) => [name.toLowerCase(), ...words]);
  return oneof(
    { weight: 27, arbitrary: whole },
    { weight: 1, arbitrary: extra },
    { weight: 1, arbitrary: cut },
    { weight: 1, arbitrary: lower },
  );
}

/** A row of requests, most of them about one kind of value: what is wrong often shows only on a value with a history. */
export function sequences(longest: number): Arbitrary<readonly (readonly string[])[]> {
  const all = anyOf(Object.values(TEMPLATES).flat());
  const families = Object.values(TEMPLATES).map((templates) =>
    oneof({ weight: 4, arbitrary: anyOf(templates) }, { weight: 1, arbitrary: all }),
  );
  return oneof(...[...families, all].map((one) => array(one, { minLength: 1, maxLength: longest })));
}
