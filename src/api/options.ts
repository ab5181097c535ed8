/** T with any of it left out, or given as `undefined`, which is the same. */
export type Some<T> = { [K in keyof T]?: T[K] | undefined };

/** What is there: to be spread over defaults, which an `undefined` must not replace. */
export function present<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
