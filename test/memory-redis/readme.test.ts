import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test("the README's example for ava passes", async (t) => {
  const readme = await readFile(join(ROOT, 'src/memory-redis/README.md'), 'utf8');
  const example = /```ts ava\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  // Within the package, so that `errand` is found by its name, and where ava looks for tests.
  const folder = await mkdtemp(join(ROOT, 'dist/test/readme-'));
  try {
    await writeFile(join(folder, 'example.test.js'), example);
    const { stdout } = await execute(process.execPath, [join(ROOT, 'node_modules/ava/entrypoints/cli.mjs'), `${folder}/*.test.js`], {
      cwd: ROOT,
    });
    t.regex(stdout, /1 test passed/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
