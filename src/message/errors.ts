/**
 * Every error a user can meet is an `ErrandError` with a stable `code`. docs/ERRORS.md says for each code what it means and what to do;
 * a test holds the two lists against each other.
 *
 * Three kinds of failure, three types: `TerminalError` (will never work), any other error thrown by a handler (tried again),
 * and an assertion (`BROKEN_INVARIANT`: a fault in errand itself).
 */

import { types } from 'node:util';
import { brand, isBranded, ownBrandOf } from './brand.js';

/** What a message or a value was found to be, short enough for one line and without a payload's whole content. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `'${value.slice(0, 57)}…'` : `'${value}'`;
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol') return String(value);
  return describeObject(value);
}

/** Never throws, whatever traps and getters the object has. */
function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
    const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
    return typeof name !== 'string' || name === 'Object' ? 'an object' : `an instance of ${name}`;
  } catch {
    return 'an object';
  }
}

/**
 * The base of all errors; `code` is `UPPER_SNAKE` and never changes its meaning. `instanceof` also knows the errors of another copy of this package
 * in the same process.
 */
export class ErrandError extends Error {
  static {
    brand(this, 'ErrandError');
  }
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(this, value);
  }
  readonly code: string;
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : options);
    this.code = code;
  }
  override get name(): string {
    return ownBrandOf(this) ?? this.constructor.name;
  }
}

/** A value given to errand that it cannot use; the message names the place, what was found and what was expected. */
export class InvalidValueError extends ErrandError {
  static {
    brand(this, 'InvalidValueError');
  }
  constructor(
    code: string,
    readonly place: string,
    found: unknown,
    readonly expected: string,
  ) {
    super(code, `${place}: found ${describe(found)}, expected ${expected}`);
  }
}

/** An actor class or a message that is not defined rightly; thrown when it is defined or the system starts. */
export class DefinitionError extends ErrandError {
  static {
    brand(this, 'DefinitionError');
  }
}

/** One thing that is wrong in a value: where (`lines[0].quantity`, or empty for the whole) and what. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** Data, a result or a state that its schema, or JSON, does not take. `faults` lists each place. */
export class SchemaError extends ErrandError {
  static {
    brand(this, 'SchemaError');
  }
  constructor(
    code: 'INVALID_DATA' | 'INVALID_RESULT' | 'INVALID_STATE' | 'NOT_JSON' | 'ASYNC_SCHEMA',
    readonly place: string,
    readonly faults: readonly Fault[],
  ) {
    super(code, `${place}: ${faults.map((fault) => (fault.path === '' ? fault.message : `${fault.path}: ${fault.message}`)).join('; ')}`);
  }
}

/** A limit was passed; `limit` and `found` are in the unit that the message names. */
export class LimitError extends ErrandError {
  static {
    brand(this, 'LimitError');
  }
  constructor(
    code: 'PAYLOAD_TOO_LARGE' | 'STATE_TOO_LARGE' | 'TOO_MANY_EFFECTS' | 'EFFECTS_TOO_LARGE',
    place: string,
    readonly found: number,
    readonly limit: number,
    unit: string,
  ) {
    super(code, `${place}: ${found} ${unit}, at most ${limit} are allowed`);
  }
}

/** Redis cannot be used as it is, or does not answer. Never carries a payload. */
export class RedisError extends ErrandError {
  static {
    brand(this, 'RedisError');
  }
  /** the Redis key that it is about, where it is about one */
  readonly key: string | undefined;

  constructor(code: string, message: string, options: { readonly key?: string | undefined } = {}) {
    super(code, message);
    this.key = options.key;
  }
}

