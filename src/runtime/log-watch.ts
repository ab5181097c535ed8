import { AppendOnlyFile, type Ask, type FileReport } from '../log/append-only-file.js';
import type { Clock } from '../message/clock.js';
import type { Logger } from './logger.js';
import type { SignalBody, Signals } from './signals.js';

/** Tells what becomes of Redis' append-only file after a restart: to the log at once, as a signal once somebody can have subscribed. */
export class LogWatch {
  readonly #file: AppendOnlyFile;
  #early: SignalBody[] | undefined = [];

  constructor(
    private readonly clock: Clock,
    private readonly signals: Signals,
    private readonly logger: Logger,
    private readonly node: string,
  ) {
    this.#file = new AppendOnlyFile(clock, (report) => this.#tell(report));
  }

  /** Greets a new connection: nobody may use it before. @throws RedisError when Redis does not answer */
  greet(ask: Ask): Promise<void> {
    return this.#file.greet(ask);
  }

  /** The system is about to be handed to whoever started it. */
  started(): void {
    this.clock.after(0, () => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const body of early) this.signals.emit(body);
    });
  }

  #tell(report: FileReport): void {
    const { node, logger } = this;
    if (report.kind === 'rewriting')
      return logger.info({ node }, 'Redis has restarted: work waits until it has rewritten its append-only file');
    if (report.kind === 'rewritten') {
      const { took } = report;
      logger.info({ node, took }, 'Redis has rewritten its append-only file');
      return this.#signal({ kind: 'log-rewritten', took });
    }
    const { code, message } = report;
    logger.warn({ node, code }, message);
    this.#signal({ kind: 'log-not-rewritten', code, message });
  }

  #signal(body: SignalBody): void {
    if (this.#early === undefined) this.signals.emit(body);
    else this.#early.push(body);
  }
}
