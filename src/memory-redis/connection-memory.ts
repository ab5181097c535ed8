/**
 * What connections hold beside the data: requests that are not complete, queues after MULTI, names watched, listened to and waited for,
 * replies not taken yet. A hostile client may fill all of them.
 *
 * 1. `total` is the sum of what was last counted of each connection; `count` is called whenever a connection's share may have grown.
 * 2. A connection beyond its own limit has to go. When all together are beyond theirs, the one that holds most goes, as Redis does
 *    with maxmemory-clients: whoever is near the limit by little must not pay for it.
 */
import type { Session } from './session.js';
import type { Settings } from './settings.js';

export class ConnectionMemory {
  #total = 0;

  constructor(
    private readonly sessions: ReadonlyMap<number, Session>,
    private readonly settings: Settings,
  ) {}

  count(session: Session): void {
    if (session.closed) return;
    const { held } = session;
    this.#total += held - session.countedBytes;
    session.countedBytes = held;
    if (session.heldOfRequests > this.settings.queryBufferLimit) session.destroy();
    while (this.#total > this.settings.connectionsLimit && this.sessions.size > 0) this.#largest().destroy();
  }

  /** The connection is gone, and all that it held. */
  forget(session: Session): void {
    this.#total -= session.countedBytes;
    session.countedBytes = 0;
  }

  #largest(): Session {
    let largest: Session | undefined;
    for (const session of this.sessions.values()) if (session.countedBytes >= (largest?.countedBytes ?? 0)) largest = session;
    return largest as Session;
  }
}
