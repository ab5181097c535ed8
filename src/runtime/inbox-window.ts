import { after } from '../log/entry.js';
import type { Gathering } from './committer.js';
import type { Held } from './held.js';

/** What has been read of an inbox and is not removed yet, oldest first. */
export class InboxWindow {
  #held: Held[] = [];

  constructor(private readonly stream: string) {}

  add(held: Held): void {
    this.#held.push(held);
  }

  /**
   * Adds to a commit the removal of what it settles or sets aside. Runs when the commit is about to be sent: what a later one removes must
   * stay until then. All in front goes by one trim; what lies behind an unsettled message goes by itself.
   */
  remove({ batch, removed }: Gathering): void {
    if (removed.length === 0) return;
    for (const held of removed) held.removed = true;
    let front = 0;
    while (front < this.#held.length && this.#held[front]?.removed) front += 1;
    const trimmed = this.#held.splice(0, front);
    for (const held of trimmed) held.trimmed = true;
    const last = trimmed.at(-1);
    if (last !== undefined) batch.write('XTRIM', this.stream, 'MINID', '=', after(last.entry));
    const beyond = removed.filter((held) => !held.trimmed).map(({ entry }) => entry);
    if (beyond.length > 0) batch.writeMany('XDEL', this.stream, beyond);
  }

  clear(): void {
    this.#held = [];
  }
}
