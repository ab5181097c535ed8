import { CANCELS, clearMark, readMarks } from '../log/cancelled.js';
import type { CommitBatch } from '../log/commit.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import type { PartitionId } from '../log/lease.js';
import { ErrandError } from '../message/errors.js';
import type { Attempt } from './attempt.js';
import type { Gathering } from './committer.js';
import type { Held } from './held.js';

/**
 * A partition's commands that must not complete.
 *
 * N1: a mark is consulted before a message starts and when it has finished; and every commit that settles messages states how many marks
 *     its owner knows of. So of *completed* and *cancelled* exactly one happens, whatever the owner had heard of.
 * N2: a commit that was refused for a mark nobody had seen is made again if what it settles is not marked; else the partition is read anew.
 */
export class Cancellations {
  #count: string;
  #marked: ReadonlySet<string> = new Set();

  /** @param fields of the partition's hash, as it was acquired */
  constructor(
    private readonly keys: Keys,
    private readonly id: PartitionId,
    private readonly link: Link,
    fields: ReadonlyMap<string, string>,
  ) {
    this.#count = fields.get(CANCELS) ?? '';
  }

  async load(): Promise<void> {
    if (this.#count !== '') await this.#read();
  }

  async #read(): Promise<void> {
    const { count, ids } = await readMarks(this.link, this.keys, this.id);
    this.#count = count;
    this.#marked = new Set(ids);
  }

  has({ envelope }: Pick<Held, 'envelope'>): boolean {
    return this.#marked.size > 0 && envelope.kind === 'command' && this.#marked.has(envelope.id);
  }

  /** Somebody has marked a message: what runs is told to stop, and waited for no longer. */
  async refresh(running: Iterable<Attempt>): Promise<void> {
    await this.#read();
    for (const attempt of running) {
      const { id, kind } = attempt.envelope;
      if (kind === 'command' && this.#marked.has(id)) attempt.abandon(new ErrandError('CANCELLED', `${id} was cancelled`));
    }
  }

  /** N1 */
  expect(batch: CommitBatch): void {
    batch.expect(CANCELS, this.#count);
  }

  clear({ batch }: Gathering, { envelope }: Pick<Held, 'envelope'>): void {
    clearMark(batch, this.keys, this.id, envelope.id);
  }

  /** N2. Resolves to whether the refused commit may be made again. */
  async again({ batch, settled }: Gathering): Promise<boolean> {
    const known = batch.expected(CANCELS);
    if (known === undefined) return false;
    await this.#read();
    if (this.#count === known || settled.some((held) => this.has(held))) return false;
    batch.expectAnew(CANCELS, this.#count);
    return true;
  }
}
