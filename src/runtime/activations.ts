import { Activation, type Surroundings } from './activation.js';
import { Admission } from './admission.js';
import type { Hook } from './behavior.js';
import type { Held } from './held.js';

/** A partition's activations: who is in memory, and since when it has had nothing to do. */
export class Activations {
  readonly #byKey = new Map<string, Activation>();
  /** those that have something to do */
  busy = 0;

  readonly #admission: Admission;

  constructor(
    private readonly around: Surroundings,
    /** one is about to be made */
    private readonly onNew: () => void,
  ) {
    this.#admission = new Admission(around);
  }

  get size(): number {
    return this.#byKey.size;
  }

  get keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  get(key: string): Activation | undefined {
    return this.#byKey.get(key);
  }

  /** Into the inbox of its key's activation, which is made when there is none. */
  route(held: Held): void {
    const key = held.envelope.subject;
    let activation = this.#byKey.get(key);
    if (activation === undefined) {
      this.onNew();
      activation = new Activation(key, this.around, this.#admission);
      this.#byKey.set(key, activation);
    }
    held.stage = 'routed';
    held.counted = true;
    if (activation.outstanding === 0) this.busy += 1;
    activation.outstanding += 1;
    activation.enqueue(held);
  }

  /** A message that was routed is dealt with. @param now monotonic ms */
  forget({ envelope }: Held, now: number): void {
    const activation = this.#byKey.get(envelope.subject);
    if (activation === undefined) return;
    activation.outstanding -= 1;
    activation.lastUsed = now;
    if (activation.outstanding > 0) return;
    this.busy -= 1;
    activation.current = undefined; // or it would stay in memory for as long as the activation
    if (activation.stopped) this.#remove(activation, 'onStop');
  }

  /** Deactivates what has been idle since before `since` (monotonic ms). */
  passivate(since: number): void {
    for (const activation of this.#byKey.values()) {
      if (activation.outstanding === 0 && activation.lastUsed <= since) this.#remove(activation, 'onPassivate');
    }
  }

  /** Adds when each that has nothing to do was last used, monotonic ms. */
  idleSince(moments: number[]): void {
    for (const { outstanding, lastUsed } of this.#byKey.values()) if (outstanding === 0) moments.push(lastUsed);
  }

  /** Keys of which several messages are held, and how many of them are queued. */
  crowds(): { key: string; queued: number }[] {
    const crowds: { key: string; queued: number }[] = [];
    for (const { key, queued, outstanding } of this.#byKey.values()) {
      if (queued.length > 0 && outstanding > 1) crowds.push({ key, queued: queued.length });
    }
    return crowds;
  }

  /** Takes messages that have not begun out of their keys' queues: those of which `is` is true. */
  takeOut(is: (held: Held) => boolean): Held[] {
    const taken: Held[] = [];
    for (const activation of this.#byKey.values()) {
      const { queued } = activation;
      if (queued.length === 0) continue;
      const before = taken.length;
      queued.takeOut(is, taken);
      for (const held of taken.slice(before)) activation.skip(held);
    }
    return taken;
  }

  clear(): void {
    for (const activation of this.#byKey.values()) this.#remove(activation, 'onStop');
  }

  #remove(activation: Activation, hook: Hook): void {
    this.#byKey.delete(activation.key);
    if (activation.outstanding > 0) this.busy -= 1;
    activation.leave(hook);
  }
}
