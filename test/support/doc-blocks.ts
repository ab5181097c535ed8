/** The code blocks of a document: found, compiled where they are TypeScript, type-checked, and run as a reader would paste them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { runScript } from './run-script.js';

export interface Block {
  /** the fence's first word: `ts`, `js`, `yaml`, … */
  readonly language: string;
  /** the fence's other words */
  readonly words: readonly string[];
  readonly code: string;
  /** the `text` block that follows next, if one does: it holds the expected output */
  readonly prints: string | undefined;
}

export function blocksOf(path: string): Block[] {
  const found = [...readFileSync(path, 'utf8').matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)].map(
    ([, language = '', rest = '', code = '']) => ({
      language,
      words: rest.split(/\s+/).filter((word) => word !== ''),
      code,
    }),
  );
  return found.map((block, i) => {
    const next = found[i + 1];
    return { ...block, prints: next?.language === 'text' ? next.code.trim() : undefined };
  });
}

/** Runs a `ts` or `js` block in a process of its own. The file lies inside the package, so that 'errand' is this very package. */
export async function runBlock({ language, code }: Pick<Block, 'language' | 'code'>): Promise<{ status: number | null; printed: string }> {
  mkdirSync('dist/blocks', { recursive: true });
  const folder = mkdtempSync(join('dist', 'blocks', 'block-'));
  const file = join(folder, 'block.mjs');
  writeFileSync(file, language === 'ts' ? compiled(code) : code);
  try {
    return await runScript(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compiled(code: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, experimentalDecorators: true };
  return ts.transpileModule(code, { compilerOptions }).outputText;
}

/** The compiler's complaints about TypeScript blocks; each block is a module of its own. */
export function typeFaults(codes: readonly string[]): string[] {
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
  const files = new Map(codes.map((code, i) => [join(process.cwd(), 'dist', `block-${i}.mts`), code]));
  const disk = { fileExists: host.fileExists.bind(host), readFile: host.readFile.bind(host) };
  host.fileExists = (name) => files.has(name) || disk.fileExists(name);
  host.readFile = (name) => files.get(name) ?? disk.readFile(name);
  const program = ts.createProgram([...files.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
