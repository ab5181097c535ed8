import { createHash } from 'node:crypto';
import type { Args } from './args.js';
import { printed } from './bytes.js';
import type { Client } from './client-state.js';
import { keyPositions } from './command-keys.js';
import { arityFits, type CommandSpec } from './command-table.js';
import { CompiledScript } from './compiled/compiled-script.js';
import type { Engine } from './engine.js';
import { InternalClient } from './internal-client.js';
import { CommandError, OUT_OF_MEMORY, type Reply } from './reply.js';
import { splitLine } from './resp-parser.js';
import { FUEL, FUEL_MESSAGE, ScriptFailure, type ScriptHost } from './script-host.js';
import { LuaRuntime } from './scripting.js';

/** What the first line of a script says about it. */
export interface ScriptFlags {
  readonly noWrites: boolean;
  readonly allowOom: boolean;
  /** No `#!` line: Redis' older rules hold, each command is judged by itself. */
  readonly plain: boolean;
}

interface Script {
  readonly sha: string;
  readonly source: string;
  readonly flags: ScriptFlags;
  /** How often it has been run. */
  runs: number;
  /** In JavaScript; undefined before it was worth the while, and for what is left to the WebAssembly Lua. */
  compiled: CompiledScript | undefined;
}

const KNOWN_FLAGS = new Set(['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys']);
const DIGEST_LENGTH = 40;
/** Scripts kept, by their size all together. */
const MOST_SCRIPT_BYTES = 64 * 1024 * 1024;
const NO_SCRIPT = new CommandError('NOSCRIPT No matching script. Please use EVAL.');
const NO_WORDS = new CommandError('ERR Please specify at least one argument for this redis lib call');
const UNKNOWN = new CommandError('ERR Unknown Redis command called from script');
const WRONG_ARITY = new CommandError('ERR Wrong number of args calling Redis command from script');
const NOT_ALLOWED = new CommandError('ERR This Redis command is not allowed from script');
const READ_ONLY = new CommandError('ERR Write commands are not allowed from read-only scripts.');
const WRITES_ASKED_READ_ONLY = new CommandError('ERR Can not execute a script with write flag using *_ro command.');
const NO_ROOM = new CommandError("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'");

/** What the engine reports by a mark and not in words. */
const MARKED = /__RLUA_E__:([a-z-]+)(?::(.*))?$/s;

