/**
 * The in-process Redis itself: databases, connections and the order of things.
 *
 * 1. One request runs to its end before the next begins.
 * 2. Time is the injected clock's, read once for each request; there is no chance in here at all.
 * 3. After each request, clients blocked on keys that it changed are served, first come first served.
 */
import type { Clock } from '../message/clock.js';
import { Args } from './args.js';
import { type Client, HELD_OVERHEAD_BYTES } from './client-state.js';
import type { CommandSpec, CommandTable } from './command-table.js';
import { allCommands } from './commands/index.js';
import { ConnectionMemory } from './connection-memory.js';
import { Cursors } from './cursors.js';
import { Database, type Shared } from './database.js';
import { FaultRules } from './faults.js';
import type { Journal } from './journal.js';
import type { LogStore } from './log-store.js';
import { Persistence } from './persistence.js';
import { PubSub } from './pubsub.js';
import { asReply, CommandError, OUT_OF_MEMORY, QUEUED, type Reply } from './reply.js';
import { check, effects } from './request-check.js';
import type { ParserLimits } from './resp-parser.js';
import type { ReplyWriter } from './resp-writer.js';
import { Scripts } from './scripts.js';
import type { Session } from './session.js';
import { Settings } from './settings.js';
import { Turns } from './turns.js';
import { serveWaiting } from './waiting.js';

const DATABASES = 16;
/** Expired keys that nobody asks for are removed at most this often, and this many at a time. */
const EXPIRY_INTERVAL_MS = 100;
const EXPIRY_BATCH = 1000;
/** A command is begun below maxmemory; one that copies what is there may end so far above it. */
const MOST_OVER_LIMIT = 1.25;

export interface EngineOptions {
  /** Scripts touch no key that is not among their KEYS. */
  readonly declaredKeysOnly: boolean;
  /** A script that is run so often is compiled to JavaScript, which takes a millisecond or some; counted from 1. */
  readonly compileScriptsFrom: number;
}

export const DEFAULT_OPTIONS: EngineOptions = { declaredKeysOnly: false, compileScriptsFrom: 3 };

