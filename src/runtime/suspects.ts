import type { AsideLists } from '../log/aside.js';
import type { Link } from '../log/connection.js';
import type { Suspect, SuspectRecords } from '../log/suspects.js';
import { READ_ENTRIES, SUSPICIONS_TO_RUN_ALONE } from '../message/limits.js';
import type { Committer, Gathering } from './committer.js';

/**
 * A message that kills its process must not kill every process after it, and its neighbours must not be blamed.
 *
 * K1: an unclean take-over adds a suspicion to the first unsettled message of each key that the dead owner may have had in memory: one of
 *     them may have done it. A suspicion condemns nobody; from a few on, the message runs alone.
 * K2: who runs alone has its start written first, and nothing else runs on the node until it is settled. So only what was running alone when
 *     its owner died is counted as a kill, and only kills condemn.
 * K3: an owner that comes back to its own partition lives: what ran alone there meanwhile has not killed it.
 */
export class Suspects {
  #known = new Map<string, Suspect>();

  constructor(
    private readonly records: SuspectRecords,
    private readonly committer: Committer,
  ) {}

  /**
   * Learns what is suspected. Resolves once a suspicion that is new is written: the next message may be the one.
   * @param takeOver set when the last owner neither released the partition nor is this node: what that owner may have had in memory
   */
  async load(link: Link, takeOver: { lists: AsideLists; prefetch: number; now: number } | undefined): Promise<void> {
    this.#known = await this.records.load(link);
    const changed = new Map<string, Suspect>();
    const change = (entry: string, suspect: Suspect): void => {
      this.#known.set(entry, suspect);
      changed.set(entry, suspect);
    };
    for (const [entry, suspect] of this.#known) {
      // K2, K3
      if (suspect.running) change(entry, { ...suspect, running: false, kills: suspect.kills + (takeOver === undefined ? 0 : 1) });
    }
    if (takeOver !== undefined) {
      const { lists, prefetch, now } = takeOver;
      const aside = await lists.heads(link, now);
      const inbox = await this.records.firstOfKeys(link, prefetch + READ_ENTRIES);
      for (const { key } of aside) inbox.delete(key); // what waits in its list comes before it
      for (const entry of [...aside.map((head) => head.entry), ...inbox.values()]) {
        const { suspicions = 0, kills = 0 } = this.#known.get(entry) ?? {};
        change(entry, { suspicions: suspicions + 1, kills, running: false }); // K1
      }
    }
    if (changed.size === 0) return;
    const gathering = this.committer.gather();
    for (const [entry, suspect] of changed) this.records.write(gathering.batch, entry, suspect);
    await gathering.done;
  }

  /** The suspect that must run alone, or undefined. */
  get(entry: string): Suspect | undefined {
    const suspect = this.#known.get(entry);
    return suspect !== undefined && suspect.suspicions >= SUSPICIONS_TO_RUN_ALONE ? suspect : undefined;
  }

  /** Invariant K2. Resolves to whether the start is written. */
  begin(entry: string): Promise<boolean> {
    const gathering = this.committer.gather();
    this.#write(gathering, entry, true);
    return gathering.done;
  }

  /** It is not settled, but it is not running either: it waits for its next attempt. */
  waits(gathering: Gathering, entry: string): void {
    if (this.#known.get(entry)?.running) this.#write(gathering, entry, false);
  }

  settled(gathering: Gathering, entry: string): void {
    if (!this.#known.delete(entry)) return;
    this.records.clear(gathering.batch, entry);
  }

  #write(gathering: Gathering, entry: string, running: boolean): void {
    const suspect = { suspicions: 0, kills: 0, ...this.#known.get(entry), running };
    this.#known.set(entry, suspect);
    this.records.write(gathering.batch, entry, suspect);
  }
}
