import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type BuildOptions, build } from 'esbuild';

/** issue 14, B13: errand in one file, bundled and minified by esbuild, which runs where neither the package nor its dependencies are. */

const first = /^```js\n([\s\S]*?)^```/m.exec(readFileSync('README.md', 'utf8'))?.[1] ?? '';
const [imports, program] = [first.slice(0, first.indexOf('\n\n')), first.slice(first.indexOf('\n\n'))];

/** Bundles a program and runs it in a folder of its own. */
async function bundled(t: ExecutionContext, code: string, options: BuildOptions): Promise<{ status: number | null; printed: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'errand-bundle-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, options.format === 'cjs' ? 'program.cjs' : 'program.mjs');
  const stdin = { contents: code, resolveDir: process.cwd() }; // in this package, so that 'errand' is this very package
  const { warnings } = await build({ ...options, stdin, outfile, bundle: true, minify: true, platform: 'node', logLevel: 'silent' });
  t.deepEqual(warnings, []);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [outfile], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.once('close', (status) => resolve({ status, printed: printed.trim() }));
  });
}

test("the README's first example runs bundled as a module", async (t) => {
  // ioredis is CommonJS: within a module, esbuild needs to be given the `require` for what is Node's own.
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  t.deepEqual(await bundled(t, first, { format: 'esm', banner }), { status: 0, printed: '{ balance: 750 }' });
});

test("the README's first example runs bundled as CommonJS", async (t) => {
  const wrapped = `${imports}\nasync function main() {\n${program}\n}\nvoid main();`;
  t.deepEqual(await bundled(t, wrapped, { format: 'cjs' }), { status: 0, printed: '{ balance: 750 }' });
});

test('the in-process Redis runs any script from a bundle', async (t) => {
  // A script with a loop over what it is given is none of those that become JavaScript: the engine runs it.
  const code = `import { createMemoryRedis } from 'errand/memory-redis';
async function main() {
  const redis = createMemoryRedis();
  const client = redis.client();
  console.log(await client.eval("return cmsgpack.unpack(cmsgpack.pack(string.rep('x', 3))) .. redis.sha1hex('')", 0));
  client.disconnect();
  redis.close();
}
void main();`;
  t.deepEqual(await bundled(t, code, { format: 'cjs' }), { status: 0, printed: 'xxxda39a3ee5e6b4b0d3255bfef95601890afd80709' });
});
