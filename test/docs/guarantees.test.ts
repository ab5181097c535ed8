/** docs/GUARANTEES.md claims nothing that no test shows: each test it names stands in the file it names. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import ts from 'typescript';

const NAMED = /`(test\/[\w/.-]+\.test\.ts)` · "([^"]+)"/g;

/** Every text in a file that stands first among the arguments of a call; templates as they are written. */
function titles(path: string): ReadonlySet<string> {
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) for (const first of node.arguments.slice(0, 1)) found.add(textOf(first) ?? '');
    // A title that is used twice has a name.
    if (ts.isVariableDeclaration(node) && node.name.getText() === 'title') found.add(textOf(node.initializer) ?? '');
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function textOf(node: ts.Expression | undefined): string | undefined {
  if (node === undefined) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : undefined;
}

test('every test that docs/GUARANTEES.md names exists', (t) => {
  const text = readFileSync('docs/GUARANTEES.md', 'utf8');
  const named = [...text.matchAll(NAMED)];
  t.true(named.length > 20, `${named.length} are named`);
  for (const [, path = '', title = ''] of named) t.true(titles(path).has(title), `${path} has no test "${title}"`);
  t.is(text.match(/`test\/[\w/.-]+\.test\.ts`/g)?.length, named.length + 1, 'every file is named with a title, but for this one');
});

test('every fault of the table has a test', (t) => {
  const text = readFileSync('docs/GUARANTEES.md', 'utf8');
  const table = text.slice(text.indexOf('| fault |')).split('\n\n')[0] ?? '';
  const rows = table.split('\n').slice(2);
  t.true(rows.length > 15);
  for (const row of rows) {
    const shown = row.split(' | ').at(-1) ?? '';
    t.true(/^S\b/.test(shown) || shown.includes('test/'), row);
  }
});
