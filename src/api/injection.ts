import { Container, injectable, injectFromHierarchy, type ServiceIdentifier } from 'inversify';
import { asError } from '../message/errors.js';
import type { Actor, ActorClass, AnyActor } from './actor.js';
import { asksForSomething, type Resolve } from './container.js';
import { decoratedType } from './decorators.js';

/** inversify's only door; loaded when there is something to inject (see container). */
export { Container };

/**
 * Dependencies come from what the user bound, and are never bound by themselves unless the container says so (`autobind`): an abstract
 * class that nobody bound would be made as it is, and fail only when it is used.
 */
export function builder(container = new Container()): Resolve {
  return (target) => {
    if (target.inject !== undefined) return new target(...target.inject.map((id) => container.get(id) as never));
    const id = target as unknown as ServiceIdentifier<Actor<unknown>>;
    if (!container.isBound(id)) {
      if (!asksForSomething(target)) return new target();
      container
        .bind(id)
        .to(target as unknown as new () => Actor<unknown>)
        .inTransientScope();
    }
    inheritInjections(target);
    return container.get(id);
  };
}

function makeInjectable(target: AnyActor): void {
  try {
    injectable()(target);
  } catch (error) {
    // The class says @injectable() itself, as well as @actor.
    if (!asError(error).message.includes('multiple times')) throw error;
  }
}

const inherited = new WeakSet<object>();

/**
 * A subclass without a constructor of its own would be built with `undefined` dependencies; this closes that trap. One whose constructor
 * takes parameters says itself what it needs. (One of its own that takes none cannot be told from none: `static inject = []` says so.)
 */
function inheritInjections(target: ActorClass): void {
  if (inherited.has(target)) return;
  // What inversify reads of a base's parameters, it reads when the base is made injectable.
  for (let base: unknown = Object.getPrototypeOf(target); typeof base === 'function'; base = Object.getPrototypeOf(base)) {
    if (decoratedType(base) !== undefined) makeInjectable(base as AnyActor);
  }
  makeInjectable(target);
  injectFromHierarchy({ extendConstructorArguments: target.length === 0 })(target);
  inherited.add(target);
}
