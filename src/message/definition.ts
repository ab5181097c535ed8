import type { StandardSchemaV1 as Std } from '@standard-schema/spec';
import { DefinitionError, describe, InvalidValueError } from './errors.js';
import { checkSize, fromJson, toJson } from './json.js';
import { checkActorType, checkKey, checkName } from './names.js';
import { describeSchema, type Schema, validate } from './schema.js';

/**
 * Messages as values: `command()` and `event()` make them, and everything else infers its types from them.
 *
 * D1: the wire holds the schema's *input* as JSON, never its output. It is validated where it enters (so a bad message is refused) and
 *     again where it is read (so a schema may transform, and entries written by hand are held to the same rule).
 * D2: handlers and `key` see the output; a handler returns the result schema's input, and whoever asks gets its output.
 */

type Fn = (...a: never[]) => unknown;

/** T where JSON keeps it; `never` in place of each field it would not keep. */
export type Jsonable<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends bigint | symbol | Fn | Date | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBufferView
      ? never
      : T extends readonly unknown[]
        ? Elements<T>
        : { [K in keyof T]: Jsonable<T[K]> };

/** A list's element type is looked at when it is needed: a type of any JSON holds lists of itself. Only a tuple is mapped at once. */
type Elements<T extends readonly unknown[]> = number extends T['length']
  ? T extends unknown[]
    ? Jsonable<T[number]>[]
    : readonly Jsonable<T[number]>[]
  : { [K in keyof T]: Jsonable<T[K]> };

type In<S extends Std> = Std.InferInput<S>;
type Out<S extends Std> = Std.InferOutput<S>;
type OnWire<S extends Std> = S & (In<S> extends Jsonable<In<S>> ? unknown : 'this schema takes something that JSON does not keep');

declare const types: unique symbol;

/** A message to one actor type: do this. Made by {@link command}. */
export interface Command<Name extends string = string, I = never, D = unknown, R = unknown, Ret = never> {
  readonly kind: 'command';
  readonly name: Name;
  /** the actor type it is for */
  readonly to: string;
  readonly [types]?: { in: (x: I) => void; data: D; result: R; returns: (x: Ret) => void };
}

/** A fact, published to whoever subscribes. Made by {@link event}. */
export interface Event<Name extends string = string, I = never, D = unknown> {
  readonly kind: 'event';
  readonly name: Name;
  readonly [types]?: { in: (x: I) => void; data: D };
}

/** What a sender gives. */
export type InputOf<M extends Command | Event> = M extends Command<string, infer I> ? I : M extends Event<string, infer I> ? I : never;
/** What a handler sees. */
export type DataOf<M extends Command | Event> =
  M extends Command<string, never, infer D> ? D : M extends Event<string, never, infer D> ? D : never;
/** What whoever asks gets. */
export type ResultOf<C extends Command> = C extends Command<string, never, unknown, infer R> ? R : never;
/** What a handler returns. */
export type ReturnOf<C extends Command> = C extends Command<string, never, unknown, unknown, infer R> ? R : never;

const HIDDEN = Symbol.for('errand.message');
/** Counts changes of `MessageDefinition` that another copy of the package would trip over. */
const DEFINITION_VERSION = 1;

interface Parts {
  readonly key: (data: never) => string;
  readonly data: Schema;
  readonly result: Schema | undefined;
}

/** A message checked and made ready for the wire. */
export interface Encoded {
  readonly key: string;
  /** JSON text of the schema's input */
  readonly json: string;
  /** the schema's output */
  readonly output: unknown;
}

/** What the rest of errand asks of a message definition; users see only `Command` and `Event`. */
export class MessageDefinition {
  /** of this class, which another copy of the package in the same process may have in another version */
  readonly version = DEFINITION_VERSION;
  /** what users hold */
  shown: object = {};
  readonly #data: string;
  readonly #key: string;
  readonly #result: string;

  constructor(
    readonly kind: 'command' | 'event',
    readonly name: string,
    readonly to: string | undefined,
    readonly parts: Parts,
  ) {
    this.#data = `data of ${name}`;
    this.#key = `key of ${name}`;
    this.#result = `result of ${name}`;
  }

  /** Its schemas, for people and digests. */
  get description(): string {
    const { data, result } = this.parts;
    return `${describeSchema(data)} ${result === undefined ? '' : describeSchema(result)}`;
  }

  /** @throws SchemaError `INVALID_DATA`, `NOT_JSON`, `ASYNC_SCHEMA`; InvalidValueError `INVALID_KEY`; LimitError `PAYLOAD_TOO_LARGE` */
  encode(input: unknown): Encoded {
    const place = this.#data;
    const json = checkSize(toJson(input, place), place);
    const output = validate(this.parts.data, input, 'INVALID_DATA', place);
    return { key: this.keyOf(output), json, output };
  }

  /** The schema's output for what stood on the wire. @throws SchemaError `INVALID_DATA`, `NOT_JSON`, `ASYNC_SCHEMA` */
  decode(json: string): unknown {
    const place = this.#data;
    return validate(this.parts.data, fromJson(json, place), 'INVALID_DATA', place);
  }

