import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutsideCall } from './carrier.js';

const LONGEST_KEY = 80; // file names end at 255 bytes on most systems

/** The folder that stands for the outside world: one readable file for each thing that was sent. */
export class Outbox {
  readonly #folder: string;
  #made: Promise<unknown> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes a file named by the order and the idempotency key, so that a repeated delivery overwrites its own file and nobody else's.
   * @returns the file's path
   */
  async put(orderId: number, ending: string, content: string | Uint8Array, { idempotencyKey, signal }: OutsideCall): Promise<string> {
    this.#made ??= mkdir(this.#folder, { recursive: true });
    await this.#made;
    const path = join(this.#folder, `${orderId}-${fileSafe(idempotencyKey)}.${ending}`);
    await writeFile(path, content, { signal });
    return path;
  }
}

/** Ids that errand made are safe as they are; one that somebody else chose may hold anything, and is told apart by its digest. */
function fileSafe(key: string): string {
  if (key.length <= LONGEST_KEY && /^[\w-][\w.-]*$/.test(key)) return key;
  const digest = createHash('sha256').update(key).digest('hex').slice(0, 16);
  return `${key.slice(0, LONGEST_KEY).replace(/[^\w-]/g, '_')}-${digest}`;
}
