import type { Held } from './held.js';

/** A key's messages that wait their turn, linked through themselves: an array that is filled and emptied again and again is made anew each time. */
export class Queue {
  #first: Held | undefined;
  #last: Held | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get first(): Held | undefined {
    return this.#first;
  }

  push(held: Held): void {
    if (this.#last === undefined) this.#first = held;
    else this.#last.next = held;
    this.#last = held;
    this.#length += 1;
  }

  shift(): Held | undefined {
    const held = this.#first;
    if (held === undefined) return undefined;
    this.#first = held.next;
    held.next = undefined;
    if (this.#first === undefined) this.#last = undefined;
    this.#length -= 1;
    return held;
  }

  /** Takes out those of which `is` is true, wherever they stand, and adds them to `taken`. */
  takeOut(is: (held: Held) => boolean, taken: Held[]): void {
    let before: Held | undefined;
    for (let held = this.#first; held !== undefined; ) {
      const { next } = held;
      if (is(held)) {
        if (before === undefined) this.#first = next;
        else before.next = next;
        if (next === undefined) this.#last = before;
        held.next = undefined;
        this.#length -= 1;
        taken.push(held);
      } else before = held;
      held = next;
    }
  }
}
