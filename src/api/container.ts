import { asError, DefinitionError, describe, ErrandError } from '../message/errors.js';
import { isThenable } from '../runtime/deadline.js';
import { Actor, type ActorClass, type Token } from './actor.js';

/**
 * Makes a new actor of a class; at once, or as a promise, as the containers of other frameworks do:
 * `resolve: (target) => moduleRef.create(target)`.
 */
export type Resolve = (target: ActorClass) => Actor<unknown> | PromiseLike<Actor<unknown>>;

/** What errand asks of an inversify container (7 or 8). A type of its own: whoever injects nothing need not install inversify. */
export interface Container {
  get(id: never): unknown;
  isBound(id: never): boolean;
  bind(id: never): { to(target: never): { inTransientScope(): unknown } };
}

/** What is used of injection.ts; no type of inversify may reach errand's own types through it. */
interface Injection {
  readonly builder: (container?: Container) => Resolve;
  readonly newContainer: () => Container;
}

/**
 * inversify takes longer to load than all of errand: it is loaded once there is something to inject.
 * @param why what it is needed for, for the message
 * @throws ErrandError `INJECTION_FAILED` when it is not installed
 */
export async function loadInjection(why: string): Promise<Injection> {
  const { loadInversify } = await import('./injection.js');
  return loadInversify(why);
}

/** inversify keeps its notes on a class by these functions, which it adds to `Reflect`. */
export interface WithMetadata {
  getMetadataKeys?(target: object): readonly unknown[];
  getMetadata?(key: unknown, target: object): unknown;
}

/** inversify knows something of the class, or of a base, which counts for a subclass without a constructor of its own. */
function hasNotes(target: ActorClass): boolean {
  const reflect = Reflect as WithMetadata;
  const keys = reflect.getMetadataKeys?.(target) ?? [];
  if (keys.some((key) => !String(key).startsWith('design:'))) return true;
  const parameters = reflect.getMetadata?.('design:paramtypes', target); // by TypeScript
  return Array.isArray(parameters) && parameters.length > 0;
}

/** Its constructor takes something. */
export function asksForSomething(target: ActorClass): boolean {
  return target.length > 0 || hasNotes(target);
}

/** What an actor class asks for, when there is nobody to give it. */
function unmet(target: ActorClass): string | undefined {
  if (target.inject !== undefined) return target.inject.length === 0 ? undefined : `it depends on ${target.inject.map(shown).join(', ')}`;
  return target.length === 0 ? undefined : `its constructor takes ${target.length === 1 ? 'a parameter' : `${target.length} parameters`}`;
}

/** A dependency as it is called in messages. */
export function shown(token: Token): string {
  if (typeof token === 'function') return token.name;
  return typeof token === 'object' && token !== null ? 'a lazy identifier' : String(token);
}

/** How actors are made, and whether anything outside errand takes part in it. */
export interface Resolver {
  readonly resolve: Resolve;
  readonly foreign: boolean;
}

/**
 * What resolves actors: by `static inject`, or the class's decorators, from `container`; or by the user's own `resolve`.
 * @throws ErrandError `INJECTION_FAILED` for a class that asks for something when neither is given, and without inversify where it is needed
 */
export async function resolverFor(
  classes: Iterable<ActorClass>,
  container: Container | undefined,
  resolve: Resolve | undefined,
): Promise<Resolver> {
  if (resolve !== undefined) return { resolve: checked(resolve, 'resolve'), foreign: true };
  const all = [...classes];
  if (container === undefined) {
    for (const target of all) {
      const lack = unmet(target);
      if (lack !== undefined) throw notMade(target, `${lack}, and there is neither a container nor a resolve`);
    }
    if (!all.some(hasNotes)) return { resolve: checked((target) => new target(), 'the class', sameAsBefore()), foreign: false };
  }
  const { builder } = await loadInjection(`to inject what ${all.map(({ name }) => name).join(', ')} ask for`);
  return { resolve: checked(builder(container), 'the container'), foreign: true };
}

/** What was made once must not be made again: two keys would share their state in memory. */
const made = new WeakSet<object>();

function wasMade(_target: ActorClass, actor: Actor<unknown>): boolean {
  if (made.has(actor)) return true;
  made.add(actor);
  return false;
}

/** `new` makes another one each time unless a constructor answers what it keeps; to remember all would cost the garbage collector more than they do. */
function sameAsBefore(): typeof wasMade {
  const latest = new Map<ActorClass, Actor<unknown>>();
  return (target, actor) => {
    if (latest.get(target) === actor) return true;
    latest.set(target, actor);
    return false;
  };
}

function notMade({ name }: ActorClass, reason: string, cause?: unknown): ErrandError {
  return new ErrandError('INJECTION_FAILED', `${name} cannot be made: ${reason}`, { cause });
}

/**
 * Holds a resolver to making an actor, and a new one each time. It throws, or rejects with, ErrandError `INJECTION_FAILED`, DefinitionError
 * `SHARED_INSTANCE`.
 * @param source what it is called in messages
 */
function checked(create: Resolve, source: string, isOld: typeof wasMade = wasMade): Resolve {
  const check = (target: ActorClass, actor: unknown): Actor<unknown> => {
    if (!(actor instanceof Actor)) throw notMade(target, `${source} answered ${describe(actor)}, expected an actor`);
    if (isOld(target, actor as Actor<unknown>)) {
      const text = `${target.name} was resolved twice to the same instance: bind actor classes in transient scope, or not at all`;
      throw new DefinitionError('SHARED_INSTANCE', text);
    }
    return actor as Actor<unknown>;
  };
  return (target) => {
    let actor: unknown;
    try {
      actor = create(target);
    } catch (error) {
      throw notMade(target, asError(error).message, error);
    }
    if (!isThenable(actor)) return check(target, actor);
    return actor.then(
      (answered) => check(target, answered),
      (error: unknown) => {
        throw notMade(target, asError(error).message, error);
      },
    );
  };
}
