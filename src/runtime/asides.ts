import { PARKED } from '../log/aside.js';
import { failureCodeOf } from '../message/errors.js';
import type { Activation } from './activation.js';
import type { Activations } from './activations.js';
import type { Cancellations } from './cancellations.js';
import type { Committer, Gathering } from './committer.js';
import { type Held, listOf } from './held.js';
import type { Host } from './host.js';
import type { Suspects } from './suspects.js';
import type { Verdicts } from './verdicts.js';
import type { WaitingKeys } from './waiting-keys.js';

/** The partition, as far as it is needed here. */
interface Owner {
  readonly host: Host;
  readonly committer: Committer;
  readonly waiting: WaitingKeys;
  readonly suspects: Suspects;
  readonly activations: Activations;
  readonly verdicts: Verdicts;
  readonly cancellations: Cancellations;
  /** it leaves memory, and stays where it stands in the log */
  forget(held: Held): void;
  /** Adds the outcome of a message that somebody has cancelled. */
  readonly endCancelled: (gathering: Gathering, cancelled: Held) => void;
}

/** What becomes of the message is handed over; once that is committed it leaves memory. */
export function leaves(held: Held, gathering: Gathering): void {
  held.stage = 'over';
  gathering.leave(held);
}

/**
 * Moves the messages of a key that must wait, from the inbox and from memory to the key's aside list, in their order. Each move to rest is told
 * to `cancellations`, so that no message comes to rest after it was marked.
 */
export class Asides {
  constructor(private readonly owner: Owner) {}

  /** From the inbox to the end of its waiting key's list. */
  follow(held: Held): void {
    const { committer, waiting, suspects, cancellations, endCancelled } = this.owner;
    const gathering = committer.gather();
    waiting.follow(held, gathering);
    cancellations.moves(gathering, held, (same) => {
      waiting.remove(held, same);
      suspects.settled(same, held.entry);
      endCancelled(same, held);
    });
    gathering.remove(held); // what is suspected of it stays: it is not over
    leaves(held, gathering);
  }

  /** All that is queued in memory behind a key that waits from now on. What came from its list still stands there. */
  #clearQueue({ queued }: Activation): void {
    for (let held = queued.shift(); held !== undefined; held = queued.shift()) {
      if (held.drain === undefined) this.follow(held);
      else {
        held.stage = 'over';
        this.owner.forget(held);
      }
    }
  }

  /** Keys of which several messages are held in memory, and how many are queued. */
  crowds(): { key: string; queued: number }[] {
    const { activations, waiting } = this.owner;
    return activations.crowds().filter(({ key }) => !waiting.has(key));
  }

  /** A key with more than its share of memory goes on from its aside list. */
  crowd(key: string): void {
    const { activations, waiting, committer } = this.owner;
    const activation = activations.get(key);
    if (activation === undefined || waiting.has(key)) return;
    const begun = activation.current?.stage === 'begun' ? activation.current : undefined;
    const gathering = committer.gather();
    waiting.crowd(key, begun, gathering);
    if (begun !== undefined) gathering.remove(begun); // it does not rest there: it is at work
    this.#clearQueue(activation);
  }

  /**
   * To the head of its key's list, its attempts with it.
   * @param until ms since the epoch
   * @param error why it waits for a retry, or is parked; undefined when it is left where it is
   */
  wait(held: Held, until: number | 'parked', error?: Error): Gathering {
    const { host, verdicts } = this.owner;
    const gathering = this.#setAside(held, until === 'parked' ? PARKED : until);
    if (error === undefined) return gathering;
    if (until === 'parked') {
      verdicts.condemn(gathering, held, `PARKED_${failureCodeOf(error)}`, error, true);
      host.signal('parked', held, { attempt: held.attempts });
    } else host.signal('retry-delayed', held, { attempt: held.attempts, until: new Date(until) });
    return gathering;
  }

  #setAside(held: Held, due: number): Gathering {
    const { committer, waiting, suspects, activations, cancellations } = this.owner;
    const gathering = committer.gather();
    waiting.wait(held, gathering, due);
    cancellations.moves(gathering, held);
    if (held.drain === undefined) gathering.remove(held);
    suspects.waits(gathering, held.entry);
    leaves(held, gathering);
    const activation = activations.get(listOf(held)); // a request is in no actor's way
    if (activation !== undefined) this.#clearQueue(activation);
    return gathering;
  }
}