/** The message was not appended, and will not be. */
export class AppendRejected extends ErrandError {
  static {
    brand(this, 'AppendRejected');
  }
  constructor(
    code: string,
    message: string,
    readonly messageId: string,
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}

/** Nobody knows whether the message was appended. Only a retry under an `idempotencyKey` is safe. */
export class AppendUnknown extends ErrandError {
  static {
    brand(this, 'AppendUnknown');
  }
  constructor(
    message: string,
    readonly messageId: string,
    options?: { cause?: unknown },
  ) {
    super('APPEND_UNKNOWN', message, options);
  }
}

/** Thrown by a handler: this will never work, do not try again. The message is settled as `failed`; it is no dead letter. */
export class TerminalError extends ErrandError {
  static {
    brand(this, 'TerminalError');
  }
  constructor(message: string, options?: { code?: string | undefined; cause?: unknown }) {
    super(options?.code ?? 'TERMINAL', message, options);
  }
}

/** What `ask` and `attach` throw when the command's outcome is `failed`; `code` and `message` are the failure's own. */
export class CommandFailed extends ErrandError {
  static {
    brand(this, 'CommandFailed');
  }
  constructor(
    code: string,
    message: string,
    readonly messageId: string,
    readonly correlationId: string,
  ) {
    super(code, message);
  }
}

/** The caller stopped waiting. The outcome is *unknown*, never *failed*: `attach(command, messageId)` asks again. */
export class AskTimeoutError extends ErrandError {
  static {
    brand(this, 'AskTimeoutError');
  }
  constructor(
    readonly messageId: string,
    readonly correlationId: string,
    waited: number,
  ) {
    super('ASK_TIMEOUT', `no answer to ${messageId} within ${waited} ms; the outcome is unknown: attach() asks again`);
  }
}

/** What was still unsettled when `idle` stopped waiting, for each partition that was not idle. */
export interface Unsettled {
  readonly actor: string;
  readonly shard: number;
  /** messages in the inbox */
  readonly inbox: number;
  /** keys that wait for a retry */
  readonly waiting: number;
  /** facts not yet taken in */
  readonly facts: boolean;
}

export class IdleTimeoutError extends ErrandError {
  static {
    brand(this, 'IdleTimeoutError');
  }
  constructor(
    readonly left: readonly Unsettled[],
    waited: number,
  ) {
    const shown = left
      .slice(0, 5)
      .map((p) => `${p.actor}/${p.shard} (inbox ${p.inbox}, waiting keys ${p.waiting}${p.facts ? ', facts' : ''})`);
    super(
      'IDLE_TIMEOUT',
      `not idle within ${waited} ms: ${shown.join(', ')}${left.length > shown.length ? `, and ${left.length - shown.length} more` : ''}`,
    );
  }
}

/** What else is known about a fault in a config. */
export interface ConfigErrorDetails {
  /** the line in the file, from 1, where it is known */
  readonly line?: number | undefined;
  /** a known name that is close to the one that was found */
  readonly suggestion?: string | undefined;
  /** what else is wrong in the same config, when more than one fault was found */
  readonly more?: readonly ConfigError[];
  readonly cause?: unknown;
}

/** A config that cannot be used: which file, which path in it (`supervisors[0].children[1].concurrency`), what was found, what was expected. */
export class ConfigError extends ErrandError {
  static {
    brand(this, 'ConfigError');
  }
  readonly line: number | undefined;
  readonly suggestion: string | undefined;
  readonly more: readonly ConfigError[];

  constructor(
    code: string,
    readonly file: string,
    readonly path: string,
    readonly found: string,
    readonly expected: string,
    details: ConfigErrorDetails = {},
  ) {
    const place = `${file}${details.line === undefined ? '' : `:${details.line}`}${path === '' ? '' : `: ${path}`}`;
    const hint = details.suggestion === undefined ? '' : `; did you mean '${details.suggestion}'?`;
    super(code, `${place}: found ${found}, expected ${expected}${hint}`, { cause: details.cause });
    this.line = details.line;
    this.suggestion = details.suggestion;
    this.more = details.more ?? [];
  }
}

/** Throws when an invariant of errand itself does not hold. Seeing it is always a bug in errand. */
export function invariant(holds: unknown, what: string): asserts holds {
  if (!holds) throw new ErrandError('BROKEN_INVARIANT', `broken invariant (a bug in errand, please report it): ${what}`);
}

/**
 * Whatever was thrown, as an Error whose message is a text and whose code and class can be read: all else is wrapped. It never throws, and
 * so whoever is given its answer need not fear what a handler made of its errors.
 */
export function asError(thrown: unknown): Error {
  try {
    if (!isError(thrown)) return new Error(`thrown value: ${describe(thrown)}`);
    const { message, constructor: _, code: __ } = thrown as Error & { code?: unknown };
    if (typeof message === 'string') return thrown;
    return new Error(`thrown value: ${describe(thrown)} with the message ${describe(message)}`, { cause: thrown });
  } catch (inner) {
    return new Error(`thrown value: ${describe(thrown)} that cannot be read`, { cause: inner });
  }
}

/** Also of an error that another realm made (a test runner's, `node:vm`'s), which is no instance of this realm's `Error`. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

/** The code that the error itself carries, as Node's and most libraries' do (`ECONNREFUSED`); undefined when it has none that can be read. */
export function ownCodeOf(error: Error): string | undefined {
  try {
    const { code } = error as { code?: unknown };
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined; // a getter of its own that throws
  }
}

/** How errand itself ends a message, which nothing that a handler throws may pose as: whoever cancels goes by it. */
const ENDINGS: ReadonlySet<string> = new Set(['CANCELLED', 'EXPIRED', 'DEAD_LETTERED']);
/** Codes that can be shown, sought and listed: `SOLD_OUT`, `ECONNREFUSED`, `23505`. */
const PRESENTABLE = /^[A-Z0-9][A-Z0-9_]{0,63}$/;

/**
 * What the failure of a handler is known by, in results, signals and dead letters: errand's code, the error's own if it is of capitals, digits
 * and underscores (64 at most) and not one that errand ends messages with, or else `HANDLER_FAILED`.
 */
export function failureCodeOf(error: Error): string {
  if (error instanceof TerminalError) return ENDINGS.has(error.code) ? 'TERMINAL' : error.code;
  if (error instanceof ErrandError) return error.code;
  const own = ownCodeOf(error);
  return own !== undefined && PRESENTABLE.test(own) && !ENDINGS.has(own) ? own : 'HANDLER_FAILED';
}

/** The stable code of what was thrown; `fallback` for an error that is not errand's. */
export function codeOf(error: Error, fallback: string): string {
  return error instanceof ErrandError ? error.code : fallback;
}
