import { CANCELS, clearMark, countOfMarks, marksBefore, placeOf, readMarks, unmark } from '../log/cancelled.js';
import type { CommitBatch } from '../log/commit.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import type { PartitionId } from '../log/lease.js';
import { ErrandError } from '../message/errors.js';
import { MARK_STALE_MS, MARKS_SWEPT } from '../message/limits.js';
import type { Attempt } from './attempt.js';
import type { Gathering, Moved } from './committer.js';
import type { Held } from './held.js';

/**
 * A partition's commands that must not complete.
 *
 * N1: a mark is looked at when a message comes into memory, before it starts and when it has finished; and when the owner learns of a new mark,
 *     the marked message that has not begun ends at once.
 * N2: every commit that settles a command, or moves one to where it rests (an aside list, the schedule), states how many changes of marks its
 *     owner knows of. So of *completed* and *cancelled* exactly one happens, whatever the owner had heard of; and no message comes to rest
 *     after it was marked, so that whoever marked it finds it.
 * N3: a commit that was refused for a change nobody had seen is made again if what it settles is not marked, and what it cancels still is; what
 *     it moves and is marked ends as cancelled in that same commit. Else the partition is read anew.
 * N4: a mark goes with its message's outcome; one where no message stands is taken away by whoever made it, or when it is old by the owner.
 */
export class Cancellations {
  #count: string;
  #marked = new Set<string>();

  /**
   * @param fields of the partition's hash, as it was acquired
   * @param onMarked there are marks that may be new
   */
  constructor(
    private readonly keys: Keys,
    private readonly id: PartitionId,
    private readonly link: Link,
    fields: ReadonlyMap<string, string>,
    private readonly onMarked: () => void,
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
    if (ids.length > 0) this.onMarked();
  }

  has({ envelope }: Pick<Held, 'envelope'>): boolean {
    return this.#marked.size > 0 && envelope.kind === 'command' && this.#marked.has(envelope.id);
  }

  /** Somebody has marked a message: what runs is told to stop, and waited for no longer. */
  async refresh(running: Iterable<Attempt>): Promise<void> {
    if ((await countOfMarks(this.link, this.keys, this.id)) !== this.#count) await this.#read();
    for (const attempt of running) {
      const { id, kind } = attempt.envelope;
      if (kind === 'command' && this.#marked.has(id)) attempt.abandon(new ErrandError('CANCELLED', `${id} was cancelled`));
    }
  }

  /** N2 */
  expect(batch: CommitBatch): void {
    batch.expect(CANCELS, this.#count);
  }

  /** N2, N3. @param takeBack adds to the same commit what takes the message out of its new place; undefined: nothing can */
  moves(gathering: Gathering, held: Held, takeBack?: (gathering: Gathering) => void): void {
    if (held.envelope.kind !== 'command') return;
    gathering.move({ held, takeBack: takeBack === undefined ? undefined : () => takeBack(gathering) });
    this.expect(gathering.batch);
  }

  /** The message ends as cancelled, and its mark goes with it. */
  clear(gathering: Gathering, cancelled: Pick<Held, 'envelope'>): void {
    const { id } = cancelled.envelope;
    gathering.cancel(cancelled);
    this.expect(gathering.batch);
    clearMark(gathering.batch, this.keys, this.id, id);
    gathering.after(() => this.#marked.delete(id));
  }

  /** N4. Also forgets the marks that others have taken away. */
  async sweep(now: number): Promise<void> {
    const { link, keys, id: partition } = this;
    if (this.#marked.size === 0 && (await countOfMarks(link, keys, partition)) === this.#count) return;
    await this.#read();
    const old = await marksBefore(link, keys, partition, now - MARK_STALE_MS);
    let gone = 0;
    for (const { id, mark } of old.slice(0, MARKS_SWEPT)) {
      if ((await placeOf(link, keys, partition, id)) !== undefined) continue;
      await unmark(link, keys, partition.shard, [partition.type], { id, wish: mark });
      gone += 1;
    }
    if (gone > 0) await this.#read();
  }

  /** N3. Resolves to whether the refused commit may be made again. */
  async again({ batch, settled, moved, cancelled }: Gathering): Promise<boolean> {
    const known = batch.expected(CANCELS);
    if (known === undefined) return false;
    await this.#read();
    if (this.#count === known) return false;
    if (settled.some((held) => this.has(held)) || cancelled.some((held) => !this.has(held))) return false;
    const marked = moved.filter(({ held }) => this.has(held) && !cancelled.includes(held));
    if (!this.#takeBack(batch, marked)) return false;
    batch.expectAnew(CANCELS, this.#count);
    return true;
  }

  /** False: that cannot be done in the same commit. */
  #takeBack(batch: CommitBatch, marked: readonly Moved[]): boolean {
    if (marked.length === 0) return true;
    if (marked.some(({ takeBack }) => takeBack === undefined)) return false;
    batch.amend();
    for (const { takeBack } of marked) takeBack?.();
    return true;
  }
}
