/**
 * The in-process Redis itself: databases, connections and the order of things.
 *
 * 1. Work is done in turns of the event loop (setImmediate), never inside the call that brought it in: whoever sends
 *    commands in an endless row of awaits still lets timers and sockets have theirs.
 * 2. Connections are worked on in the order in which they had something to say; one request runs to its end before the next begins.
 * 3. Time is the injected clock's, read once for each request; there is no chance in here at all.
 * 4. After each request, clients blocked on keys that it changed are served, first come first served.
 */
import type { Clock, Timer } from '../message/clock.js';
import type { Args } from './args.js';
import { printed } from './bytes.js';
import type { Client } from './client-state.js';
import { arityFits, type CommandSpec, type CommandTable } from './command-table.js';
import { allCommands } from './commands/index.js';
import { Cursors } from './cursors.js';
import { Database, type Shared } from './database.js';
import { PubSub } from './pubsub.js';
import { CommandError, NO_REPLY, OUT_OF_MEMORY, QUEUED, type Reply, wrongArity } from './reply.js';
import type { ParserLimits } from './resp-parser.js';
import { ReplyWriter } from './resp-writer.js';
import { Scripts } from './scripts.js';
import type { Session } from './session.js';
import { Settings } from './settings.js';

const DATABASES = 16;
/** Expired keys that nobody asks for are removed at most this often, and this many at a time. */
const EXPIRY_INTERVAL_MS = 100;
const EXPIRY_BATCH = 1000;

export class Engine {
  readonly shared: Shared = { now: 0, usedBytes: 0, dirty: 0, expired: 0, ready: new Map() };
  readonly sessions = new Map<number, Session>();
  readonly table: CommandTable = allCommands();
  readonly settings = new Settings();
  readonly limits: ParserLimits = { bulkBytes: 512 * 1024 * 1024 };
  readonly pubsub = new PubSub();
  readonly cursors = new Cursors();
  readonly scripts: Scripts;
  readonly startedAt: number;
  commandsRun = 0;
  closed = false;
  connectionsSeen = 0;
  readonly #databases: Database[];
  readonly #writer = new ReplyWriter();
  #writing: Session | undefined;
  #queue = new Set<Session>();
  #toFlush = new Set<Session>();
  #drainPlanned = false;
  #nextId = 1;
  #nextExpiry = 0;

  constructor(readonly clock: Clock) {
    this.#databases = Array.from({ length: DATABASES }, (_, index) => new Database(index, this.shared));
    this.scripts = new Scripts(this);
    this.startedAt = clock.now();
    this.tick();
  }

  get now(): number {
    return this.shared.now;
  }

  database(index: number): Database {
    return this.#databases[index] as Database;
  }

  get databases(): readonly Database[] {
    return this.#databases;
  }

  nextClientId(): number {
    return this.#nextId++;
  }