  keyOf(output: unknown): string {
    return checkKey(this.parts.key(output as never), this.#key);
  }

  /** What a handler returned, as JSON text; empty without a result schema. @throws SchemaError `INVALID_RESULT`, `NOT_JSON`; LimitError */
  encodeResult(returned: unknown): string {
    if (this.parts.result === undefined) return '';
    const place = this.#result;
    const json = checkSize(toJson(returned, place), place);
    validate(this.parts.result, returned, 'INVALID_RESULT', place);
    return json;
  }

  /** What whoever asks gets. @throws SchemaError `INVALID_RESULT`, `NOT_JSON` */
  decodeResult(json: string): unknown {
    if (this.parts.result === undefined) return undefined;
    const place = this.#result;
    return validate(this.parts.result, fromJson(json, place), 'INVALID_RESULT', place);
  }
}

/** The definition behind a `Command` or `Event`, or undefined when `value` is neither. */
export function definitionOf(value: unknown): MessageDefinition | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  return (value as { [HIDDEN]?: MessageDefinition })[HIDDEN];
}

/** @throws DefinitionError `UNDEFINED_MESSAGE` naming `place` when `value` is no command or event of the wanted kind */
export function definitionAt(value: unknown, kind: 'command' | 'event', place: string): MessageDefinition {
  const definition = definitionOf(value);
  if (definition?.kind === kind) {
    if (definition.version === DEFINITION_VERSION) return definition;
    const text = `${place}: ${definition.name} was defined by another version of errand in this process; install one version only`;
    throw new DefinitionError('TWO_VERSIONS', text);
  }
  const hint = value === undefined ? '; when two modules import each other, give it as () => TheMessage' : '';
  throw new DefinitionError(
    'UNDEFINED_MESSAGE',
    `${place}: found ${describe(value)}, expected ${kind === 'event' ? 'an event()' : 'a command()'}${hint}`,
  );
}

function checkSchema(schema: unknown, place: string): Schema {
  // Some libraries' schemas are functions (arktype), so both are looked into.
  const standard =
    schema !== null && (typeof schema === 'object' || typeof schema === 'function') ? (schema as Partial<Schema>)['~standard'] : undefined;
  if (typeof standard?.validate !== 'function')
    throw new InvalidValueError('INVALID_SCHEMA', place, schema, 'a Standard Schema (zod, valibot, arktype, …)');
  return schema as Schema;
}

function define(
  kind: 'command' | 'event',
  name: string,
  options: { to?: string; key: Parts['key']; data: Schema; result?: Schema | undefined },
): object {
  const place = typeof name === 'string' ? `${kind}('${name}')` : `name of a ${kind}`; // untyped callers give anything
  checkName(name, place);
  if (options === null || typeof options !== 'object')
    throw new InvalidValueError('INVALID_OPTION', place, options, 'an object of options');
  if (typeof options.key !== 'function')
    throw new InvalidValueError('INVALID_OPTION', `${place}.key`, options.key, 'a function from the data to the key');
  const to = kind === 'command' ? checkActorType(options.to, `${place}.to`) : undefined;
  const parts: Parts = {
    key: options.key,
    data: checkSchema(options.data, `${place}.data`),
    result: options.result === undefined ? undefined : checkSchema(options.result, `${place}.result`),
  };
  const definition = new MessageDefinition(kind, name, to, parts);
  const shown = to === undefined ? { kind, name } : { kind, name, to };
  definition.shown = Object.freeze(Object.defineProperty(shown, HIDDEN, { value: definition }));
  return definition.shown;
}

/**
 * Defines a command: a durable message to one actor type, handled by one activation, answered by a result.
 * Source of the pattern: Command Message (Hohpe & Woolf).
 *
 * @param name what stands in the envelope as `type`; letters, digits, `.`, `_`, `-`
 * @param options `to` the actor type; `key` the actor's identity within it, from the validated data; `data` any synchronous Standard Schema;
 *   `result` likewise, optional: without it the result carries no value
 * @throws InvalidValueError `INVALID_NAME`, `INVALID_OPTION`, `INVALID_SCHEMA`; DefinitionError `RESERVED_NAME`
 */
export function command<const Name extends string, S extends Std, R extends Std | undefined = undefined>(
  name: Name,
  options: { to: string; key: (data: Out<S>) => string; data: OnWire<S>; result?: R },
): Command<Name, In<S>, Out<S>, R extends Std ? Out<R> : void, R extends Std ? In<R> : void> {
  return define('command', name, options) as Command<Name, In<S>, Out<S>, R extends Std ? Out<R> : void, R extends Std ? In<R> : void>;
}

/**
 * Defines an event: a fact that any number of actor types may subscribe to.
 * Source of the pattern: Event Message (Hohpe & Woolf).
 *
 * @param name what stands in the envelope as `type`, and names its stream
 * @param options `key` what the fact is about, from the validated data; `data` any synchronous Standard Schema
 * @throws InvalidValueError `INVALID_NAME`, `INVALID_OPTION`, `INVALID_SCHEMA`
 */
export function event<const Name extends string, S extends Std>(
  name: Name,
  options: { key: (data: Out<S>) => string; data: OnWire<S> },
): Event<Name, In<S>, Out<S>> {
  return define('event', name, options) as Event<Name, In<S>, Out<S>>;
}
