import { CANCELS, clearMark, marksBefore, placeOf, readMarks } from '../log/cancelled.js';
import type { CommitBatch } from '../log/commit.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import type { PartitionId } from '../log/lease.js';
import { ErrandError } from '../message/errors.js';
import { MARK_STALE_MS, MARKS_SWEPT } from '../message/limits.js';
import type { Attempt } from './attempt.js';
import type { Committer, Gathering } from './committer.js';
import type { Held } from './held.js';

/**
 * A partition's commands that must not complete.
 *
 * N1: a mark is consulted before a message starts and when it has finished; and every commit that settles messages states how many changes
 *     of marks its owner knows of. So of *completed* and *cancelled* exactly one happens, whatever the owner had heard of.
 * N2: a commit that was refused for a change nobody had seen is made again if what it settles is not marked, and what it cancels still is;
 *     else the partition is read anew.
 * N3: a mark goes with its message's outcome; one where no message stands is taken away by whoever made it, or when it is old by the owner.
 */
export class Cancellations {
  #count: string;
  #marked = new Set<string>();

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

  /** The message ends as cancelled, and its mark goes with it. */
  clear(gathering: Gathering, cancelled: Pick<Held, 'envelope'>): void {
    gathering.cancel(cancelled);
    this.expect(gathering.batch);
    this.#clear(gathering, cancelled.envelope.id);
  }

  #clear(gathering: Gathering, id: string): void {
    clearMark(gathering.batch, this.keys, this.id, id);
    gathering.after(() => this.#marked.delete(id));
  }

  /** N3. Also forgets the marks that others have taken away. */
  async sweep(committer: Committer, now: number): Promise<void> {
    if (this.#marked.size === 0) return;
    await this.#read();
    const old = await marksBefore(this.link, this.keys, this.id, now - MARK_STALE_MS);
    for (const id of old.slice(0, MARKS_SWEPT)) {
      if ((await placeOf(this.link, this.keys, this.id, id)) === undefined) this.#clear(committer.gather(), id);
    }
  }

  /** N2. Resolves to whether the refused commit may be made again. */
  async again({ batch, settled, cancelled }: Gathering): Promise<boolean> {
    const known = batch.expected(CANCELS);
    if (known === undefined) return false;
    await this.#read();
    if (this.#count === known) return false;
    if (settled.some((held) => this.has(held)) || cancelled.some((held) => !this.has(held))) return false;
    batch.expectAnew(CANCELS, this.#count);
    return true;
  }
}
