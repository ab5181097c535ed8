/**
 * The only door to lua-redis-wasm: one Lua for the whole process, loaded when the first script comes.
 *
 * 1. Scripts are compiled once. The package itself compiles at each call, which costs a script of a hundred lines 200 µs. So a small
 *    Lua program holds the compiled functions and calls them; it is kept in the metatable of the globals, where no script looks.
 *    All globals are read-only; the few that it changes are made writable for the one moment in which it is put there.
 * 2. Words and replies are read and written in the engine's own memory, in the package's documented binary form. The package's
 *    conversions copy each word and build each reply out of small buffers, which costs more than the commands themselves.
 *    For this its two internal handles (`exports`, `handlers`) are used; they are checked, and the version is pinned.
 * 3. A script that runs out of memory or breaks the engine ends the engine: the next script gets a new one.
 */
import { Args } from './args.js';
import { copyBytes, readUint32, writeLatin1, writeUint32 } from './bytes.js';
import { ReplyDecoder, ReplyEncoder } from './lua-encoding.js';
import type { Reply } from './reply.js';
import { SERVER_VERSION } from './version.js';

/** Lua instructions one script may use: about a second's worth. Redis itself would go on and answer BUSY to others, which one thread cannot. */
export const FUEL = 250_000_000;
/** Compiled scripts kept in the engine; beyond this all are let go, and compiled again when they come. */
const MOST_COMPILED = 2000;

/** Who a script talks to while it runs. */
export interface ScriptHost {
  call(args: Args): Reply;
  log(level: number, message: string): void;
  setProtocol(version: 2 | 3): void;
}

/** A script that failed, before anything is said about which script it was. */
export class ScriptFailure {
  constructor(
    readonly message: string,
    readonly line: number,
    /** Thrown by the script as a table, `error({ err = … })`. */
    readonly table: boolean,
  ) {}
}

/** The engine's own functions; their names are Emscripten's. */
interface WasmExports {
  readonly HEAPU8: Uint8Array;
  readonly _eval_with_args: (ret: number, ptr: number, length: number, args: number, argsLength: number, keys: number) => void;
  readonly _alloc: (bytes: number) => number;
  readonly _free_mem: (ptr: number) => void;
}

interface Wasm {
  readonly bytes: Uint8Array;
  readonly evaluate: WasmExports['_eval_with_args'];
  readonly allocate: WasmExports['_alloc'];
  readonly free: WasmExports['_free_mem'];
}

const UNEXPECTED = new Error('this version of lua-redis-wasm is built otherwise than the one expected (1.5.0)');

type WasmCall = (ret: number, ptr: number, length: number) => void;

const MARK = '\x01';
/** What the package says when the instructions are used up. */
export const FUEL_MESSAGE = 'Script killed by fuel limit';
/** How deep a script's reply may be nested; the engine's own stack allows little more. */
const MOST_NESTED = 100;

/** Where a Lua table's read-only mark lies in it (Lua 5.1 with Redis' patch, 32 bits). */
const READ_ONLY_OFFSET = 8;

/**
 * Runs once.
 *
 * - What a script throws is caught by `failed`, which finds the line and keeps what the package would drop: the message of an error
 *   thrown as a table. It passes both on in one text, its parts set apart by a mark.
 * - A script that has used up its instructions cannot go on by catching that error: pcall, xpcall and coroutine.resume pass it on.
 * - A reply that is nested too deeply, or holds itself, is refused here: the engine would never come to its end.
 */
const BOOTSTRAP = `
local compiled, compile, raise, tostring, tonumber, type, find = {}, loadstring, error, tostring, tonumber, type, string.find
local pcall, xpcall, resume = pcall, xpcall, coroutine.resume
local function relay(fine, thrown, ...)
  if not fine and type(thrown) == 'string' and find(thrown, '${FUEL_MESSAGE}', 1, true) then raise(thrown, 0) end
  return fine, thrown, ...
end
_G.pcall = function(...) return relay(pcall(...)) end
_G.xpcall = function(run, handle)
  local spent
  local function guard(thrown)
    if type(thrown) == 'string' and find(thrown, '${FUEL_MESSAGE}', 1, true) then
      spent = thrown
      return thrown
    end
    return handle(thrown)
  end
  local function finish(...)
    if spent then raise(spent, 0) end
    return ...
  end
  return finish(xpcall(run, guard))
end
coroutine.resume = function(...) return relay(resume(...)) end
local function failed(thrown)
  local line = 0
  for level = 3, 30 do
    local _, place = pcall(raise, '', level)
    local _, _, found = find(place, '^user_script:(%d+):')
    if found then
      line = found
      break
    end
  end
  if type(thrown) == 'table' and type(thrown.err) == 'string' then return '\\1' .. line .. '\\1t\\1' .. thrown.err end
  return '\\1' .. line .. '\\1s\\1' .. tostring(thrown)
end
local function too_deep(reply, left)
  if left == 0 then return true end
  for index = 1, #reply do
    local item = reply[index]
    if type(item) == 'table' and too_deep(item, left - 1) then return true end
  end
  return false
end
local hidden = getmetatable(_G)
hidden.run = function(id)
  local fine, result = xpcall(compiled[id], failed)
  if not fine then raise(result, 0) end
  if type(result) == 'table' and too_deep(result, ${MOST_NESTED}) then return { err = 'ERR reached lua stack limit' } end
  return result
end
hidden.compile = function()
  local script, fault = compile(ARGV[2], '@user_script')
  compiled[tonumber(ARGV[1])] = script
  return fault
end
hidden.reset = function() compiled = {} end
return 1`;