/** What the engine's own `redis` functions say, and what Redis says. */
const LIBRARY_ERRORS: readonly (readonly [RegExp, string])[] = [
  [/: ERR RESP version must be 2 or 3\.$/, 'ERR RESP version must be 2 or 3.'],
  [/: ERR redis\.log requires level and message$/, 'ERR redis.log() requires two arguments or more.'],
  [/^user_script:\d+: bad argument #1 to 'sha1hex'/, 'ERR wrong number of arguments'],
];

/** The scripts that a Redis knows, and how they are run. */
export class Scripts {
  readonly #known = new Map<string, Script>();
  #bytes = 0;
  readonly #caller: ScriptClient;

  constructor(private readonly engine: Engine) {
    this.#caller = new ScriptClient(engine);
  }

  /** Whether scripts can be run at once; otherwise wait for `load`. */
  get ready(): boolean {
    return LuaRuntime.current !== undefined;
  }

  /** Loads the script engine. The clock is asked in each turn meanwhile, so that a virtual one knows that work is going on. */
  async load(): Promise<void> {
    let done = false;
    const keepAwake = (): void => {
      if (done) return;
      this.engine.clock.now();
      setImmediate(keepAwake);
    };
    keepAwake();
    try {
      await LuaRuntime.load();
    } finally {
      done = true;
    }
  }

  has(sha: string): boolean {
    return this.#known.has(sha.toLowerCase());
  }

  flush(): void {
    this.#known.clear();
    this.#bytes = 0;
  }

  /** Takes a script in; returns its digest. Throws when it cannot be compiled. */
  add(source: string): string {
    return this.#take(source).sha;
  }

  #take(source: string): Script {
    const sha = createHash('sha1').update(source, 'latin1').digest('hex');
    const known = this.#known.get(sha);
    if (known !== undefined) return known;
    const script = { sha, ...readHeader(source), runs: 0, compiled: undefined };
    const fault = this.#runtime().compile(sha, script.source);
    if (fault !== undefined) throw new CommandError(`ERR Error compiling script (new function): ${fault}`);
    this.#remember(script);
    return script;
  }

  #remember(script: Script): void {
    this.#bytes += script.source.length;
    // The oldest is forgotten; whoever asks for it is told NOSCRIPT, as after a restart.
    for (const [sha, { source }] of this.#known) {
      if (this.#bytes <= MOST_SCRIPT_BYTES) break;
      this.#known.delete(sha);
      this.#bytes -= source.length;
    }
    this.#known.set(script.sha, script);
  }

  #runtime(): LuaRuntime {
    const runtime = LuaRuntime.current;
    if (runtime === undefined) throw new CommandError('ERR the script engine is being loaded again, try once more');
    return runtime;
  }

  /** EVAL: word 1 is the script. */
  eval(client: Client, args: Args, readOnly: boolean): Reply {
    const counted = countKeys(args);
    return this.#run(client, this.#take(args.text(1)), args, counted, readOnly);
  }

  /** EVALSHA: word 1 is the digest of a script that is known. */
  evalsha(client: Client, args: Args, readOnly: boolean): Reply {
    if (args.length(1) !== DIGEST_LENGTH) throw NO_SCRIPT;
    const counted = countKeys(args);
    const script = this.#known.get(args.text(1)) ?? this.#known.get(args.text(1).toLowerCase());
    if (script === undefined) throw NO_SCRIPT;
    return this.#run(client, script, args, counted, readOnly);
  }

  /** What the script that a request names says about itself; undefined when it says nothing, or is not known. */
  flagsOf(spec: CommandSpec, args: Args): ScriptFlags | undefined {
    try {
      const byDigest = spec.name.startsWith('evalsha');
      const flags = byDigest ? this.#known.get(args.text(1).toLowerCase())?.flags : readHeader(args.text(1)).flags;
      return flags?.plain === true ? undefined : flags;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return undefined; // running it will say why
    }
  }

  #run(client: Client, script: Script, args: Args, keys: number, readOnly: boolean): Reply {
    const { flags } = script;
    const outOfMemory = this.engine.outOfMemory();
    if (!flags.plain) {
      if (readOnly && !flags.noWrites) throw WRITES_ASKED_READ_ONLY;
      if (outOfMemory && !flags.allowOom && !flags.noWrites) throw NO_ROOM;
    }
    script.runs += 1;
    if (script.runs === this.engine.options.compileScriptsFrom) script.compiled = CompiledScript.of(script.source);
    const caller = this.#caller;
    caller.begin(client, {
      readOnly: readOnly || flags.noWrites,
      checkMemory: outOfMemory && !flags.allowOom,
      declared: this.engine.options.declaredKeysOnly ? new Set(args.texts(3, 3 + keys)) : undefined,
    });
    const { compiled } = script;
    const reply = this.engine.atomically(() =>
      compiled === undefined ? this.#interpret(script, args, 3 + keys, caller) : compiled.run(args, 3, 3 + keys, caller),
    );
    return reply instanceof ScriptFailure ? describeFailure(reply, script.sha) : reply;
  }

  #interpret({ sha, source }: Script, args: Args, firstArg: number, caller: ScriptClient): Reply | ScriptFailure {
    const runtime = this.#runtime();
    // The engine may have been loaded anew, or have let go of what it had compiled.
    const fault = runtime.compile(sha, source);
    if (fault !== undefined) throw new CommandError(`ERR Error compiling script (new function): ${fault}`);
    return runtime.run(sha, args, 3, firstArg, caller);
  }
}

function countKeys(args: Args): number {
  const keys = args.int(2);
  if (keys > args.count - 3) throw new CommandError("ERR Number of keys can't be greater than number of args");
  if (keys < 0) throw new CommandError("ERR Number of keys can't be negative");
  return keys;
}

