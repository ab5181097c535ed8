/**
 * Runs scripts in the Lua engine: one for the whole process, loaded when the first script comes.
 *
 * 1. Scripts are compiled once. The engine itself compiles at each call, which costs a script of a hundred lines 200 µs. So a small
 *    Lua program, lua/sandbox.lua, holds the compiled functions and calls them; only who knows a secret can ask it to.
 *    All globals are read-only; the few that it changes are made writable for the one moment in which it is put there.
 * 2. Words and replies are read and written in the engine's own memory, in its binary form.
 * 3. A script that runs out of memory or breaks the engine ends the engine: the next script gets a new one.
 */
import { randomBytes } from 'node:crypto';
import { Args } from './args.js';
import { copyBytes, readUint32, writeLatin1, writeUint32 } from './bytes.js';
import { sandbox } from './lua/sources.js';
import { ReplyDecoder, ReplyEncoder } from './lua-encoding.js';
import { type LuaEngine, type LuaHost, type RedisProperty, startLuaEngine, UNEXPECTED } from './lua-engine.js';
import { CommandError, type Reply } from './reply.js';
import { FUEL, FUEL_MESSAGE, MOST_NESTED, ScriptFailure, type ScriptHost } from './script-host.js';
import { SERVER_VERSION } from './version.js';

/** Compiled scripts kept in the engine; beyond this all are let go, and compiled again when they come. */
const MOST_COMPILED = 2000;

/** A piece of Lua in the engine's memory. */
interface Code {
  readonly at: number;
  readonly length: number;
}

/** Words of up to so many bytes, all of a script together, have their place in the engine's memory. */
const WORDS_BYTES = 64 * 1024;

const MARK = '\x01';

/** How many steps the pattern functions may take in one script: well under a second's worth. */
const MOST_PATTERN_STEPS = 1_000_000_000;

/** Where a Lua table's read-only mark lies in it (Lua 5.1 with Redis' patch, 32 bits). */
const READ_ONLY_OFFSET = 8;
/** The tables that the sandbox changes. */
const CHANGED_TABLES = ['_G', 'coroutine', 'string', 'redis'];

/** Fields and functions of the table `redis` that the engine does not bring along. */
const REDIS_PROPERTIES: Readonly<Record<string, RedisProperty>> = {
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
};

export class LuaRuntime implements LuaHost {
  static #loaded: LuaRuntime | undefined;
  static #loading: Promise<LuaRuntime> | undefined;

  readonly #engine: LuaEngine;
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
  #broken = false;

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
    const runtime: { instance?: LuaRuntime } = {};
    const host: LuaHost = {
      call: (ret, at, length) => runtime.instance?.call(ret, at, length),
      log: (level, message) => runtime.instance?.log(level, message),
      setProtocol: (version) => runtime.instance?.setProtocol(version),
    };
    const engine = await startLuaEngine(host, FUEL, REDIS_PROPERTIES);
    runtime.instance = new LuaRuntime(engine, randomBytes(16).toString('hex'));
    runtime.instance.#putSandbox();
    return runtime.instance;
  }

  private constructor(
    engine: LuaEngine,
    private readonly secret: string,
  ) {
    this.#engine = engine;
    this.#holder = `getmetatable('${secret}')`;
    this.#memory = engine.memory;
    this.#ret = engine.allocate(8);
    this.#wordsAt = engine.allocate(WORDS_BYTES);
  }

  #putSandbox(): void {
    const memory = this.#memory;
    const marks = CHANGED_TABLES.map((name) => {
      const shown = this.#evalOnce(`return tostring(${name})`, NO_WORDS);
      const address = /^table: 0x([0-9a-f]+)$/.exec(typeof shown === 'string' ? shown : '')?.[1];
      if (address === undefined) throw UNEXPECTED;
      return Number.parseInt(address, 16) + READ_ONLY_OFFSET;
    });
    if (!marks.every((mark) => memory[mark] === 1)) throw UNEXPECTED;
    const words = Args.of([sandbox, this.secret, FUEL_MESSAGE, String(MOST_NESTED), String(MOST_PATTERN_STEPS)]);
    for (const mark of marks) memory[mark] = 0;
    const taken = this.#evalOnce("return loadstring(ARGV[1], '=errand')()", words);
    for (const mark of marks) memory[mark] = 1;
    if (taken !== 1) throw UNEXPECTED;
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
      for (const call of this.#compiled.values()) this.#engine.free(call.at);
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
    const at = this.#engine.allocate(code.length);
    writeLatin1(this.#memory, code, at);
    return { at, length: code.length };
  }

  #evalOnce(text: string, args: Args): Reply | ScriptFailure {
    const code = this.#place(text);
    const reply = this.#eval(code, args, 0, 0);
    if (!this.#broken) this.#engine.free(code.at);
    return reply;
  }

  /** Runs a piece of Lua with words `firstKey` up to `firstArg` as KEYS and those from `firstArg` on as ARGV. */
  #eval(code: Code, args: Args, firstKey: number, firstArg: number): Reply | ScriptFailure {
    const engine = this.#engine;
    const memory = this.#memory;
    let size = 4;
    for (let index = firstKey; index < args.count; index += 1) size += 4 + args.length(index);
    let reply: Reply | ScriptFailure = null;
    this.#typedReply = false;
    try {
      const wordsAt = size <= WORDS_BYTES ? this.#wordsAt : engine.allocate(size);
      writeWords(memory, wordsAt, args, firstKey);
      engine.evaluate(this.#ret, code.at, code.length, wordsAt, size, firstArg - firstKey);
      if (wordsAt !== this.#wordsAt) engine.free(wordsAt);
      const ptr = readUint32(memory, this.#ret);
      if (ptr !== 0 && readUint32(memory, this.#ret + 4) !== 0) {
        const decoder = new ReplyDecoder(memory, ptr, this.#typedReply && this.#host?.protocol === 2);
        const failure = decoder.failure();
        reply = failure === undefined ? decoder.value() : readFailure(failure);
        engine.free(ptr);
      }
    } catch (error) {
      // Out of memory, most likely. The engine cannot be used any more; the next script loads another.
      this.#broken = true;
      if (LuaRuntime.#loaded === this) LuaRuntime.#loaded = LuaRuntime.#loading = undefined;
      return new ScriptFailure(`ERR the script engine gave up: ${error instanceof Error ? error.message : 'its stack is full'}`, 0, false);
    }
    return reply;
  }

  /** What redis.call and redis.pcall come to: the words are read where they lie, which nothing moves while the command runs. */
  call(ret: number, ptr: number, length: number): void {
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
    const target = this.#engine.allocate(bytes.length);
    copyBytes(bytes, 0, bytes.length, memory, target);
    writeUint32(memory, target, ret);
    writeUint32(memory, bytes.length, ret + 4);
  }
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
