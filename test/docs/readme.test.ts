import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import ts from 'typescript';

/** The README's own code blocks are pasted, compiled where they are TypeScript, run, and print what the README says. */

const readme = readFileSync('README.md', 'utf8');

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) => match[1] as string);
}

function run(code: string): Promise<{ status: number | null; printed: string }> {
  mkdirSync('dist/readme', { recursive: true });
  const folder = mkdtempSync(join('dist', 'readme', 'block-')); // inside the package, so that 'errand' is this very package
  const file = join(folder, 'block.mjs');
  writeFileSync(file, code);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.once('exit', (status) => {
      rmSync(folder, { recursive: true });
      resolve({ status, printed: printed.trim() });
    });
  });
}

function compiled(code: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, experimentalDecorators: true };
  return ts.transpileModule(code, { compilerOptions }).outputText;
}

test('the first actor runs as it is printed', async (t) => {
  t.deepEqual(await run(blocks('js')[0] ?? ''), { status: 0, printed: '{ balance: 750 }' });
});

test('the TypeScript example runs as it is printed', async (t) => {
  t.deepEqual(await run(compiled(blocks('ts')[0] ?? '')), { status: 0, printed: '12005 completed click-1' });
});

test('the example under virtual time runs as it is printed', async (t) => {
  t.deepEqual(await run(compiled(blocks('ts')[1] ?? '')), { status: 0, printed: 'undefined\n{ sent: 1 }' });
});

test('the example of redriving and cancelling runs as it is printed', async (t) => {
  t.deepEqual(await run(compiled(blocks('ts')[2] ?? '')), { status: 0, printed: '12005 3 the line is dead\non its way\ncancelled' });
});

test('the TypeScript examples are right in their types', (t) => {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    experimentalDecorators: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
  };
  const host = ts.createCompilerHost(options);
  const files = new Map(blocks('ts').map((code, i) => [join(process.cwd(), 'dist', `readme-${i}.mts`), code]));
  const disk = { fileExists: host.fileExists.bind(host), readFile: host.readFile.bind(host) };
  host.fileExists = (name) => files.has(name) || disk.fileExists(name);
  host.readFile = (name) => files.get(name) ?? disk.readFile(name);
  const program = ts.createProgram([...files.keys()], options, host);
  const faults = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  t.deepEqual(faults, []);
});