  /** Reads the clock for the request that begins. */
  tick(): void {
    this.shared.now = Math.floor(this.clock.now());
    if (this.shared.now >= this.#nextExpiry) this.#expireDue();
  }

  #expireDue(): void {
    this.#nextExpiry = this.shared.now + EXPIRY_INTERVAL_MS;
    for (const db of this.#databases) if (db.expiring > 0) db.expireDue(EXPIRY_BATCH);
  }

  // Connections

  schedule(session: Session): void {
    this.#queue.add(session);
    this.#plan();
  }

  flushLater(session: Session): void {
    this.#toFlush.add(session);
    this.#plan();
  }

  #plan(): void {
    if (this.#drainPlanned) return;
    this.#drainPlanned = true;
    setImmediate(this.#drain);
  }

  readonly #drain = (): void => {
    const queue = this.#queue;
    this.#queue = new Set();
    for (const session of queue) {
      session.process();
      this.#toFlush.add(session);
    }
    // Cleared before flushing: what a reply sets off in this very process plans the next turn.
    this.#drainPlanned = false;
    const toFlush = this.#toFlush;
    this.#toFlush = new Set();
    for (const session of toFlush) session.flush();
    if (this.#queue.size > 0 || this.#toFlush.size > 0) this.#plan();
  };

  /** The writer, ready for this connection: what another one has written so far is put aside for it first. */
  writerFor(session: Session): ReplyWriter {
    if (this.#writing !== session) {
      this.#writing?.collect(this.#writer.take());
      this.#writing = session;
    }
    return this.#writer;
  }

  collectOutput(session: Session): void {
    if (this.#writing !== session) return;
    session.collect(this.#writer.take());
    this.#writing = undefined;
  }

  forget(session: Session): void {
    this.sessions.delete(session.id);
    this.#queue.delete(session);
    this.#toFlush.delete(session);
    this.pubsub.forget(session);
  }

  /** Ends all connections and takes no new ones. */
  close(): void {
    this.closed = true;
    for (const session of [...this.sessions.values()]) session.close();
  }

  // Requests

  needsScripts(client: Client, spec: CommandSpec): boolean {
    if (this.scripts.ready) return false;
    return client.transaction === undefined ? spec.scripts : spec.name === 'exec' && client.transaction.scripts;
  }

  loadScripts(): Promise<void> {
    return this.scripts.load();
  }

  /** Runs one request of a connection, or queues it after MULTI. */
  execute(client: Client, found: CommandSpec | undefined, args: Args): Reply {
    this.commandsRun += 1;
    let spec: CommandSpec;
    try {
      spec = this.#check(client, found, args);
    } catch (error) {
      return this.#rejected(client, found, asReply(error));
    }
    client.lastCommand = spec.name;
    const { transaction } = client;
    if (transaction !== undefined && !spec.flags.has('no_multi')) {
      transaction.queue.push({ spec, args: args.keep() });
      if (spec.scripts) transaction.scripts = true;
      return QUEUED;
    }
    return this.run(client, spec, args);
  }

  /** A request that was not even begun breaks a transaction; when it was EXEC itself, it ends it. */
  #rejected(client: Client, found: CommandSpec | undefined, error: CommandError): CommandError {
    if (found?.name === 'exec') {
      client.transaction = undefined;
      client.unwatchAll();
      return new CommandError(`EXECABORT Transaction discarded because of: ${error.message.replace(/^ERR /, '')}`);
    }
    if (client.transaction !== undefined) client.transaction.broken = true;
    return error;
  }

  /** Runs a command that may run. */
  run(client: Client, spec: CommandSpec, args: Args): Reply {
    try {
      return spec.run(client, args);
    } catch (error) {
      return asReply(error);
    }
  }

  #check(client: Client, found: CommandSpec | undefined, args: Args): CommandSpec {
    const spec = this.resolve(found, args);
    if (spec.denyOom && this.outOfMemory()) throw OUT_OF_MEMORY;
    if (spec.name === 'exec' && client.transaction?.queue.some((queued) => queued.spec.denyOom) && this.outOfMemory()) throw OUT_OF_MEMORY;
    if (client.protocol === 2 && client.subscriptions > 0 && !ALLOWED_WHILE_SUBSCRIBED.has(spec.name)) {
      throw new CommandError(
        `ERR Can't execute '${spec.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      );
    }
    return spec;
  }

  /** The command, or its subcommand, that these words name; throws when there is none or their number is wrong. */
  resolve(found: CommandSpec | undefined, args: Args): CommandSpec {
    if (found === undefined) throw unknownCommand(args);
    let spec = found;
    if (spec.subcommands !== undefined && args.count > 1) {
      const sub = spec.subcommands.get(args.upper(1));
      if (sub === undefined) {
        throw new CommandError(`ERR unknown subcommand '${printed(args.text(1)).slice(0, 128)}'. Try ${spec.name.toUpperCase()} HELP.`);
      }
      spec = sub;
    }
    if (!arityFits(spec, args.count)) throw wrongArity(spec.name);
    return spec;
  }

  outOfMemory(): boolean {
    const limit = this.settings.maxMemory;
    return limit > 0 && this.shared.usedBytes > limit;
  }

  /** Serves whoever is blocked on what the last request changed. */
  afterCommand(): void {
    const { ready } = this.shared;
    while (ready.size > 0) {
      const changed = [...ready];
      ready.clear();
      for (const [db, keys] of changed) {
        for (const key of keys) for (const waiter of [...(db.waiters.get(key) ?? [])]) waiter.serve(key);
      }
    }
  }

  /**
   * Blocks the client until `attempt` has a reply for one of the keys, or `timeout` milliseconds are over (0: for ever).
   * `attempt` has been tried by the caller, in vain.
   */
  block(client: Client, request: BlockRequest): Reply {
    if (!client.mayBlock) return request.denied === undefined ? request.onTimeout : request.denied;
    const { db } = client;
    const keys = [...new Set(request.keys)];
    let timer: Timer | undefined;
    const cancel = (): void => {
      for (const key of keys) db.stopWaiting(key, blocked);
      timer?.cancel();
      client.blocked = undefined;
    };
    const end = (reply: Reply): void => {
      cancel();
      client.deliver(reply);
      if (this.sessions.has(client.id)) this.schedule(client as Session);
    };
    const blocked = {
      command: request.command,
      onTimeout: request.onTimeout,
      cancel,
      end,
      serve: (key: string): boolean => {
        let reply: Reply | undefined;
        try {
          reply = request.attempt(key);
        } catch (error) {
          reply = asReply(error);
        }
        if (reply === undefined) return false;
        end(reply);
        return true;
      },
    };
    for (const key of keys) db.wait(key, blocked);
    if (request.timeout > 0) timer = this.clock.after(request.timeout, () => end(request.onTimeout));
    client.blocked = blocked;
    return NO_REPLY;
  }
}

export interface BlockRequest {
  readonly command: string;
  readonly keys: readonly string[];
  readonly timeout: number;
  readonly onTimeout: Reply;
  /** What is answered where nothing may block, when it is not the same. */
  readonly denied?: Reply;
  attempt(key: string): Reply | undefined;
}

const ALLOWED_WHILE_SUBSCRIBED = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
]);

/** What a command threw, as its reply; anything that is not a command's own error is a fault of this program, and says so. */
export function asReply(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  return new CommandError(
    `ERR internal error of the in-process Redis: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
}

/** Redis shows at most this much of an unknown command's arguments. */
const SHOWN_BYTES = 128;

function unknownCommand(args: Args): CommandError {
  let shown = '';
  for (let index = 1; index < args.count && shown.length < SHOWN_BYTES; index += 1)
    shown += `'${printed(args.text(index)).slice(0, SHOWN_BYTES - shown.length)}' `;
  return new CommandError(`ERR unknown command '${printed(args.text(0)).slice(0, SHOWN_BYTES)}', with args beginning with: ${shown}`);
}
