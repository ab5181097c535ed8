import type { Link } from '../log/connection.js';
import { type ReadState, readStates, StoredState } from '../log/state.js';
import { asError, RedisError } from '../message/errors.js';
import { PAYLOAD_BYTES } from '../message/limits.js';

/** of a state in a reply, beside its JSON */
const STATE_OVERHEAD_BYTES = 32;
/** However small states have been, the next may be large. */
const MOST = 1_000;

/** Who waits for a state. Told by calls, not by promises: where keys come and go, each would make several. */
export interface Wanting {
  /** the state's key in Redis */
  readonly stateKey: string;
  /** false once the state is of no use: nobody need be told */
  readonly wanted: boolean;
  loaded(state: StoredState | undefined): void;
  notLoaded(error: Error): void;
  /** Its key holds something else. */
  spoiled(error: RedisError): void;
}

/**
 * Loads the states of an actor type together: all that are wanted before this turn's other work is done, in whatever partition, go into
 * one MGET. A read brings some twenty messages to each partition, and an MGET for each of these would cost more than the states.
 *
 * S1: the replies under way hold about as much as one state may, however many are wanted: leases are renewed on the same connection, in
 *     several round trips, and if each waits behind a large reply the partition is lost, whose next owner asks for the same again.
 */
export class StateLoader {
  #wanting: Wanting[] = [];
  #scheduled = false;
  /** states asked for and not there yet */
  #underWay = 0;
  /** What one may take. Nothing is known of the first: it may be as large as states can be. */
  #bytes = PAYLOAD_BYTES;

  constructor(private readonly link: Link) {}

  load(wanting: Wanting): void {
    this.#wanting.push(wanting);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#readOn();
    });
  }

  /** S1 */
  #readOn(): void {
    const room = Math.min(MOST, Math.max(1, Math.floor(PAYLOAD_BYTES / this.#bytes))) - this.#underWay;
    if (room <= 0 || this.#wanting.length === 0) return;
    let next = this.#wanting;
    this.#wanting = [];
    if (next.length > room) {
      next = next.filter(({ wanted }) => wanted);
      this.#wanting = next.splice(room);
    }
    if (next.length > 0) void this.#read(next);
  }

  async #read(wanting: readonly Wanting[]): Promise<void> {
    this.#underWay += wanting.length;
    let states: readonly ReadState[];
    try {
      states = await readStates(
        this.link,
        wanting.map(({ stateKey }) => stateKey),
      );
    } catch (thrown) {
      this.#underWay -= wanting.length;
      for (const one of wanting) one.notLoaded(asError(thrown));
      return this.#readOn();
    }
    this.#underWay -= wanting.length;
    this.#learn(states);
    this.#readOn();
    wanting.forEach((one, i) => {
      const state = states[i];
      if (state instanceof RedisError) one.spoiled(state);
      else one.loaded(state);
    });
  }

  /** Large ones are believed at once, small ones by and by. */
  #learn(states: readonly ReadState[]): void {
    let bytes = 0;
    for (const state of states) bytes += STATE_OVERHEAD_BYTES + (state instanceof StoredState ? state.json.length : 0);
    this.#bytes = Math.max(bytes / states.length, this.#bytes / 2);
  }
}
