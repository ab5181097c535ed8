/** docs/ERRORS.md and the sources name the same codes. Sources are read by TypeScript, so that a comment counts for nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import ts from 'typescript';

/** Written like codes, and none of ours. */
const OTHERS: ReadonlySet<string> = new Set([
  'DUPLICATE_KEY', // what the yaml package calls a key that is there twice
  'LOG_LEVEL', // an environment variable
]);

const CODE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;

function sources(): ts.SourceFile[] {
  return readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map((name) => `src/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts') && !path.startsWith('src/memory-redis/')) // it speaks Redis' codes
    .map((path) => ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true));
}

function each(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => each(child, visit));
}

/** ErrandError and all classes below it. */
function errorClasses(files: readonly ts.SourceFile[]): ReadonlySet<string> {
  const bases = new Map<string, string>();
  for (const file of files) {
    each(file, (node) => {
      if (!ts.isClassDeclaration(node) || node.name === undefined) return;
      const base = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0]?.expression;
      if (base !== undefined && ts.isIdentifier(base)) bases.set(node.name.text, base.text);
    });
  }
  const found = new Set(['ErrandError']);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [name, base] of bases) if (found.has(base)) found.add(name);
  }
  return found;
}

/** Where codes are given: to an error class, to its base by `super`, and to what settles a message as failed. */
function codeArgument(node: ts.Node, errors: ReadonlySet<string>): ts.Expression | undefined {
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && errors.has(node.expression.text)) return node.arguments?.[0];
  if (!ts.isCallExpression(node)) return undefined;
  if (node.expression.kind === ts.SyntaxKind.SuperKeyword) {
    const owner = ts.findAncestor(node, ts.isClassDeclaration);
    return owner?.name !== undefined && errors.has(owner.name.text) ? node.arguments[0] : undefined;
  }
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined;
  return ['failed', 'deadLetter'].includes(node.expression.name.text) ? node.arguments[1] : undefined;
}

function codesInSources(): Set<string> {
  const files = sources();
  const errors = errorClasses(files);
  const codes = new Set<string>();
  for (const file of files) {
    each(file, (node) => {
      // A word with an underscore is a code wherever it stands; a single word only where codes are given.
      if (ts.isStringLiteral(node) && node.text.includes('_') && CODE.test(node.text) && !OTHERS.has(node.text)) codes.add(node.text);
      const given = codeArgument(node, errors);
      if (given !== undefined) each(given, (inner) => ts.isStringLiteral(inner) && CODE.test(inner.text) && codes.add(inner.text));
    });
  }
  return codes;
}

const rows = readFileSync('docs/ERRORS.md', 'utf8')
  .split('\n')
  .map((line) => /^\| `([A-Z0-9_]+)` \| (.+) \|$/.exec(line))
  .filter((match) => match !== null)
  .map(([, code = '', rest = '']) => ({ code, cells: rest.split(' | ') }));

test('every code in the sources is documented, and every documented code is in the sources', (t) => {
  const codes = codesInSources();
  t.true(codes.size > 60, 'the sources were read');
  const documented = new Set(rows.map(({ code }) => code));
  t.is(documented.size, rows.length, 'each once');
  t.deepEqual(
    [...codes].filter((code) => !documented.has(code)),
    [],
    'in the sources only',
  );
  t.deepEqual(
    [...documented].filter((code) => !codes.has(code)),
    [],
    'documented only',
  );
});

test('every documented code has its class, its meaning and what to do', (t) => {
  const errors = new Set([...errorClasses(sources())].map((name) => `\`${name}\``));
  for (const { code, cells } of rows) {
    t.is(cells.length, 3, code);
    const [of = '', ...texts] = cells;
    t.true(errors.has(of) || of === 'dead letter', `${code}: ${of}`);
    for (const text of texts) t.regex(text, /^\S.*[.?]$/, code);
  }
});

test('every public error class is explained', async (t) => {
  const exported = Object.entries(await import('../../src/index.js')).filter(
    ([, value]) => typeof value === 'function' && value.prototype instanceof Error,
  );
  t.true(exported.length > 10);
  const text = readFileSync('docs/ERRORS.md', 'utf8');
  for (const [name] of exported) t.true(text.includes(`\n| \`${name}\` |`), name);
});
