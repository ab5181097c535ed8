// Compiles everything to dist/ and copies the files that tsc does not: the Lua scripts.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
for (const project of ['tsconfig.json', 'test/standard-decorators/tsconfig.json']) {
  const { status } = spawnSync('tsc', ['-p', project], { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}
for (const folder of ['src/log/lua', 'src/memory-redis/lua']) cpSync(folder, `dist/${folder}`, { recursive: true });
chmodSync('dist/src/cli/main.js', 0o755); // npx links to it and does not make it executable again
