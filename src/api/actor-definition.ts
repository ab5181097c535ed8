import type { From } from '../log/position.js';
import { definitionAt, definitionOf, type MessageDefinition } from '../message/definition.js';
import type { Envelope } from '../message/envelope.js';
import { asError, DefinitionError, describe, InvalidValueError, invariant } from '../message/errors.js';
import { fromJson } from '../message/json.js';
import { checkActorType } from '../message/names.js';
import { describeSchema, type Schema, validate } from '../message/schema.js';
import type { Attempt } from '../runtime/attempt.js';
import type { Behavior, Hook, Instance, Subscription } from '../runtime/behavior.js';
import { isThenable } from '../runtime/deadline.js';
import type { Logger } from '../runtime/logger.js';
import { Actor, type ActorClass } from './actor.js';
import type { Resolve } from './container.js';
import { HandlerContext } from './context.js';
import { decoratedType, type Note, notesOf } from './decorators.js';
import { LateInstance } from './late-instance.js';

/** What actor classes say, by decorators or by static fields, read once and made into what the runtime works with. */

/** An actor's insides, as the runtime uses them. */
type Open = { state: unknown; initialState?: () => unknown } & Pick<Actor<unknown>, Hook | 'onFailure'> &
  Record<string, (data: unknown, ctx: HandlerContext) => unknown>;

/** The actor type of a class. @throws DefinitionError `NOT_AN_ACTOR` */
export function typeOf(target: unknown): { type: string; pipelined: boolean } {
  if (typeof target !== 'function' || !(target.prototype instanceof Actor)) {
    throw new DefinitionError('NOT_AN_ACTOR', `found ${describe(target)}, expected a class that extends Actor`);
  }
  const known = decoratedType(target);
  const { actorType, pipelined } = target as unknown as ActorClass;
  if (known !== undefined) return known;
  if (actorType === undefined) throw new DefinitionError('NOT_AN_ACTOR', `${target.name} has neither @actor('…') nor a static actorType`);
  return { type: checkActorType(actorType, `${target.name}.actorType`), pipelined: pipelined === true };
}

/** Tells an actor class from whatever else a module exports; a base class without a type of its own is none. */
export function isActorClass(value: unknown): value is ActorClass {
  if (typeof value !== 'function' || !(value.prototype instanceof Actor)) return false;
  return decoratedType(value) !== undefined || (value as unknown as ActorClass).actorType !== undefined;
}

/** What the runtime works with, and a trial before it does. */
export interface Provable extends Behavior {
  /**
   * Makes the first actor before there is a message for it, so that the start finds out what is not bound. The first message gets this actor.
   * @throws ErrandError `INJECTION_FAILED`; DefinitionError `SHARED_INSTANCE`, `NOT_A_METHOD`
   */
  prove(): Promise<void>;
}

/**
 * @throws DefinitionError `NOT_AN_ACTOR`, `UNDEFINED_MESSAGE`, `WRONG_ACTOR`, `TWO_HANDLERS`, `NOT_A_METHOD`; InvalidValueError `INVALID_OPTION`
 */
export function behaviorOf(target: ActorClass, resolve: Resolve, logger: Logger): Provable {
  const { type, pipelined } = typeOf(target);
  const routes = new Routes(target, type);
  const stateSchema = (target as { state?: Schema }).state;
  const stateful = typeof (target.prototype as Open).initialState === 'function';
  const place = `state of ${type}`;
  const wrapped = (actor: Actor<unknown>): ActorInstance => new ActorInstance(actor as unknown as Open, routes, logger);
  let proven: Instance | undefined;
  return {
    type,
    pipelined,
    stateful,
    commands: routes.commands,
    subscriptions: routes.subscriptions,
    replies: routes.replies,
    get code() {
      return codeOf(target, routes, stateSchema);
    },
    create: () => {
      if (proven !== undefined) {
        const first = proven;
        proven = undefined;
        return first;
      }
      const actor = resolve(target);
      return isThenable(actor) ? new LateInstance(actor.then(wrapped)) : wrapped(actor);
    },
    prove: async () => {
      const first = wrapped(await resolve(target));
      for (const method of routes.methods()) first.methodOf(method);
      proven = first;
    },
    parseState: (json) => {
      const stored = fromJson(json, place);
      return stateSchema === undefined ? stored : validate(stateSchema, stored, 'INVALID_STATE', place);
    },
  };
}

/** The source of the class and of those that it extends, and all its schemas. */
function codeOf(target: ActorClass, { commands, subscriptions, replies }: Routes, state: Schema | undefined): string {
  const sources: string[] = [];
  for (let at: unknown = target; typeof at === 'function' && at !== Actor; at = Object.getPrototypeOf(at))
    sources.push(Function.prototype.toString.call(at));
  const definitions = [...commands.values(), ...[...subscriptions.values()].map(({ event }) => event), ...replies.values()];
  const schemas = definitions.map((definition) => `${definition.name} ${definition.description}`).sort();
  return JSON.stringify([sources, schemas, state === undefined ? '' : describeSchema(state)]);
}

class ActorInstance implements Instance {
  constructor(
    private readonly actor: Open,
    private readonly routes: Routes,
    private readonly logger: Logger,
  ) {}

