import type { Int64 } from './numbers.js';
import type { StreamId } from './stream-id.js';

/**
 * A run of entries in id order: their bytes in wire form, their ids, and where each begins.
 * Entries before `head` are gone; of those from `head` up to `count`, the ones in `dead`. `live` counts the others.
 */
export class Chunk {
  bytes: Buffer;
  used = 0;
  count = 0;
  head = 0;
  live = 0;
  dead: Set<number> | undefined;
  readonly ms: Int64[] = [];
  readonly seq: Int64[] = [];
  readonly starts: number[] = [];

  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  end(index: number): number {
    return index + 1 < this.count ? (this.starts[index + 1] as number) : this.used;
  }

  id(index: number): StreamId {
    return { ms: this.ms[index] as Int64, seq: this.seq[index] as Int64 };
  }

  isLive(index: number): boolean {
    return index >= this.head && index < this.count && !(this.dead?.has(index) ?? false);
  }

  liveBytes(): number {
    let size = this.used - (this.starts[this.head] as number);
    if (this.dead !== undefined) for (const index of this.dead) size -= this.end(index) - (this.starts[index] as number);
    return size;
  }

  /** The first index whose id is not below `id`, dead or not. */
  search(id: StreamId): number {
    let low = this.head;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const ms = this.ms[middle] as Int64;
      if (ms < id.ms || (ms === id.ms && (this.seq[middle] as Int64) < id.seq)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  kill(index: number): void {
    this.live -= 1;
    if (index === this.head) {
      this.head += 1;
      while (this.dead?.delete(this.head)) this.head += 1;
    } else {
      this.dead ??= new Set();
      this.dead.add(index);
    }
  }

  /** Its live entries alone, in bytes of their own. */
  compacted(): Chunk {
    const copy = new Chunk(this.live === 0 ? 0 : this.liveBytes());
    for (let index = this.head; index < this.count; index += 1) {
      if (!this.isLive(index)) continue;
      copy.ms.push(this.ms[index] as Int64);
      copy.seq.push(this.seq[index] as Int64);
      copy.starts.push(copy.used);
      copy.used += this.bytes.copy(copy.bytes, copy.used, this.starts[index], this.end(index));
    }
    copy.count = copy.live = copy.ms.length;
    return copy;
  }
}
