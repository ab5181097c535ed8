import { asError, ErrandError } from '../message/errors.js';
import { isThenable } from '../runtime/deadline.js';
import { Actor, type ActorClass, type AnyActor, type Token } from './actor.js';
import { asksForSomething, type Container, type Resolve, shown, type WithMetadata } from './container.js';
import { decoratedType } from './decorators.js';

/** inversify's only door, an optional peer: loaded when there is something to inject (see container). */

type Inversify = typeof import('inversify');

/** @throws ErrandError `INJECTION_FAILED` when inversify is not installed */
export async function loadInversify(why: string): Promise<{ builder: (container?: Container) => Resolve; newContainer: () => Container }> {
  let inversify: Inversify;
  try {
    inversify = await import('inversify'); // in a try: a bundler then lets it be absent
  } catch (error) {
    const text = `inversify cannot be loaded, which is needed ${why}: npm install inversify reflect-metadata (${asError(error).message})`;
    throw new ErrandError('INJECTION_FAILED', text, { cause: error });
  }
  const newContainer = (): Container => new inversify.Container();
  return { newContainer, builder: (container = newContainer()) => builder(inversify, container) };
}

/**
 * Dependencies come from what the user bound, and are never bound by themselves unless the container says so (`autobind`): an abstract
 * class that nobody bound would be made as it is, and fail only when it is used.
 */
function builder(inversify: Inversify, container: Container): Resolve {
  return (target) => {
    if (target.inject !== undefined) return new target(...(dependencies(container, target.inject) as never[]));
    if (!container.isBound(target as never)) {
      if (!asksForSomething(target)) return new target();
      container
        .bind(target as never)
        .to(target as never)
        .inTransientScope();
    }
    inheritInjections(inversify, target);
    try {
      return container.get(target as never) as ReturnType<Resolve>;
    } catch (error) {
      const name = culprit(container, target, asError(error).message);
      throw name === undefined ? error : new Error(`its dependency ${name}: ${asError(error).message}`, { cause: error });
    }
  };
}

/** Which dependency the container cannot give, where its message does not say so: it names the class alone when one is bound to a promise. */
function culprit(container: Container, target: ActorClass, message: string): string | undefined {
  const tokens = notedTokens(target);
  if (tokens.some((token) => message.includes(shown(token)))) return undefined;
  const found = tokens.find((token) => {
    try {
      return isThenable(container.get(token as never));
    } catch {
      return true;
    }
  });
  return found === undefined ? undefined : shown(found);
}

/** What inversify has noted of a class's constructor, as its metadata has it in 7 and 8; nothing where that is otherwise. */
function notedTokens(target: ActorClass): Token[] {
  const reflect = Reflect as WithMetadata;
  const tokens: Token[] = [];
  for (const key of reflect.getMetadataKeys?.(target) ?? []) {
    const noted = (reflect.getMetadata?.(key, target) as { constructorArguments?: unknown } | undefined)?.constructorArguments;
    if (!Array.isArray(noted)) continue;
    for (const { value } of noted as { value?: unknown }[])
      if (['string', 'symbol', 'function'].includes(typeof value)) tokens.push(value as Token);
  }
  return tokens;
}

function dependencies(container: Container, tokens: NonNullable<ActorClass['inject']>): unknown[] {
  return tokens.map((token) => {
    const name = shown(token);
    let found: unknown;
    try {
      found = container.get(token as never);
    } catch (error) {
      throw new Error(`its dependency ${name}: ${asError(error).message}`, { cause: error });
    }
    if (isThenable(found)) throw new Error(`its dependency ${name} is bound to a promise: bind what it resolves to`);
    return found;
  });
}

function makeInjectable({ injectable }: Inversify, target: AnyActor): void {
  try {
    injectable()(target);
  } catch (error) {
    // The class says @injectable() itself, as well as @actor.
    if (!asError(error).message.includes('multiple times')) throw error;
  }
}

/** Classes that are ready to be resolved. */
const prepared = new WeakSet<object>();
/** Classes that have taken over what their base asks for; only before inversify 7.8. */
const inherited = new WeakSet<object>();

/**
 * A subclass without a constructor of its own would be built with `undefined` dependencies; this closes that trap. One whose constructor
 * takes parameters says itself what it needs. (One of its own that takes none cannot be told from none: `static inject = []` says so.)
 */
function inheritInjections(inversify: Inversify, target: ActorClass): void {
  if (prepared.has(target)) return;
  // What inversify reads of a base's parameters, it reads when the base is made injectable.
  for (const base of basesOf(target)) if (decoratedType(base) !== undefined) makeInjectable(inversify, base);
  makeInjectable(inversify, target);
  takeOver(inversify, target);
  prepared.add(target);
}

function takeOver(inversify: Partial<Inversify>, target: ActorClass): void {
  const { injectFromHierarchy, injectFromBase } = inversify;
  if (injectFromHierarchy !== undefined) {
    injectFromHierarchy({ extendConstructorArguments: target.length === 0 })(target);
    return;
  }
  // Before 7.8 there is only the way from one base to the next.
  for (const one of [
    ...basesOf(target)
      .filter((base) => base !== Actor)
      .reverse(),
    target,
  ]) {
    if (inherited.has(one)) continue;
    injectFromBase?.({ extendConstructorArguments: one.length === 0, extendProperties: true })(one);
    inherited.add(one);
  }
}

/** The nearest first. */
function basesOf(target: AnyActor): AnyActor[] {
  const bases: AnyActor[] = [];
  for (
    let base: unknown = Object.getPrototypeOf(target);
    typeof base === 'function' && base.prototype !== undefined;
    base = Object.getPrototypeOf(base)
  )
    bases.push(base as AnyActor);
  return bases;
}
