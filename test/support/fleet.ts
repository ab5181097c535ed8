import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Signal } from '../../src/index.js';

const PROGRAM = fileURLToPath(new URL('./word-worker.js', import.meta.url));
const READY_WITHIN_MS = 20_000;
const POLL_MS = 20;

/** Resolves once `condition` holds. `ms` is an upper bound, far above what is expected. */
export async function until(what: string, ms: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(POLL_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

export interface WorkerOptions {
  readonly name: string;
  readonly redis: string;
  readonly shards: number;
  readonly lease: `${number}ms`;
}

/** A process that hosts the lists. */
export class Worker {
  readonly #child: ChildProcess;
  readonly ended: Promise<unknown>;
  /** what it has said, oldest first */
  readonly signals: Signal[] = [];
  /** as Redis calls it; empty until it is ready */
  node = '';
  #over = false;
  #stderr = '';

  constructor(options: WorkerOptions) {
    this.#child = fork(PROGRAM, [JSON.stringify(options)], {
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (text) => (this.#stderr += String(text)));
    const killAtExit = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', killAtExit);
    this.ended = once(this.#child, 'exit').then(() => {
      this.#over = true;
      process.off('exit', killAtExit);
    });
    this.#child.on('message', (message) => {
      const said = message as Signal | { kind: 'ready'; node: string };
      if (said.kind === 'ready') this.node = said.node;
      else this.signals.push(said);
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Resolves once it works. */
  async ready(): Promise<this> {
    await until('a worker is ready', READY_WITHIN_MS, () => {
      if (this.#over) throw new Error(`a worker ended by itself: ${this.#stderr}`);
      return this.node !== '';
    });
    return this;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** It stands still, holding all it holds. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }
}
