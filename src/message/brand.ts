/**
 * Classes that are known by a brand on their prototype, not by their identity: a process may hold two copies of this package (one an application's,
 * one a library's), and an error of the one must be known to the other. `instanceof` goes by the brand, too.
 */

const BRAND: unique symbol = Symbol.for('errand.brand') as never;

type Branded = { readonly [BRAND]?: string };

/** Call it in a class's static block. @param name the class's name, which survives a minifier as a string */
export function brand(target: abstract new (...args: never[]) => object, name: string): void {
  Object.defineProperty(target.prototype, BRAND, { value: name });
}

/** The brand of this very object's class; undefined for a subclass that has none of its own. */
export function ownBrandOf(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== null && Object.hasOwn(prototype as object, BRAND) ? (prototype as Branded)[BRAND] : undefined;
}

/** What `instanceof target` answers: never throws, whatever traps the value has. */
export function isBranded(target: { readonly prototype: object }, value: unknown): boolean {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  const wanted = Object.hasOwn(target.prototype, BRAND) ? (target.prototype as Branded)[BRAND] : undefined;
  try {
    for (let prototype: unknown = Object.getPrototypeOf(value); prototype !== null; prototype = Object.getPrototypeOf(prototype)) {
      if (prototype === target.prototype) return true;
      if (wanted !== undefined && Object.hasOwn(prototype as object, BRAND) && (prototype as Branded)[BRAND] === wanted) return true;
    }
  } catch {
    // A proxy that was revoked, or refuses: it is none of ours.
  }
  return false;
}
