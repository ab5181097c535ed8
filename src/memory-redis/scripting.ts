/**
 * The only door to lua-redis-wasm: one Lua for the whole process, loaded when the first script comes.
 *
 * 1. Scripts are compiled once. The package itself compiles at each call, which costs a script of a hundred lines 200 µs. So a small
 *    Lua program, lua/sandbox.lua, holds the compiled functions and calls them; only who knows a secret can ask it to.
 *    All globals are read-only; the few that it changes are made writable for the one moment in which it is put there.
 * 2. Words and replies are read and written in the engine's own memory, in the package's documented binary form. The package's
 *    conversions copy each word and build each reply out of small buffers, which costs more than the commands themselves.
 *    For this its two internal handles (`exports`, `handlers`) are used; they are checked, and the version is pinned.
 * 3. A script that runs out of memory or breaks the engine ends the engine: the next script gets a new one.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Args } from './args.js';
import { copyBytes, readUint32, writeLatin1, writeUint32 } from './bytes.js';
import { ReplyDecoder, ReplyEncoder } from './lua-encoding.js';
import { CommandError, type Reply } from './reply.js';
import { FUEL, FUEL_MESSAGE, MOST_NESTED, ScriptFailure, type ScriptHost } from './script-host.js';
import { SERVER_VERSION } from './version.js';

/** Compiled scripts kept in the engine; beyond this all are let go, and compiled again when they come. */
const MOST_COMPILED = 2000;

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

const SANDBOX = readFileSync(new URL('./lua/sandbox.lua', import.meta.url), 'utf8');

/** A piece of Lua in the engine's memory. */
interface Code {
  readonly at: number;
  readonly length: number;
}

/** Words of up to so many bytes, all of a script together, have their place in the engine's memory. */
const WORDS_BYTES = 64 * 1024;

const UNEXPECTED = new Error('this version of lua-redis-wasm is built otherwise than the one expected (1.5.0)');

type WasmCall = (ret: number, ptr: number, length: number) => void;

const MARK = '\x01';

/** How many steps the pattern functions may take in one script: well under a second's worth. */
const MOST_PATTERN_STEPS = 1_000_000_000;

/** Where a Lua table's read-only mark lies in it (Lua 5.1 with Redis' patch, 32 bits). */
const READ_ONLY_OFFSET = 8;
/** The tables that the sandbox changes. */
const CHANGED_TABLES = ['_G', 'coroutine', 'string', 'redis'];

export class LuaRuntime {
  static #loaded: LuaRuntime | undefined;
  static #loading: Promise<LuaRuntime> | undefined;

