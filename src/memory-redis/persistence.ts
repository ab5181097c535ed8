import type { Engine } from './engine.js';
import { InternalClient } from './internal-client.js';
import { Journal, type LogRecord, readLog } from './journal.js';
import type { LogStore } from './log-store.js';
import { CommandError } from './reply.js';
import { resolve } from './request-check.js';

/** How many records are replayed before others get a turn of the event loop. */
const RECORDS_A_TURN = 5000;

/** Keeps the log of writes, and rebuilds the data from it. */
export class Persistence {
  readonly #replayer: InternalClient;

  constructor(
    private readonly engine: Engine,
    private readonly store: LogStore,
  ) {
    this.#replayer = new InternalClient(engine);
  }

  /** Replays the log, a piece in each turn. `done` is called when the data is there, or with the reason why it is not. */
  load(done: (failure?: CommandError) => void): void {
    let records: Iterator<LogRecord> | undefined;
    let end = 0;
    const step = (): void => {
      // A virtual clock is told that work is going on.
      this.engine.clock.now();
      try {
        records ??= readLog(this.store.read());
        for (let count = 0; count < RECORDS_A_TURN; count += 1) {
          const next = records.next();
          if (next.done) {
            this.#loaded(end);
            return done();
          }
          this.#replay(next.value);
          end = next.value.end;
        }
      } catch (error) {
        return done(new CommandError(`ERR the append-only file cannot be read: ${error instanceof Error ? error.message : String(error)}`));
      }
      setImmediate(step);
    };
    setImmediate(step);
  }

  /** Replays the whole log at once, into empty databases. */
  reload(): void {
    let end = 0;
    for (const record of readLog(this.store.read())) {
      this.#replay(record);
      end = record.end;
    }
    this.#loaded(end);
  }

  #loaded(end: number): void {
    if (end < this.store.size) this.store.truncate(end);
    const { engine } = this;
    engine.journal = new Journal(this.store, engine.databases, () => engine.now);
  }

  #replay({ at, commands }: LogRecord): void {
    const { engine } = this;
    engine.shared.now = at;
    for (const { db, args } of commands) {
      this.#replayer.db = engine.database(db);
      const spec = resolve(engine.table.find(args), args);
      engine.run(this.#replayer, spec, args);
    }
  }

  /** Forgets the last `count` records, as when they had not reached the disk. */
  loseTail(count: number): void {
    if (count === 0) return;
    const starts = [...readLog(this.store.read())].slice(-count).map((record) => record.start);
    if (starts[0] !== undefined) this.store.truncate(starts[0]);
  }

  close(): void {
    this.engine.journal?.flush();
    this.engine.journal = undefined;
    this.store.close();
  }
}
