import 'reflect-metadata';
import { Container, injectable, injectFromHierarchy, type ServiceIdentifier } from 'inversify';
import { asError, DefinitionError, describe, ErrandError } from '../message/errors.js';
import { Actor, type ActorClass, type AnyActor } from './actor.js';

export type { ServiceIdentifier };
/** inversify's only door. */
export { Container };

/** Makes a new actor of a class. */
export type Resolve = (target: ActorClass) => Actor<unknown>;

/** Marks the class for constructor injection. */
export function makeInjectable(target: AnyActor): void {
  try {
    injectable()(target);
  } catch (error) {
    // The class says @injectable() itself, as well as @actor.
    if (!asError(error).message.includes('multiple times')) throw error;
  }
}

/** What was made once must not be made again: two keys would share their state in memory. */
const made = new WeakSet<object>();

/**
 * Resolves actors: by `static inject`, or the class's decorators, from `container`; or by the user's own `resolve`.
 * The resolver throws ErrandError `INJECTION_FAILED`, DefinitionError `SHARED_INSTANCE`.
 */
export function resolver(container: Container | undefined, resolve: Resolve | undefined): Resolve {
  const from = container ?? new Container();
  const create = resolve ?? ((target: ActorClass) => build(from, target));
  return (target) => {
    let actor: unknown;
    try {
      actor = create(target);
    } catch (error) {
      throw new ErrandError('INJECTION_FAILED', `${target.name} cannot be made: ${asError(error).message}`, { cause: error });
    }
    if (!(actor instanceof Actor)) {
      const source = resolve === undefined ? 'the container' : 'resolve';
      throw new ErrandError('INJECTION_FAILED', `${target.name} cannot be made: ${source} answered ${describe(actor)}, expected an actor`);
    }
    if (made.has(actor)) {
      const text = `${target.name} was resolved twice to the same instance: bind actor classes in transient scope, or not at all`;
      throw new DefinitionError('SHARED_INSTANCE', text);
    }
    made.add(actor);
    return actor as Actor<unknown>;
  };
}

/**
 * Dependencies come from what the user bound, and are never bound by themselves unless the container says so (`autobind`): an abstract
 * class that nobody bound would be made as it is, and fail only when it is used.
 */
function build(container: Container, target: ActorClass): Actor<unknown> {
  if (target.inject !== undefined) return new target(...target.inject.map((id) => container.get(id) as never));
  const id = target as unknown as ServiceIdentifier<Actor<unknown>>;
  if (!container.isBound(id)) {
    if (target.length === 0 && !asksForSomething(target)) return new target();
    container
      .bind(id)
      .to(target as unknown as new () => Actor<unknown>)
      .inTransientScope();
  }
  inheritInjections(target);
  return container.get(id);
}

/** inversify keeps what it knows of a class as metadata; a base's counts, for a subclass without a constructor of its own. */
function asksForSomething(target: ActorClass): boolean {
  return Reflect.getMetadataKeys(target).length > 0;
}

const inherited = new WeakSet<object>();

/**
 * A subclass without a constructor of its own would be built with `undefined` dependencies; this closes that trap. One whose constructor
 * takes parameters says itself what it needs. (One of its own that takes none cannot be told from none: `static inject = []` says so.)
 */
function inheritInjections(target: ActorClass): void {
  if (inherited.has(target)) return;
  makeInjectable(target);
  injectFromHierarchy({ extendConstructorArguments: target.length === 0 })(target);
  inherited.add(target);
}
