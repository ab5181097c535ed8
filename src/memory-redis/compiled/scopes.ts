/** The names that a script knows where it is being translated. */

/** Thrown where a script goes beyond what is translated. */
export class Beyond extends Error {}

export interface Value {
  readonly kind: 'value';
  readonly js: string;
  /** of the function that it belongs to */
  readonly depth: number;
  /** by that function */
  read: boolean;
  /** by functions within it */
  assigned: boolean;
}

export type Binding =
  | Value
  | { readonly kind: 'local function'; readonly js: string; readonly many: boolean }
  | { readonly kind: 'library'; readonly name: string }
  | { readonly kind: 'unknown' };

/**
 * Lua reads a function's own local when the operation runs, JavaScript when its turn among the operands comes: what a call in between assigns
 * to it, one sees and the other does not.
 */
export function checkOrder({ read, assigned }: Value): void {
  if (read && assigned) throw new Beyond();
}

export class Scopes {
  readonly #open: Map<string, Binding>[] = [];

  enter(): void {
    this.#open.push(new Map());
  }

  leave(): void {
    this.#open.pop();
  }

  bind(name: string, binding: Binding): void {
    this.#open.at(-1)?.set(name, binding);
  }

  /** The innermost binding; undefined for a global. */
  find(name: string): Binding | undefined {
    for (let index = this.#open.length - 1; index >= 0; index -= 1) {
      const found = this.#open[index]?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
