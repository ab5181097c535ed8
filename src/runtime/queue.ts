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
}
