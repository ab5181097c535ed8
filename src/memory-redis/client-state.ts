import type { Args } from './args.js';
import type { CommandSpec } from './command-table.js';
import type { Database, Waiter, Watcher } from './database.js';
import type { Engine } from './engine.js';
import type { Reply } from './reply.js';
import type { Protocol } from './resp-writer.js';

/** What it costs to hold one word or name. */
export const HELD_OVERHEAD_BYTES = 100;

/** What has been queued since MULTI. */
export interface Transaction {
  readonly queue: { readonly spec: CommandSpec; readonly args: Args }[];
  /** A request could not be queued: EXEC will refuse. */
  broken: boolean;
  scripts: boolean;
  bytes: number;
}

export interface Blocked extends Waiter {
  readonly command: string;
  /** Ends the wait with this reply. */
  end(reply: Reply): void;
  /** What a time-out answers. */
  readonly onTimeout: Reply;
  cancel(): void;
}

/** Whoever sends commands: a connection, or a script while it runs. Holds what commands need to know and change about it. */
export abstract class Client implements Watcher {
  readonly id: number;
  name = '';
  db: Database;
  protocol: Protocol = 2;
  transaction: Transaction | undefined;
  /** A watched key has changed: EXEC will not run. */
  dirty = false;
  readonly watched = new Map<Database, Set<string>>();
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  blocked: Blocked | undefined;
  /** In a transaction or a script nothing blocks: it answers as if its time were over. */
  mayBlock = true;
  readonly isScript: boolean = false;
  readonly address: string = '127.0.0.1:0';
  /** Which of our own addresses it speaks to. */
  readonly localAddress: string = '127.0.0.1:0';
  lastCommand = '';
  /** When it came, and when it last asked for something. */
  readonly connectedAt: number;
  lastAt: number;

  constructor(readonly engine: Engine) {
    this.id = engine.nextClientId();
    this.db = engine.database(0);
    this.connectedAt = this.lastAt = engine.clock.now();
  }

  /** What it holds beside the data: words queued after MULTI, names watched and listened to. */
  heldBytes = 0;

  /** Adds to what the client holds; a client that holds too much is disconnected. */
  charge(bytes: number): void {
    this.heldBytes += bytes;
  }

  /** Sends something that is no reply to the running command: a published message, a late answer. */
  abstract deliver(reply: Reply): void;
  /** Ends the connection once what is written has been sent. */
  abstract close(): void;

  get subscriptions(): number {
    return this.channels.size + this.patterns.size;
  }

  watch(key: string): void {
    let keys = this.watched.get(this.db);
    if (keys === undefined) this.watched.set(this.db, (keys = new Set()));
    if (keys.has(key)) return;
    keys.add(key);
    this.db.watch(key, this);
    this.charge(key.length + HELD_OVERHEAD_BYTES);
  }

  /** A watched key whose time has come since is gone, though nobody has asked for it. */
  lookAtWatched(): void {
    for (const [db, keys] of this.watched) for (const key of keys) db.get(key);
  }

  unwatchAll(): void {
    this.dirty = false;
    if (this.watched.size === 0) return;
    for (const [db, keys] of this.watched) {
      for (const key of keys) {
        db.unwatch(key, this);
        this.heldBytes -= key.length + HELD_OVERHEAD_BYTES;
      }
    }
    this.watched.clear();
  }
}
