import type { Command, Event } from '../message/definition.js';
import { DefinitionError } from '../message/errors.js';
import { checkActorType } from '../message/names.js';
import type { Actor, AnyActor, HandlerOf, Is, ReplyOf, StateOk, SubscribeOptions, SubscriberOf } from './actor.js';

/**
 * Decorators of both dialects (TypeScript's legacy one, and the standard one). They only take notes: on the method's function, because
 * a standard method decorator does not see its class; `actor-definition` reads the notes. Nothing reads `design:*` metadata.
 */

/** What a decorated method is for. `message` may be a function, for modules that import each other. */
export interface Note {
  readonly role: 'handles' | 'subscribes' | 'onReply';
  readonly message: unknown;
  readonly options: { readonly key?: unknown; readonly from?: unknown } | undefined;
}

/** One for the whole process: the class may be decorated by another copy of this package than the one that starts it. */
function shared<K extends object, V>(name: string): WeakMap<K, V> {
  const registry = globalThis as { [key: symbol]: WeakMap<K, V> | undefined };
  const made = (registry[Symbol.for(name)] ??= new WeakMap<K, V>());
  return made;
}

const notes = shared<object, Note[]>('errand.notes');
const types = shared<object, { type: string; pipelined: boolean }>('errand.types');

export function notesOf(method: object): readonly Note[] {
  return notes.get(method) ?? [];
}

/** What `@actor` said of this very class. */
export function decoratedType(target: object): { type: string; pipelined: boolean } | undefined {
  return types.get(target);
}

// G makes the compiler name the method's own type in its message.
interface Decorates<F> {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  <G extends F>(method: G, context: ClassMethodDecoratorContext<Actor<unknown>>): void;
  <G extends F>(target: Actor<unknown>, name: string | symbol, method: TypedPropertyDescriptor<G>): void;
}

function decorates<F>(role: Note['role'], message: unknown, options?: Note['options']): Decorates<F> {
  return (target: unknown, context: unknown, descriptor?: TypedPropertyDescriptor<F>): void => {
    const { method, place } = typeof context === 'object' ? standardMethod(target, context) : legacyMethod(target, context, descriptor);
    if (typeof method !== 'function') {
      throw new DefinitionError('NOT_A_METHOD', `@${role} on ${place}: it belongs on a public method of an actor class that is not static`);
    }
    const known = notes.get(method);
    const note: Note = { role, message, options };
    if (known === undefined) notes.set(method, [note]);
    else known.push(note);
  };
}

/** What a decorator was put on; `method` is undefined when that is no public method, or one that is called by a symbol. */
interface Decorated {
  readonly method: unknown;
  readonly place: string;
}

function standardMethod(target: unknown, context: object | null): Decorated {
  const { kind, name, static: fixed, private: hidden } = (context ?? {}) as ClassMethodDecoratorContext;
  return { method: kind === 'method' && typeof name === 'string' && !fixed && !hidden ? target : undefined, place: String(name) };
}

function legacyMethod(target: unknown, name: unknown, descriptor: { readonly value?: unknown } | undefined): Decorated {
  const fixed = typeof target === 'function';
  const owner = (fixed ? target : (target as object | undefined)?.constructor)?.name ?? 'a class';
  return { method: typeof name === 'string' && !fixed ? descriptor?.value : undefined, place: `${owner}.${String(name)}` };
}

/**
 * The method handles this command. It gets the schema's output and the context, and returns what the result schema takes.
 * @param command or a function that answers it, for modules that import each other
 * @throws DefinitionError `NOT_A_METHOD`; `UNDEFINED_MESSAGE` from `@actor` or `start`
 */
export function handles<C extends Command>(command: C | (() => C)): Decorates<HandlerOf<C>> {
  return decorates('handles', command);
}

/** The method reacts to this fact. Parameters and errors as `handles`; `options` re-key the fact and say where a new subscriber begins. */
export function subscribes<E extends Event>(event: E | (() => E), options?: SubscribeOptions<E>): Decorates<SubscriberOf<E>> {
  return decorates('subscribes', event, options);
}

/**
 * The method receives the results of this command when this very actor told it (its return address is its own inbox).
 * Process managers are written with it. Source of the pattern: Return Address, Process Manager (Hohpe & Woolf).
 */
export function onReply<C extends Command>(command: C | (() => C)): Decorates<ReplyOf<C>> {
  return decorates('onReply', command);
}

/**
 * Makes the class an actor type, and injectable: its constructor's parameters are resolved from the system's container.
 * @param type the actor type's name; it stands in Redis keys
 * @param options `pipelined`: the handlers only stage effects and never act outward, so the next message of a key need not wait for the
 *   commit of the last
 * @throws InvalidValueError `INVALID_NAME`; DefinitionError `RESERVED_NAME`, `UNDEFINED_MESSAGE`
 */
export function actor(
  type: string,
  options: { pipelined?: boolean | undefined } = {},
): <A extends AnyActor>(target: A & Is<StateOk<A>>, context?: ClassDecoratorContext) => void {
  return (target) => {
    types.set(target, { type: checkActorType(type, `@actor on ${target.name}`), pipelined: options.pipelined === true });
    for (const name of Object.getOwnPropertyNames(target.prototype)) {
      const method: unknown = Object.getOwnPropertyDescriptor(target.prototype, name)?.value;
      if (typeof method !== 'function') continue;
      for (const { role, message } of notesOf(method)) {
        if (message !== undefined && message !== null) continue;
        const hint = 'found undefined; when two modules import each other, give it as () => TheMessage';
        throw new DefinitionError('UNDEFINED_MESSAGE', `@${role} on ${target.name}.${name}: ${hint}`);
      }
    }
  };
}