  readonly #wasm: Wasm;
  readonly #memory: Buffer;
  readonly #out = new ReplyEncoder();
  readonly #words = new Args();
  readonly #ret: number;
  /** Where a script's words are put, when they fit: no script runs within another. */
  readonly #wordsAt: number;
  /** The Lua expression for what holds the compiled scripts. */
  readonly #holder: string;
  #host: ScriptHost | undefined;
  /** The reply holds RESP3's own types whatever protocol the script chose: true and false are then read as that protocol has them. */
  #typedReply = false;
  /** What runs each compiled script, by its digest. */
  readonly #compiled = new Map<string, Code>();
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
      modulePath: new URL('./lua-module.js', import.meta.url).href,
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
    const marks = CHANGED_TABLES.map((name) => {
      const shown = engine.eval(`return tostring(${name})`);
      const address = /^table: 0x([0-9a-f]+)$/.exec(Buffer.isBuffer(shown) ? shown.toString('latin1') : '')?.[1];
      if (address === undefined) throw UNEXPECTED;
      return Number.parseInt(address, 16) + READ_ONLY_OFFSET;
    });
    if (!marks.every((mark) => bytes[mark] === 1)) throw UNEXPECTED;
    const secret = randomBytes(16).toString('hex');
    const words = [SANDBOX, secret, FUEL_MESSAGE, String(MOST_NESTED), String(MOST_PATTERN_STEPS)];
    for (const mark of marks) bytes[mark] = 0;
    const taken = engine.evalWithArgs(
      "return loadstring(ARGV[1], '=errand')()",
      [],
      words.map((word) => Buffer.from(word)),
    );
    for (const mark of marks) bytes[mark] = 1;
    if (taken !== 1) throw UNEXPECTED;
    runtime.instance = new LuaRuntime({ bytes, evaluate, allocate, free }, handles.handlers, secret);
    return runtime.instance;
  }

  private constructor(
    wasm: Wasm,
    handlers: { call: WasmCall; pcall: WasmCall },
    private readonly secret: string,
  ) {
    this.#wasm = wasm;
    this.#holder = `getmetatable('${secret}')`;
    this.#memory = Buffer.from(wasm.bytes.buffer);
    this.#ret = wasm.allocate(8);
    this.#wordsAt = wasm.allocate(WORDS_BYTES);
    handlers.call = handlers.pcall = this.#call;
  }

  log(level: number, message: string): void {
    if (message === this.secret) this.#typedReply = true;
    else this.#host?.log(level, message);
  }

  setProtocol(version: 2 | 3): void {
    if (!this.#typedReply) this.#host?.setProtocol(version);
  }

  /** Compiles the script unless it has been; what is wrong with it, or undefined. */
  compile(sha: string, source: string): string | undefined {
    if (this.#compiled.has(sha)) return undefined;
    if (this.#compiled.size >= MOST_COMPILED) {
      for (const call of this.#compiled.values()) this.#wasm.free(call.at);
      this.#compiled.clear();
      this.#evalOnce(`${this.#holder}.reset()`, NO_WORDS);
    }
    const id = this.#nextId++;
    const reply = this.#evalOnce(`return ${this.#holder}.compile()`, Args.of([String(id), source]));
    if (reply instanceof ScriptFailure) return reply.message;
    if (typeof reply === 'string') return reply;
    this.#compiled.set(sha, this.#place(`return ${this.#holder}.run(${id})`));
    return undefined;
  }

  /** Runs a compiled script: words `firstKey` up to `firstArg` are its KEYS, the rest its ARGV. */
  run(sha: string, args: Args, firstKey: number, firstArg: number, host: ScriptHost): Reply | ScriptFailure {
    const before = this.#host;
    this.#host = host;
    try {
      return this.#eval(this.#compiled.get(sha) as Code, args, firstKey, firstArg);
    } finally {
      this.#host = before;
    }
  }

  #place(code: string): Code {
    const at = this.#wasm.allocate(code.length);
    writeLatin1(this.#memory, code, at);
    return { at, length: code.length };
  }

  #evalOnce(text: string, args: Args): Reply | ScriptFailure {
    const code = this.#place(text);
    const reply = this.#eval(code, args, 0, 0);
    if (LuaRuntime.#loaded === this) this.#wasm.free(code.at);
    return reply;
  }

  /** Runs a piece of Lua with words `firstKey` up to `firstArg` as KEYS and those from `firstArg` on as ARGV. */
  #eval(code: Code, args: Args, firstKey: number, firstArg: number): Reply | ScriptFailure {
    const wasm = this.#wasm;
    const memory = this.#memory;
    let size = 4;
    for (let index = firstKey; index < args.count; index += 1) size += 4 + args.length(index);
    let reply: Reply | ScriptFailure = null;
    this.#typedReply = false;
    try {
      const wordsAt = size <= WORDS_BYTES ? this.#wordsAt : wasm.allocate(size);
      writeWords(memory, wordsAt, args, firstKey);
      wasm.evaluate(this.#ret, code.at, code.length, wordsAt, size, firstArg - firstKey);
      if (wordsAt !== this.#wordsAt) wasm.free(wordsAt);
      const ptr = readUint32(memory, this.#ret);
      if (ptr !== 0 && readUint32(memory, this.#ret + 4) !== 0) {
        const decoder = new ReplyDecoder(memory, ptr, this.#typedReply && this.#host?.protocol === 2);
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
    const host = this.#host as ScriptHost;
    out.begin();
    try {
      out.reply(host.call(words), host.protocol);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      out.begin();
      out.reply(error, host.protocol);
    }
    const bytes = out.bytes();
    const target = this.#wasm.allocate(bytes.length);
    copyBytes(bytes, 0, bytes.length, memory, target);
    writeUint32(memory, target, ret);
    writeUint32(memory, bytes.length, ret + 4);
  };
}

const NO_WORDS = Args.of([]);

/** What `failed` in the sandbox made of an error: where, of which kind, what. */
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