/** Reads the `#!` line. It is taken out of the script but its line stays, so that line numbers in errors are right. */
function readHeader(source: string): { source: string; flags: ScriptFlags } {
  if (!source.startsWith('#!')) return { source, flags: { noWrites: false, allowOom: false, plain: true } };
  const end = source.indexOf('\n');
  if (end < 0) throw new CommandError('ERR Invalid script shebang');
  const [engine, ...options] = splitLine(source.slice(0, end)) ?? [];
  if (engine === undefined) throw new CommandError('ERR Invalid engine in script shebang');
  if (engine !== '#!lua') throw new CommandError(`ERR Unexpected engine in script shebang: ${engine}`);
  const flags = new Set<string>();
  for (const option of options) {
    if (!option.startsWith('flags=')) throw new CommandError(`ERR Unknown lua shebang option: ${option}`);
    for (const flag of option === 'flags=' ? [] : option.slice(6).split(',')) {
      if (!KNOWN_FLAGS.has(flag)) throw new CommandError(`ERR Unexpected flag in script shebang: ${flag}`);
      flags.add(flag);
    }
  }
  return { source: source.slice(end), flags: { noWrites: flags.has('no-writes'), allowOom: flags.has('allow-oom'), plain: false } };
}

/** A failure in Redis' words, with the script and the line. */
function describeFailure({ message, line, table }: ScriptFailure, sha: string): CommandError {
  const where = ` script: ${sha}, on @user_script:${Math.max(1, line)}.`;
  const marked = MARKED.exec(message);
  if (marked !== null) {
    const [, kind, name] = marked;
    if (kind === 'global-read') {
      return new CommandError(
        `ERR user_script:${Math.max(1, line)}: Script attempted to access nonexistent global variable '${name}'${where}`,
      );
    }
    if (kind === 'command-arg-type') return new CommandError(`ERR Lua redis lib command arguments must be strings or integers${where}`);
  }
  const library = LIBRARY_ERRORS.find(([said]) => said.test(message));
  if (library !== undefined) return new CommandError(library[1] + where);
  if (message.includes(FUEL_MESSAGE)) {
    const reason = message.slice(message.indexOf(FUEL_MESSAGE) + FUEL_MESSAGE.length) || `: more than ${FUEL} Lua instructions`;
    return new CommandError(`ERR the script ran too long${reason}${where}`);
  }
  if (table) return new CommandError(message + where);
  if (/^(?:ERR )?user_script:\d+:/.test(message)) return new CommandError(`ERR ${message.replace(/^ERR /, '')}${where}`);
  return new CommandError((/^[A-Z][A-Z0-9]* /.test(message) ? message : `ERR ${message}`) + where);
}

interface ScriptRules {
  readonly readOnly: boolean;
  readonly checkMemory: boolean;
  /** The keys it may touch; undefined for any. */
  readonly declared: ReadonlySet<string> | undefined;
}

/** A script as a client: it talks to the same commands, with its own database and protocol, and under the script's flags. */
class ScriptClient extends InternalClient implements ScriptHost {
  override readonly isScript = true;
  /** It has written: nothing keeps it from ending what it has begun. */
  #written = false;
  #rules: ScriptRules = { readOnly: false, checkMemory: false, declared: undefined };

  begin(client: Client, rules: ScriptRules): void {
    this.db = client.db;
    this.protocol = 2;
    this.#rules = rules;
    this.#written = false;
  }

  call(args: Args): Reply {
    if (args.count === 0) return NO_WORDS;
    const { engine } = this;
    let spec = engine.table.find(args);
    if (spec?.subcommands !== undefined && args.count > 1) spec = spec.subcommands.get(args.upper(1));
    if (spec === undefined) return UNKNOWN;
    if (!arityFits(spec, args.count)) return WRONG_ARITY;
    const refusal = this.#refusal(spec, args);
    if (refusal !== undefined) return refusal;
    if (spec.write) this.#written = true;
    return engine.run(this, spec, args);
  }

  #refusal(spec: CommandSpec, args: Args): CommandError | undefined {
    const { readOnly, checkMemory, declared } = this.#rules;
    if (spec.flags.has('noscript')) return NOT_ALLOWED;
    if (spec.mayWrite && readOnly) return READ_ONLY;
    if (spec.denyOom && checkMemory && !this.#written) return OUT_OF_MEMORY;
    const hidden = declared && keyPositions(spec, args).find((at) => !declared.has(args.text(at)));
    if (hidden === undefined) return undefined;
    return new CommandError(`ERR Script attempted to access a key that is not among its KEYS: '${printed(args.text(hidden))}'`);
  }

  log(): void {
    // Redis writes to its log file; there is none.
  }

  setProtocol(version: 2 | 3): void {
    this.protocol = version;
  }
}
