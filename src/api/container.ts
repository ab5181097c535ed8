import 'reflect-metadata';
import { Container, injectable, injectFromHierarchy, type ServiceIdentifier } from 'inversify';
import { asError, DefinitionError, ErrandError } from '../message/errors.js';
import type { Actor, ActorClass, AnyActor } from './actor.js';

export type { ServiceIdentifier };
/** inversify's only door. */
export { Container };

/** Makes a new actor of a class. */
export type Resolve = (target: ActorClass) => Actor<unknown>;

/**
 * Marks the class for constructor injection. A subclass without a constructor of its own would be built with `undefined` dependencies;
 * inheriting the injections of its bases closes that trap.
 */
export function makeInjectable(target: AnyActor): void {
  try {
    injectable()(target);
  } catch (error) {
    // The class says @injectable() itself, as well as @actor.
    if (!asError(error).message.includes('multiple times')) throw error;
  }
  injectFromHierarchy()(target);
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
    let actor: Actor<unknown>;
    try {
      actor = create(target);
    } catch (error) {
      throw new ErrandError('INJECTION_FAILED', `${target.name} cannot be made: ${asError(error).message}`, { cause: error });
    }
    if (made.has(actor)) {
      const text = `${target.name} was resolved twice to the same instance: bind actor classes in transient scope, or not at all`;
      throw new DefinitionError('SHARED_INSTANCE', text);
    }
    made.add(actor);
    return actor;
  };
}

function build(container: Container, target: ActorClass): Actor<unknown> {
  if (target.inject !== undefined) {
    const deps = target.inject.map((id) => container.get(id, { autobind: true }) as never);
    return new target(...deps);
  }
  if (target.length === 0 && !isDecorated(target)) return new target();
  return container.get(target as unknown as ServiceIdentifier<Actor<unknown>>, { autobind: true });
}

/** inversify keeps what it knows of a class as metadata. */
function isDecorated(target: ActorClass): boolean {
  return Reflect.getOwnMetadataKeys(target).length > 0;
}
