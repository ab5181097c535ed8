/** What is due at some time, the earliest first: adding and taking cost the logarithm of how many there are. */
export class DueHeap<T> {
  readonly #items: { readonly due: number; readonly item: T }[] = [];

  /** The earliest, left where it is. */
  get first(): { readonly due: number; readonly item: T } | undefined {
    return this.#items[0];
  }

  add(due: number, item: T): void {
    const items = this.#items;
    let at = items.length;
    const added = { due, item };
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent];
      if (above === undefined || above.due <= due) break;
      items[at] = above;
      at = parent;
    }
    items[at] = added;
  }

  /** Takes the earliest away. */
  take(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = items[child + 1];
      if (right !== undefined && right.due < (items[child]?.due ?? Number.POSITIVE_INFINITY)) child += 1;
      const below = items[child];
      if (below === undefined || below.due >= last.due) break;
      items[at] = below;
      at = child;
    }
    items[at] = last;
  }
}
