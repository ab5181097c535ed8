/** Every example runs, and prints the lines that its last comment promises. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { runScript } from '../support/run-script.js';

/** Files that others load; they print nothing. */
const MODULES: ReadonlySet<string> = new Set(['config-actors.ts']);

const files = readdirSync('examples').filter((name) => /\.m?[jt]s$/.test(name));

/** The lines behind `// Prints:`, without their comment marks. */
function promised(source: string): string | undefined {
  const [, lines] = source.split('\n// Prints:\n');
  return lines
    ?.trim()
    .split('\n')
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join('\n');
}

for (const name of files.filter((file) => !MODULES.has(file))) {
  test.serial(`${name} prints what it promises`, async (t) => {
    const expected = promised(readFileSync(`examples/${name}`, 'utf8'));
    t.truthy(expected, 'the file says what it prints');
    const file = name.endsWith('.ts') ? `dist/examples/${name.replace(/\.ts$/, '.js')}` : `examples/${name}`;
    t.deepEqual(await runScript(file), { status: 0, printed: expected ?? '' });
  });
}

test('the list of examples names every file', (t) => {
  const listed = [...readFileSync('examples/README.md', 'utf8').matchAll(/^\| \[(.+?)\]\(\1\) *\|/gm)].map((match) => match[1] as string);
  t.deepEqual([...listed].sort(), files.filter((file) => !MODULES.has(file)).sort());
});