export class Engine {
  readonly shared: Shared = { now: 0, usedBytes: 0, dirty: 0, expired: 0, ready: new Map() };
  readonly sessions = new Map<number, Session>();
  /** Connections with a request that CLIENT PAUSE holds back, in the order in which they came. */
  readonly heldBack = new Set<Session>();
  readonly table: CommandTable = allCommands();
  readonly settings = new Settings();
  /** What connections may hold, as the settings say. */
  readonly limits: ParserLimits = this.settings;
  readonly connectionMemory = new ConnectionMemory(this.sessions, this.settings);
  readonly pubsub = new PubSub();
  readonly cursors = new Cursors();
  readonly scripts: Scripts;
  readonly startedAt: number;
  /** How often it was started; names this run in `INFO`. */
  starts = 1;
  commandsRun = 0;
  closed = false;
  /** Crashed, and not restarted yet: no connection is taken. */
  down = false;
  /** Why nothing can be done at all: the log could not be read. */
  failure: CommandError | undefined;
  /** Why nothing can be written: the log cannot. */
  writeFailure: CommandError | undefined;
  /** There when writes are logged, and not while the log is being replayed. */
  journal: Journal | undefined;
  readonly faults = new FaultRules();
  connectionsSeen = 0;
  readonly #databases: Database[];
  readonly #turns = new Turns(
    () => this.#beforeSending(),
    () => this.settings.connectionsLimit,
  );
  readonly #persistence: Persistence | undefined;
  #paused: { readonly until: number; readonly all: boolean } | undefined;
  #nextId = 1;
  #nextExpiry = 0;

  constructor(
    readonly clock: Clock,
    readonly log?: LogStore,
    readonly options: EngineOptions = DEFAULT_OPTIONS,
  ) {
    this.#databases = Array.from({ length: DATABASES }, (_, index) => new Database(index, this.shared));
    this.scripts = new Scripts(this);
    this.startedAt = clock.now();
    this.tick();
    if (log === undefined) return;
    this.#persistence = new Persistence(this, log);
    this.#turns.hold();
    this.#persistence.load((failure) => {
      this.failure = failure;
      this.#turns.release();
    });
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
    this.#turns.schedule(session);
  }

  flushLater(session: Session): void {
    this.#turns.flushLater(session);
  }

  flushNow(session: Session): void {
    this.#beforeSending();
    session.flush();
  }

  writerFor(session: Session): ReplyWriter {
    return this.#turns.writerFor(session);
  }

  collectOutput(session: Session): void {
    this.#turns.collectOutput(session);
  }

  get unsentBytes(): number {
    return this.#turns.unsentBytes;
  }

  /** What was recorded reaches the log before the replies leave. When it cannot, nobody is told that it has. */
  readonly #beforeSending = (): void => {
    if (this.journal === undefined) return;
    try {
      this.journal.flush();
      this.writeFailure = undefined;
    } catch (error) {
      this.writeFailure = new CommandError(
        `MISCONF Errors writing to the AOF file: ${error instanceof Error ? error.message : String(error)}`,
      );
      for (const session of [...this.sessions.values()]) session.destroy();
    }
  };

  forget(session: Session): void {
    this.sessions.delete(session.id);
    this.connectionMemory.forget(session);
    this.heldBack.delete(session);
    this.#turns.forget(session);
    this.pubsub.forget(session);
  }

  /** Ends all connections and takes no new ones. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const session of [...this.sessions.values()]) session.close();
    this.#persistence?.close();
  }

  // Faults

  /** Nothing is read, done or answered until `resume`. */
  pause(): void {
    this.#turns.hold();
  }

  resume(): void {
    this.#turns.release();
  }

  /** Breaks off all connections and takes no new ones. Scripts are forgotten, and the last `lose` writes. */
  crash(lose: number): void {
    if (lose > 0 && this.journal === undefined)
      throw new Error('losing writes needs a log: createMemoryRedis({ log: true }), or an appendOnlyFile');
    this.down = true;
    for (const session of [...this.sessions.values()]) session.destroy();
    this.scripts.flush();
    if (this.journal === undefined) return;
    this.journal.flush();
    this.journal = undefined;
    this.#persistence?.loseTail(lose);
  }

  /** Takes connections again, with the data that the log holds; without a log, with all data. */
  restart(): void {
    if (!this.down) return;
    if (this.#persistence !== undefined) {
      for (const db of this.#databases) db.clear();
      this.#persistence.reload();
      this.tick();
    }
    this.starts += 1;
    this.down = false;
  }

  /** CLIENT PAUSE: until that moment no writes are done, or nothing at all. */
  pauseClients(until: number, all: boolean): void {
    this.#paused = { until: Math.max(until, this.#paused?.until ?? 0), all };
  }

  unpauseClients(): void {
    this.#paused = undefined;
    for (const session of this.heldBack) session.resume();
  }

  /** How long a request has to wait because of CLIENT PAUSE, in milliseconds. */
  pauseLeft(client: Client, spec: CommandSpec | undefined, args: Args): number {
    if (this.#paused === undefined) return 0;
    const left = this.#paused.until - this.now;
    if (left <= 0) this.#paused = undefined;
    if (this.#paused === undefined) return 0;
    const waits = this.#paused.all || (spec !== undefined && effects(this, client, spec, args).mayWrite);
    return waits ? left : 0;
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
      spec = check(this, client, found, args);
    } catch (error) {
      return this.#rejected(client, found, asReply(error));
    }
    client.lastCommand = spec.name;
    client.lastAt = this.now;
    const { transaction } = client;
    if (transaction !== undefined && !spec.immediate) {
      const kept = args.keep();
      const bytes = kept.source.length + HELD_OVERHEAD_BYTES * args.count;
      transaction.queue.push({ spec, args: kept });
      transaction.bytes += bytes;
      client.charge(bytes);
      if (spec.scripts) transaction.scripts = true;
      return QUEUED;
    }
    return this.run(client, spec, args);
  }

  /** A request that was not even begun breaks a transaction; when it was EXEC itself, it ends it. */
  #rejected(client: Client, found: CommandSpec | undefined, error: CommandError): CommandError {
    if (found?.name === 'exec') {
      client.heldBytes -= client.transaction?.bytes ?? 0;
      client.transaction = undefined;
      client.unwatchAll();
      return new CommandError(`EXECABORT Transaction discarded because of: ${error.message.replace(/^ERR /, '')}`);
    }
    if (client.transaction !== undefined) client.transaction.broken = true;
    return error;
  }

  /** Runs a command that may run. */
  run(client: Client, spec: CommandSpec, args: Args): Reply {
    const { dirty } = this.shared;
    let reply: Reply;
    try {
      reply = spec.run(client, args);
    } catch (error) {
      reply = asReply(error);
    }
    if (this.journal !== undefined && spec.write && this.shared.dirty !== dirty) this.journal.record(this.now, client.db.index, args);
    return reply;
  }

  /** Runs something whose writes belong together: the log holds them all or none. */
  atomically<T>(run: () => T): T {
    this.journal?.enter();
    try {
      return run();
    } finally {
      this.journal?.leave();
    }
  }

  /** Throws when something that makes `bytes` more of what is there already would go far beyond maxmemory. */
  checkRoom(bytes: number): void {
    const limit = this.settings.maxMemory;
    if (limit > 0 && this.shared.usedBytes + bytes > limit * MOST_OVER_LIMIT) throw OUT_OF_MEMORY;
  }

  outOfMemory(): boolean {
    const limit = this.settings.maxMemory;
    return limit > 0 && this.shared.usedBytes > limit;
  }

  /** Runs something that may write, for which the log needs other words than were asked for. */
  recording<T>(db: Database, words: () => readonly string[], run: () => T): T {
    const { dirty } = this.shared;
    const result = run();
    if (this.journal !== undefined && this.shared.dirty !== dirty) this.journal.record(this.now, db.index, Args.of(words()));
    return result;
  }

  /** Serves whoever is blocked on what the last request changed. */
  afterCommand(): void {
    if (this.shared.ready.size > 0) serveWaiting(this);
  }
}