  get state(): unknown {
    return this.actor.state;
  }
  set state(state: unknown) {
    this.actor.state = state;
  }
  initialState(): unknown {
    return this.actor.initialState?.();
  }
  handle(envelope: Envelope, data: unknown, attempt: Attempt): unknown {
    const handler = this.methodOf(this.routes.method(envelope));
    return handler.call(this.actor, data, new HandlerContext(attempt, this.logger));
  }
  /** @throws DefinitionError `NOT_A_METHOD`: a `resolve` or a binding may have answered an actor of another class */
  methodOf(name: string): Open[string] {
    const method: unknown = this.actor[name];
    if (typeof method !== 'function') throw new DefinitionError('NOT_A_METHOD', `${describe(this.actor)} has no method ${name}`);
    return method as Open[string];
  }
  hook(name: Hook, reason?: Error): unknown {
    return name === 'onRestart' ? this.actor.onRestart?.(reason as Error) : this.actor[name]?.();
  }
  onFailure(error: Error, attempt: Attempt): unknown {
    return this.actor.onFailure?.(error, new HandlerContext(attempt, this.logger));
  }
}

class Routes {
  readonly commands = new Map<string, MessageDefinition>();
  readonly subscriptions = new Map<string, Subscription>();
  readonly replies = new Map<string, MessageDefinition>();
  readonly #methods = { command: new Map<string, string>(), event: new Map<string, string>(), reply: new Map<string, string>() };

  constructor(
    private readonly target: ActorClass,
    private readonly type: string,
  ) {
    for (const [method, note] of decorated(target)) this.#add(method, note);
    const { handlers = {}, subscriptions = {}, replies = {} } = target;
    for (const [method, message] of Object.entries(handlers)) this.#add(method, { role: 'handles', message, options: undefined });
    for (const [method, given] of Object.entries(subscriptions)) {
      const detailed = isDetailed(given);
      this.#add(method, { role: 'subscribes', message: detailed ? given.event : given, options: detailed ? given : undefined });
    }
    for (const [method, message] of Object.entries(replies)) this.#add(method, { role: 'onReply', message, options: undefined });
  }

  method({ kind, type }: Envelope): string {
    const method = kind === 'request' ? undefined : this.#methods[kind].get(type);
    invariant(method !== undefined, 'only messages with a handler reach the actor');
    return method;
  }

  *methods(): Iterable<string> {
    for (const methods of Object.values(this.#methods)) yield* methods.values();
  }

  #add(method: string, { role, message, options }: Note): void {
    const place = `${role} on ${this.target.name}.${method}`;
    if (typeof (this.target.prototype as unknown as Open)[method] !== 'function') {
      throw new DefinitionError('NOT_A_METHOD', `${place}: the class has no method of that name`);
    }
    const definition = definitionAt(answered(message, place), role === 'subscribes' ? 'event' : 'command', place);
    const kind = role === 'handles' ? 'command' : role === 'subscribes' ? 'event' : 'reply';
    const taken = this.#methods[kind].get(definition.name);
    if (taken !== undefined && taken !== method) {
      throw new DefinitionError('TWO_HANDLERS', `${place}: ${this.target.name}.${taken} is there for '${definition.name}' already`);
    }
    this.#methods[kind].set(definition.name, method);
    if (role === 'handles') {
      if (definition.to !== this.type) {
        throw new DefinitionError(
          'WRONG_ACTOR',
          `${place}: '${definition.name}' is for the actor '${definition.to}', this is '${this.type}'`,
        );
      }
      this.commands.set(definition.name, definition);
    } else if (role === 'onReply') this.replies.set(definition.name, definition);
    else this.subscriptions.set(definition.name, subscription(definition, options, place));
  }
}

/** `{ event, key, from }`, not the event itself. */
function isDetailed(given: unknown): given is { readonly event: unknown } & NonNullable<Note['options']> {
  return typeof given === 'object' && given !== null && definitionOf(given) === undefined && 'event' in given;
}

/** The message, also where a function answers it. */
function answered(message: unknown, place: string): unknown {
  if (typeof message !== 'function' || definitionOf(message) !== undefined) return message;
  try {
    return (message as () => unknown)();
  } catch (error) {
    throw new DefinitionError('UNDEFINED_MESSAGE', `${place}: ${describe(message)} answers no message: ${asError(error).message}`, {
      cause: error,
    });
  }
}

function subscription(event: MessageDefinition, options: Note['options'], place: string): Subscription {
  const { key, from = 'now' } = options ?? {};
  if (key !== undefined && typeof key !== 'function')
    throw new InvalidValueError('INVALID_OPTION', `${place}: key`, key, 'a function from the data to the key');
  return { event, key: key as Subscription['key'], from: from as From };
}

/** The notes on a class's methods, its bases' included; a method that is overridden keeps the notes on the one it overrides. */
function decorated(target: ActorClass): [string, Note][] {
  const found: [string, Note][] = [];
  for (
    let at: object | null = target.prototype as object;
    at !== null && at !== Actor.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const method: unknown = Object.getOwnPropertyDescriptor(at, name)?.value;
      if (typeof method === 'function') for (const note of notesOf(method)) found.push([name, note]);
    }
  }
  return found;
}
