import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A line longer than this is cut where people read it; the hash takes all of it. */
const SHOWN = 2_000;

/** Everything that happened in one run, in its order, and the digest of it: two runs of one seed must come to the same. */
export class History {
  readonly #digest = createHash('sha256');
  readonly #lines: string[] = [];
  #closed = false;

  constructor(private readonly elapsed: () => number) {}

  /** Takes nothing more. */
  close(): void {
    this.#closed = true;
  }

  note(who: string, what: string): void {
    if (this.#closed) return;
    const line = `${this.elapsed()} ${who} ${what}`;
    this.#digest.update(line);
    this.#lines.push(line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line);
  }

  /** Of everything noted so far. */
  get hash(): string {
    return this.#digest.copy().digest('hex');
  }

  get length(): number {
    return this.#lines.length;
  }

  last(count: number): string {
    return this.#lines.slice(-count).join('\n');
  }

  /** Writes it all to a file in the system's folder for temporary files, and says which. */
  save(name: string): string {
    const folder = join(tmpdir(), 'errand-simulation');
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${name}.log`);
    writeFileSync(path, `${this.#lines.join('\n')}\n`);
    return path;
  }
}
