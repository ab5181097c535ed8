/**
 * Lua 5.1 as WebAssembly (vendor/lua-redis-wasm), with the host functions that it imports. The engine has no files, no console and no clock
 * but the real one: what asks for a file is told that there is none, and what it prints is dropped.
 *
 * Its memory cannot grow: a script that needs more throws here, and the engine cannot be used any more (see scripting.ts).
 */
import { createHash } from 'node:crypto';
import { brotliDecompressSync } from 'node:zlib';
import { copyBytes, readLatin1, readUint32, writeLatin1, writeUint32 } from './bytes.js';
import { engine as COMPRESSED } from './lua/sources.js';

/** Receives what a script asks of its host. Offsets and lengths are in the engine's memory. */
export interface LuaHost {
  /** `redis.call` and `redis.pcall`: the words lie at `at`; writes where the reply lies, and its length, to `ret`. */
  call(ret: number, at: number, length: number): void;
  log(level: number, message: string): void;
  setProtocol(version: 2 | 3): void;
}

/** A field of the table `redis`, or a function in it that always answers the same. */
export type RedisProperty = { readonly value: number | string } | { readonly returns: boolean | null };

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly __indirect_function_table: { get(index: number): (a: number, b: number) => void };
  readonly __wasm_call_ctors: () => void;
  readonly init: () => number;
  readonly set_limits: (fuel: number, replyBytes: number, argumentBytes: number) => void;
  readonly set_compat: (flags: number) => void;
  readonly eval_with_args: (ret: number, at: number, length: number, words: number, wordsLength: number, keys: number) => void;
  readonly alloc: (bytes: number) => number;
  readonly free_mem: (at: number) => void;
  readonly setThrew: (threw: number, value: number) => void;
  readonly _emscripten_stack_restore: (at: number) => void;
  readonly emscripten_stack_get_current: () => number;
}

type Imports = Readonly<Record<string, Readonly<Record<string, (...args: never[]) => unknown>>>>;

/** What is used of the platform's WebAssembly; TypeScript has its types only among those of browsers. */
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: Imports): Promise<{ readonly instance: { readonly exports: unknown } }>;
};

const EXPORTS = [
  'memory',
  '__indirect_function_table',
  '__wasm_call_ctors',
  'init',
  'set_limits',
  'set_compat',
  'eval_with_args',
  'alloc',
  'free_mem',
  'setThrew',
  '_emscripten_stack_restore',
  'emscripten_stack_get_current',
];

/** The engine that is running, as its users see it. */
export interface LuaEngine {
  readonly memory: Buffer;
  /** Runs the Lua at `at`; the words that follow are its KEYS and ARGV. Writes where the reply lies, and its length, to `ret`. */
  readonly evaluate: Exports['eval_with_args'];
  readonly allocate: Exports['alloc'];
  readonly free: Exports['free_mem'];
}

export const UNEXPECTED = new Error('this build of the Lua engine is not the one expected (lua-redis-wasm 1.5.0)');

/** The flags of what differs between versions of Redis; 7.0 has none of them. */
const REDIS_7_0 = 0;

/** Errors as WASI numbers them. */
const NO_SUCH_FILE = 44;
const BAD_FILE = 8;
const NOT_SUPPORTED = 52;

/** What `longjmp` throws: Lua's errors are long jumps. One for all, without a stack, as only `invoke_vii` looks at it. */
const LONG_JUMP = { name: 'longjmp' };

