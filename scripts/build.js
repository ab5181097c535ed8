// Compiles everything to dist/ and writes the modules that tsc does not: the Lua scripts, and the Lua engine's WebAssembly, as strings.
// So whoever bundles errand needs no file beside its JavaScript. Only changed files are compiled again; `rm -rf dist` starts afresh.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { literal } from './literal.js';

for (const [i, project] of ['tsconfig.json', 'test/standard-decorators/tsconfig.json'].entries()) {
  const args = ['-p', project, '--incremental', '--tsBuildInfoFile', `dist/${i}.tsbuildinfo`];
  const { status } = spawnSync('tsc', args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
}
removeOrphans();
sources('src/log/lua');
sources('src/memory-redis/lua', { engine: engine() });
chmodSync('dist/src/cli/main.js', 0o755); // npx links to it and does not make it executable again

/** What an earlier build made of a source that is gone. A test among them would still run. */
function removeOrphans() {
  const folders = ['src', 'actors', 'examples', 'test'].map((folder) => `dist/${folder}`).filter((folder) => existsSync(folder));
  for (const folder of folders) {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const made = join(folder, name);
      const stem = made.slice('dist/'.length).replace(/\.(d\.ts|js|js\.map)$/, '');
      if (/\.(d\.ts|js|js\.map)$/.test(made) && !existsSync(`${stem}.ts`) && !/[\\/]lua[\\/]/.test(made)) rmSync(made);
    }
  }
}

/** The engine as text; packing it takes a second, so that is done again only when it has changed. */
function engine() {
  const binary = 'vendor/lua-redis-wasm/redis_lua.wasm';
  const packed = 'dist/redis_lua.wasm.br.base64';
  if (!existsSync(packed) || statSync(packed).mtimeMs < statSync(binary).mtimeMs)
    writeFileSync(packed, brotliCompressSync(readFileSync(binary)).toString('base64'));
  return readFileSync(packed, 'utf8');
}

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
