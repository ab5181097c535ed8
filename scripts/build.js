// Compiles everything to dist/ and writes the modules that tsc does not: the Lua scripts, and the Lua engine's WebAssembly, as strings.
// So whoever bundles errand needs no file beside its JavaScript.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { literal } from './literal.js';

rmSync('dist', { recursive: true, force: true });
for (const project of ['tsconfig.json', 'test/standard-decorators/tsconfig.json']) {
  const { status } = spawnSync('tsc', ['-p', project], { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}
sources('src/log/lua');
sources('src/memory-redis/lua', { engine: brotliCompressSync(readFileSync('vendor/lua-redis-wasm/redis_lua.wasm')).toString('base64') });
chmodSync('dist/src/cli/main.js', 0o755); // npx links to it and does not make it executable again

/** Writes a folder's Lua files (x.lua as x.lua.js), and `more`, as modules of one string each, and sources.js, which exports all by name. */
function sources(folder, more = {}) {
  const modules = Object.entries(more).map(([name, text]) => ({ name, file: `${name}.js`, text }));
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.lua')) continue;
    modules.push({ name: basename(file, '.lua'), file: `${file}.js`, text: readFileSync(join(folder, file), 'utf8') });
  }
  const names = modules.map(({ name }) => name).sort();
  const declared = [...readFileSync(join(folder, 'sources.d.ts'), 'utf8').matchAll(/^export declare const (\w+): string;$/gm)];
  if (String(declared.map(([, name]) => name).sort()) !== String(names)) {
    console.error(`${folder}/sources.d.ts declares other strings than there are: ${names.join(', ')}`);
    process.exit(1);
  }
  const to = join('dist', folder);
  mkdirSync(to, { recursive: true });
  for (const { file, text } of modules) writeFileSync(join(to, file), `export default ${literal(text)};\n`);
  writeFileSync(join(to, 'sources.js'), modules.map(({ name, file }) => `export { default as ${name} } from './${file}';\n`).join(''));
}