/** Starts an engine of its own. @param fuel how many instructions each script may use */
export async function startLuaEngine(host: LuaHost, fuel: number, properties: Readonly<Record<string, RedisProperty>>): Promise<LuaEngine> {
  let running: { readonly exports: Exports; readonly memory: Buffer } | undefined;
  const engine = (): NonNullable<typeof running> => {
    if (running === undefined) throw UNEXPECTED;
    return running;
  };
  const give = (bytes: Buffer, ret: number): void => {
    const { exports, memory } = engine();
    const at = exports.alloc(bytes.length);
    copyBytes(bytes, 0, bytes.length, memory, at);
    writeUint32(memory, at, ret);
    writeUint32(memory, bytes.length, ret + 4);
  };
  const fail = (reason: string) => (): never => {
    throw new Error(reason);
  };
  const table: ((a: number, b: number) => void)[] = [];

  const env = {
    host_redis_call: (ret: number, at: number, length: number) => host.call(ret, at, length),
    host_redis_pcall: (ret: number, at: number, length: number) => host.call(ret, at, length),
    host_redis_log: (level: number, at: number, length: number) => host.log(level, readLatin1(engine().memory, at, at + length)),
    host_redis_setresp: (version: 2 | 3) => host.setProtocol(version),
    host_redis_props: (ret: number) => give(encodeProperties(properties), ret),
    host_sha1hex: (ret: number, at: number, length: number) => {
      const digest = createHash('sha1').update(engine().memory.subarray(at, at + length));
      give(Buffer.from(digest.digest('hex'), 'latin1'), ret);
    },
    /** Calls a function that may end in a long jump. */
    invoke_vii: (index: number, a: number, b: number) => {
      const {
        __indirect_function_table: functions,
        emscripten_stack_get_current: top,
        _emscripten_stack_restore: restore,
        setThrew,
      } = engine().exports;
      const stack = top();
      try {
        (table[index] ??= functions.get(index))(a, b);
      } catch (error) {
        restore(stack);
        if (error !== LONG_JUMP) throw error;
        setThrew(1, 0);
      }
    },
    _emscripten_throw_longjmp: () => {
      throw LONG_JUMP;
    },
    emscripten_resize_heap: fail('out of memory'),
    exit: fail('the engine has ended itself'),
    _abort_js: fail('the engine has ended itself'),
    __assert_fail: fail('the engine found itself broken'),
    __syscall_openat: () => -NO_SUCH_FILE,
    __syscall_fcntl64: () => -BAD_FILE,
    __syscall_ioctl: () => -BAD_FILE,
    __syscall_dup3: () => -BAD_FILE,
  };
  const wasi = {
    clock_time_get: () => NOT_SUPPORTED,
    fd_read: () => BAD_FILE,
    fd_close: () => BAD_FILE,
    fd_seek: () => BAD_FILE,
    /** Says that all has been written, and drops it. */
    fd_write: (_file: number, pieces: number, count: number, written: number) => {
      const { memory } = engine();
      let total = 0;
      for (let index = 0; index < count; index += 1) total += readUint32(memory, pieces + index * 8 + 4);
      writeUint32(memory, total, written);
      return 0;
    },
  };

  const bytes = brotliDecompressSync(Buffer.from(COMPRESSED, 'base64'));
  const { instance } = await WebAssembly.instantiate(bytes, { env, wasi_snapshot_preview1: wasi });
  const exports = instance.exports as Exports;
  if (!EXPORTS.every((name) => name in exports)) throw UNEXPECTED;
  const { __wasm_call_ctors: construct, set_limits: setLimits, set_compat: setFlags, init } = exports;
  const memory = Buffer.from(exports.memory.buffer);
  running = { exports, memory };
  construct();
  setLimits(fuel, 0, 0);
  setFlags(REDIS_7_0);
  if (init() !== 0) throw UNEXPECTED;
  return { memory, evaluate: exports.eval_with_args, allocate: exports.alloc, free: exports.free_mem };
}

const FIELD = 0;
const FUNCTION = 1;
const NIL = 0;
const BOOLEAN = 1;
const NUMBER = 2;
const STRING = 3;

/** The engine's binary form of the properties: their number; of each the name's length, the name, which kind it is, which type, the value. */
function encodeProperties(properties: Readonly<Record<string, RedisProperty>>): Buffer {
  const entries = Object.entries(properties);
  return Buffer.concat([
    uint32(entries.length),
    ...entries.flatMap(([name, property]) => [
      ...text(name),
      ...('value' in property
        ? [Buffer.of(FIELD), ...encodeValue(property.value)]
        : [Buffer.of(FUNCTION), ...encodeValue(property.returns)]),
    ]),
  ]);
}

function encodeValue(value: number | string | boolean | null): Buffer[] {
  if (value === null) return [Buffer.of(NIL)];
  if (typeof value === 'boolean') return [Buffer.of(BOOLEAN, value ? 1 : 0)];
  if (typeof value === 'string') return [Buffer.of(STRING), ...text(value)];
  const number = Buffer.alloc(8);
  number.writeDoubleLE(value);
  return [Buffer.of(NUMBER), number];
}

function text(value: string): Buffer[] {
  const bytes = Buffer.alloc(value.length);
  writeLatin1(bytes, value, 0);
  return [uint32(value.length), bytes];
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  writeUint32(bytes, value, 0);
  return bytes;
}
