import 'reflect-metadata';
import type { Container } from 'inversify';
import { asError, DefinitionError, describe, ErrandError } from '../message/errors.js';
import { Actor, type ActorClass } from './actor.js';

/** Makes a new actor of a class. */
export type Resolve = (target: ActorClass) => Actor<unknown>;

/** inversify takes longer to load than all of errand: it is loaded once there is something to inject. */
export const loadInjection = (): Promise<typeof import('./injection.js')> => import('./injection.js');

/** Its constructor takes something. inversify keeps what it knows of a class as metadata; a base's counts, for a subclass without a constructor of its own. */
export function asksForSomething(target: ActorClass): boolean {
  return target.length > 0 || Reflect.getMetadataKeys(target).length > 0;
}

/** What resolves actors: by `static inject`, or the class's decorators, from `container`; or by the user's own `resolve`. */
export async function resolverFor(
  classes: Iterable<ActorClass>,
  container: Container | undefined,
  resolve: Resolve | undefined,
): Promise<Resolve> {
  if (resolve !== undefined) return checked(resolve, 'resolve');
  const injects = ({ inject }: ActorClass): boolean => inject !== undefined && inject.length > 0;
  const needed = container !== undefined || [...classes].some((target) => injects(target) || asksForSomething(target));
  if (!needed) return checked((target) => new target(), 'the container', sameAsBefore());
  const { builder } = await loadInjection();
  return checked(builder(container), 'the container');
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

/**
 * Holds a resolver to making an actor, and a new one each time. It throws ErrandError `INJECTION_FAILED`, DefinitionError `SHARED_INSTANCE`.
 * @param source what it is called in messages
 */
export function checked(create: Resolve, source: string, isOld: typeof wasMade = wasMade): Resolve {
  return (target) => {
    let actor: unknown;
    try {
      actor = create(target);
    } catch (error) {
      throw new ErrandError('INJECTION_FAILED', `${target.name} cannot be made: ${asError(error).message}`, { cause: error });
    }
    if (!(actor instanceof Actor)) {
      throw new ErrandError('INJECTION_FAILED', `${target.name} cannot be made: ${source} answered ${describe(actor)}, expected an actor`);
    }
    if (isOld(target, actor as Actor<unknown>)) {
      const text = `${target.name} was resolved twice to the same instance: bind actor classes in transient scope, or not at all`;
      throw new DefinitionError('SHARED_INSTANCE', text);
    }
    return actor as Actor<unknown>;
  };
}
