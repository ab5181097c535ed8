/** No `any` in the public types: every declaration that the package's doors lead to is read by TypeScript. */
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import test from 'ava';
import ts from 'typescript';

/** `text` as a declaration file: where it says `any`, and what of the package it leads to. */
function read(path: string, text: string): { anys: string[]; leadsTo: string[] } {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const anys: string[] = [];
  const leadsTo: string[] = [];
  const follow = (specifier: ts.Node | undefined): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) return;
    leadsTo.push(posix.join(posix.dirname(path), specifier.text).replace(/\.js$/, '.d.ts'));
  };
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      anys.push(`${path}:${line + 1}: ${node.parent.getText(file).slice(0, 80)}`);
    }
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) follow(node.moduleSpecifier);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) follow(node.argument.literal);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { anys, leadsTo };
}

interface Package {
  readonly exports: Readonly<Record<string, string | { readonly types?: string }>>;
}

test('no declaration that a user can reach says any', (t) => {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as Package;
  const doors = Object.values(exports).flatMap((door) => (typeof door === 'object' && door.types !== undefined ? [door.types] : []));
  t.is(doors.length, 3);
  const todo = doors.map((door) => posix.normalize(door));
  const seen = new Set<string>();
  const anys: string[] = [];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    t.true(existsSync(path), path);
    const found = read(path, readFileSync(path, 'utf8'));
    anys.push(...found.anys);
    todo.push(...found.leadsTo);
  }
  t.true(seen.has('dist/src/api/actor-system.d.ts') && seen.size > 20, `only ${seen.size} declarations were read`);
  t.deepEqual(anys, []);
});

test('an any is found wherever it stands', (t) => {
  const text = "export declare function f(x: { a: any[] }): import('./b.js').B;\n// any\nexport type S = 'any';\nexport * from './c.js';";
  const { anys, leadsTo } = read('dist/a.d.ts', text);
  t.is(anys.length, 1);
  t.regex(anys[0] ?? '', /^dist\/a\.d\.ts:1: /);
  t.deepEqual(leadsTo, ['dist/b.d.ts', 'dist/c.d.ts']);
});
