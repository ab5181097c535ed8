/**
 * What lua-redis-wasm loads in place of its own Emscripten module: that module, but with a way to run out of memory that only throws.
 * Emscripten's own also writes to the process' console, which it takes hold of before anybody can say otherwise.
 */
interface ModuleOptions {
  instantiateWasm(imports: { readonly env: Readonly<Record<string, unknown>> }, done: unknown): unknown;
}

const original = new URL('redis_lua.mjs', import.meta.resolve('lua-redis-wasm'));
const { default: create } = (await import(original.href)) as { default: (options: ModuleOptions) => Promise<unknown> };

function outOfMemory(): never {
  throw new Error('out of memory');
}

export default function createQuietly(options: ModuleOptions): Promise<unknown> {
  return create({
    ...options,
    instantiateWasm: (imports, done) =>
      options.instantiateWasm({ ...imports, env: { ...imports.env, emscripten_resize_heap: outOfMemory } }, done),
  });
}