export class LuaRuntime {
  static #loaded: LuaRuntime | undefined;
  static #loading: Promise<LuaRuntime> | undefined;

  readonly #wasm: Wasm;
  readonly #memory: Buffer;
  readonly #out = new ReplyEncoder();
  readonly #words = new Args();
  readonly #ret: number;
  #host: ScriptHost | undefined;
  #compiled = new Map<string, number>();
  #nextId = 1;

  /** The process' engine, if it has been loaded. */
  static get current(): LuaRuntime | undefined {
    return LuaRuntime.#loaded;
  }

  /** Loads the process' engine, once. */
  static load(): Promise<LuaRuntime> {
    LuaRuntime.#loading ??= LuaRuntime.#create().then(
      (runtime) => (LuaRuntime.#loaded = runtime),
      (error: unknown) => {
        LuaRuntime.#loading = undefined;
        throw error;
      },
    );
    return LuaRuntime.#loading;
  }

  static async #create(): Promise<LuaRuntime> {
    const { load } = await import('lua-redis-wasm');
    const module = await load({
      profile: 'redis-7.0',
      limits: { maxFuel: FUEL },
      redisProps: {
        REDIS_VERSION: { value: SERVER_VERSION },
        REDIS_VERSION_NUM: { value: 0x0007000f },
        REPL_NONE: { value: 0 },
        REPL_SLAVE: { value: 1 },
        REPL_REPLICA: { value: 1 },
        REPL_AOF: { value: 2 },
        REPL_ALL: { value: 3 },
        replicate_commands: { returns: true },
        set_repl: { returns: null },
        breakpoint: { returns: false },
        debug: { returns: null },
        acl_check_cmd: { returns: true },
      },
    });
    const runtime: { instance?: LuaRuntime } = {};
    const engine = module.create({
      redisCall: () => null,
      redisPcall: () => null,
      log: (level, message) => runtime.instance?.log(level, message.toString('latin1')),
      onSetResp: (version) => runtime.instance?.setProtocol(version),
    });
    const handles = module as unknown as { exports?: WasmExports; handlers?: { call: WasmCall; pcall: WasmCall } };
    const { HEAPU8: bytes, _eval_with_args: evaluate, _alloc: allocate, _free_mem: free } = handles.exports ?? ({} as Partial<WasmExports>);
    if (bytes === undefined || evaluate === undefined || allocate === undefined || free === undefined) throw UNEXPECTED;
    if (typeof handles.handlers?.call !== 'function') throw UNEXPECTED;
    const shown = engine.eval("return table.concat({ tostring(getmetatable(_G)), tostring(_G), tostring(coroutine) }, ' ')");
    const tables = /^table: 0x([0-9a-f]+) table: 0x([0-9a-f]+) table: 0x([0-9a-f]+)$/.exec(
      Buffer.isBuffer(shown) ? shown.toString('latin1') : '',
    );
    if (tables === null) throw UNEXPECTED;
    const marks = tables.slice(1).map((address) => Number.parseInt(address, 16) + READ_ONLY_OFFSET);
    if (!marks.every((mark) => bytes[mark] === 1)) throw UNEXPECTED;
    for (const mark of marks) bytes[mark] = 0;
    const taken = engine.evalWithArgs("return loadstring(ARGV[1], '=errand')()", [], [Buffer.from(BOOTSTRAP)]);
    for (const mark of marks) bytes[mark] = 1;
    if (taken !== 1) throw UNEXPECTED;
    runtime.instance = new LuaRuntime({ bytes, evaluate, allocate, free }, handles.handlers);
    return runtime.instance;
  }

  private constructor(wasm: Wasm, handlers: { call: WasmCall; pcall: WasmCall }) {
    this.#wasm = wasm;
    this.#memory = Buffer.from(wasm.bytes.buffer);
    this.#ret = wasm.allocate(8);
    handlers.call = handlers.pcall = this.#call;
  }

  log(level: number, message: string): void {
    this.#host?.log(level, message);
  }

  setProtocol(version: 2 | 3): void {
    this.#host?.setProtocol(version);
  }

  /** Compiles the script unless it has been; what is wrong with it, or undefined. */
  compile(sha: string, source: string): string | undefined {
    if (this.#compiled.has(sha)) return undefined;
    if (this.#compiled.size >= MOST_COMPILED) {
      this.#compiled.clear();
      this.#eval('getmetatable(_G).reset()', NO_WORDS, 0, 0);
    }
    const id = this.#nextId++;
    const reply = this.#eval('return getmetatable(_G).compile()', Args.of([String(id), source]), 0, 0);
    if (reply instanceof ScriptFailure) return reply.message;
    if (typeof reply === 'string') return reply;
    this.#compiled.set(sha, id);
    return undefined;
  }

  /** Runs a compiled script: words `firstKey` up to `firstArg` are its KEYS, the rest its ARGV. */
  run(sha: string, args: Args, firstKey: number, firstArg: number, host: ScriptHost): Reply | ScriptFailure {
    const id = this.#compiled.get(sha) as number;
    const before = this.#host;
    this.#host = host;
    try {
      return this.#eval(`return getmetatable(_G).run(${id})`, args, firstKey, firstArg);
    } finally {
      this.#host = before;
    }
  }

  /** Runs a piece of Lua with words `firstKey` up to `firstArg` as KEYS and those from `firstArg` on as ARGV. */
  #eval(code: string, args: Args, firstKey: number, firstArg: number): Reply | ScriptFailure {
    const wasm = this.#wasm;
    const memory = this.#memory;
    let size = 4;
    for (let index = firstKey; index < args.count; index += 1) size += 4 + args.length(index);
    let reply: Reply | ScriptFailure = null;
    try {
      const codeAt = wasm.allocate(code.length);
      writeLatin1(memory, code, codeAt);
      const wordsAt = wasm.allocate(size);
      writeWords(memory, wordsAt, args, firstKey);
      wasm.evaluate(this.#ret, codeAt, code.length, wordsAt, size, firstArg - firstKey);
      wasm.free(codeAt);
      wasm.free(wordsAt);
      const ptr = readUint32(memory, this.#ret);
      if (ptr !== 0 && readUint32(memory, this.#ret + 4) !== 0) {
        const decoder = new ReplyDecoder(memory, ptr);
        const failure = decoder.failure();
        reply = failure === undefined ? decoder.value() : readFailure(failure);
        wasm.free(ptr);
      }
    } catch (error) {
      // Out of memory, most likely. The engine cannot be used any more; the next script loads another.
      if (LuaRuntime.#loaded === this) LuaRuntime.#loaded = LuaRuntime.#loading = undefined;
      return new ScriptFailure(`ERR the script engine gave up: ${error instanceof Error ? error.message : 'its stack is full'}`, 0, false);
    }
    return reply;
  }

  /** What redis.call and redis.pcall come to: the words are read where they lie, which nothing moves while the command runs. */
  readonly #call: WasmCall = (ret, ptr, length) => {
    const memory = this.#memory;
    const words = this.#words;
    words.reset(memory, false);
    const count = length < 4 ? 0 : readUint32(memory, ptr);
    let at = ptr + 4;
    for (let index = 0; index < count; index += 1) {
      const size = readUint32(memory, at);
      words.add(at + 4, at + 4 + size);
      at += 4 + size;
    }
    const out = this.#out;
    out.begin();
    out.reply((this.#host as ScriptHost).call(words));
    const bytes = out.bytes();
    const target = this.#wasm.allocate(bytes.length);
    copyBytes(bytes, 0, bytes.length, memory, target);
    writeUint32(memory, target, ret);
    writeUint32(memory, bytes.length, ret + 4);
  };
}

const NO_WORDS = Args.of([]);

/** What `failed` in the bootstrap made of an error: where, of which kind, what. */
function readFailure({ message, line }: { readonly message: string; readonly line: number }): ScriptFailure {
  const [, where, kind, ...rest] = message.split(MARK);
  return where === undefined ? new ScriptFailure(message, line, false) : new ScriptFailure(rest.join(MARK), Number(where), kind === 't');
}

function writeWords(memory: Buffer, at: number, args: Args, from: number): void {
  writeUint32(memory, args.count - from, at);
  let to = at + 4;
  for (let index = from; index < args.count; index += 1) {
    writeUint32(memory, args.length(index), to);
    to = copyBytes(args.source, args.starts[index] as number, args.ends[index] as number, memory, to + 4);
  }
}
