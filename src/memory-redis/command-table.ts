import type { Args } from './args.js';
import type { Client } from './client-state.js';
import type { Reply } from './reply.js';

export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'pubsub'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'movablekeys'
  | 'allow_busy'
  | 'skip_monitor'
  | 'skip_slowlog'
  | 'no_mandatory_keys';

export type Run = (client: Client, args: Args) => Reply;

/** First key, last key (counted from the end when negative), step. All 0: no keys at fixed places. */
export type KeyPositions = readonly [first: number, last: number, step: number];

export const NO_KEYS: KeyPositions = [0, 0, 0];
export const ONE_KEY: KeyPositions = [1, 1, 1];
export const ALL_KEYS: KeyPositions = [1, -1, 1];

export interface CommandSpec {
  /** In lower case; `client|id` for a subcommand. */
  readonly name: string;
  /** How many words the request has, its name among them; at least so many when negative. */
  readonly arity: number;
  readonly flags: ReadonlySet<CommandFlag>;
  readonly keys: KeyPositions;
  readonly run: Run;
  readonly subcommands: ReadonlyMap<string, CommandSpec> | undefined;
  readonly write: boolean;
  /** Writes, or may have others write: scripts, EXEC and PUBLISH too. */
  readonly mayWrite: boolean;
  readonly denyOom: boolean;
  /** Needs the script engine, which is loaded when first asked for. */
  readonly scripts: boolean;
  /** Done at once even after MULTI, and not queued. */
  readonly immediate: boolean;
}

const MAY_REPLICATE = new Set(['eval', 'evalsha', 'publish', 'exec']);
const OUR_WORDS = new Set(['scripts', 'immediate']);

/** Describes one command. `flags` are Redis' own words for it, and `scripts` and `immediate` ours. */
export function command(
  name: string,
  arity: number,
  flags: string,
  keys: KeyPositions,
  run: Run,
  subcommands?: readonly CommandSpec[],
): CommandSpec {
  const words = flags.split(' ').filter((word) => word !== '');
  const set = new Set(words.filter((word) => !OUR_WORDS.has(word)) as CommandFlag[]);
  return {
    name,
    arity,
    flags: set,
    keys,
    run,
    subcommands: subcommands && new Map(subcommands.map((spec) => [spec.name.slice(spec.name.indexOf('|') + 1).toUpperCase(), spec])),
    write: set.has('write'),
    mayWrite: set.has('write') || MAY_REPLICATE.has(name),
    denyOom: set.has('denyoom'),
    scripts: words.includes('scripts'),
    immediate: words.includes('immediate'),
  };
}

export function arityFits(spec: CommandSpec, words: number): boolean {
  return spec.arity >= 0 ? words === spec.arity : words >= -spec.arity;
}

/** All commands, found by the bytes of their name in any case, without making a string of it. */
export class CommandTable {
  readonly #byHash = new Map<number, CommandSpec[]>();
  readonly #byName = new Map<string, CommandSpec>();

  constructor(specs: readonly CommandSpec[]) {
    for (const spec of specs) {
      this.#byName.set(spec.name, spec);
      const bytes = Buffer.from(spec.name);
      const hash = nameHash(bytes, 0, bytes.length);
      const same = this.#byHash.get(hash);
      if (same === undefined) this.#byHash.set(hash, [spec]);
      else same.push(spec);
    }
  }

  /** The command that word 0 names. */
  find(args: Args): CommandSpec | undefined {
    const start = args.starts[0] as number;
    const end = args.ends[0] as number;
    for (const spec of this.#byHash.get(nameHash(args.source, start, end)) ?? [])
      if (nameIs(spec.name, args.source, start, end)) return spec;
    return undefined;
  }

  get(name: string): CommandSpec | undefined {
    return this.#byName.get(name.toLowerCase());
  }

  all(): IterableIterator<CommandSpec> {
    return this.#byName.values();
  }

  get size(): number {
    return this.#byName.size;
  }
}

function lower(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

function nameHash(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end && at < start + 24; at += 1) hash = (Math.imul(hash, 31) + lower(bytes[at] as number)) | 0;
  return hash;
}

function nameIs(name: string, bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let at = 0; at < name.length; at += 1) if (lower(bytes[start + at] as number) !== name.charCodeAt(at)) return false;
  return true;
}
