/**
 * A stream: chunks of entries in id order, each chunk one run of bytes in wire form, so that reading a thousand entries is a few copies.
 *
 * 1. A chunk's entries `head` up to `count` are there unless marked dead; before `head` all are gone. `live` counts those that are there.
 * 2. Bytes once written are never overwritten, so replies can point into them. Growing or compacting a chunk makes new bytes.
 * 3. A chunk without a live entry is dropped; one that is mostly dead is written anew: memory goes back as entries go.
 */
import type { Args } from './args.js';
import { copyBytes, writeDigits, writeLatin1, writeLineEnd } from './bytes.js';
import type { ConsumerGroup } from './consumer-group.js';
import type { Int64 } from './numbers.js';
import { RawArray } from './reply.js';
import { Chunk } from './stream-chunk.js';
import { compareIds, formatId, HIGHEST_ID, LOWEST_ID, type StreamId } from './stream-id.js';

/** As many entries as a node of Redis' own streams takes by default (stream-node-max-entries). */
const CHUNK_ENTRIES = 100;
const CHUNK_BYTES = 32 * 1024;
const SMALLEST_CHUNK_BYTES = 512;
/** A chunk is written anew when so few of its entries are left. */
const COMPACT_BELOW = 1 / 4;
const COMPACT_FROM = 8;
/** What one entry costs beside its bytes: its id's two numbers and its offset. */
const ENTRY_OVERHEAD_BYTES = 24;
const CHUNK_OVERHEAD_BYTES = 200;

/** An entry is an array of two, its id a bulk string. */
const ENTRY_HEAD = Buffer.from('*2\r\n$');
const STAR = 42;

export class Stream {
  lastId: StreamId = LOWEST_ID;
  maxDeletedId: StreamId = LOWEST_ID;
  entriesAdded: Int64 = 0;
  /** Made with the first group: most streams have none. */
  groups: Map<string, ConsumerGroup> | undefined;
  length = 0;
  /** Estimated memory, kept as entries come and go. */
  bytes = 0;
  /** How much of `bytes` the database has added to its total. */
  accounted = 0;
  #chunks: Chunk[] = [];

  clone(): Stream {
    const copy = new Stream();
    copy.lastId = this.lastId;
    copy.maxDeletedId = this.maxDeletedId;
    copy.entriesAdded = this.entriesAdded;
    copy.length = this.length;
    copy.bytes = this.bytes;
    copy.groups = this.groups && new Map([...this.groups].map(([name, group]) => [name, group.clone()]));
    copy.#chunks = this.#chunks.map((chunk) => chunk.compacted());
    return copy;
  }

  get firstId(): StreamId {
    const chunk = this.#chunks[0];
    return chunk === undefined ? LOWEST_ID : chunk.id(chunk.head);
  }

  /** The highest id that is there; `lastId` may be higher. */
  get topId(): StreamId {
    const chunk = this.#chunks.at(-1);
    if (chunk === undefined) return LOWEST_ID;
    let index = chunk.count - 1;
    while (!chunk.isLive(index)) index -= 1;
    return chunk.id(index);
  }

  get chunkCount(): number {
    return this.#chunks.length;
  }

  /** Appends the words of `args` from `from` on as field, value, field, value… The id must be above `lastId`. Returns the id as a text. */
  append(id: StreamId, args: Args, from: number): string {
    const words = args.count - from;
    const idText = formatId(id);
    let size = 64;
    const whole = args.wire ? (args.ends[from - 1] as number) + 2 : -1;
    if (whole >= 0) size += (args.ends[args.count - 1] as number) + 2 - whole;
    else for (let index = from; index < args.count; index += 1) size += args.length(index) + 24;
    const chunk = this.#room(size);
    const start = chunk.used;
    const { bytes } = chunk;
    let at = copyBytes(ENTRY_HEAD, 0, ENTRY_HEAD.length, bytes, start);
    at = writeLineEnd(bytes, writeDigits(bytes, idText.length, at));
    at = writeLineEnd(bytes, writeLatin1(bytes, idText, at));
    bytes[at] = STAR;
    at = writeLineEnd(bytes, writeDigits(bytes, words, at + 1));
    if (whole >= 0) at = copyBytes(args.source, whole, (args.ends[args.count - 1] as number) + 2, bytes, at);
    else at = writeWords(bytes, at, args, from);
    chunk.used = at;
    chunk.ms[chunk.count] = id.ms;
    chunk.seq[chunk.count] = id.seq;
    chunk.starts[chunk.count] = start;
    chunk.count += 1;
    chunk.live += 1;
    this.length += 1;
    this.bytes += at - start + ENTRY_OVERHEAD_BYTES;
    this.lastId = id;
    this.entriesAdded = typeof this.entriesAdded === 'number' ? this.entriesAdded + 1 : this.entriesAdded + 1n;
    return idText;
  }

  #room(size: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.count < CHUNK_ENTRIES) {
      if (last.bytes.length - last.used >= size) return last;
      const wanted = Math.max(last.bytes.length * 2, last.used + size);
      if (wanted <= CHUNK_BYTES) {
        const grown = Buffer.allocUnsafeSlow(wanted);
        last.bytes.copy(grown, 0, 0, last.used);
        last.bytes = grown;
        return last;
      }
    }
    const chunk = new Chunk(Math.max(size, Math.min(last?.bytes.length ?? SMALLEST_CHUNK_BYTES, CHUNK_BYTES)));
    this.#chunks.push(chunk);
    this.bytes += CHUNK_OVERHEAD_BYTES;
    return chunk;
  }

  /** The index of the first chunk that may hold an id of at least `id`. */
  #find(id: StreamId): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle] as Chunk;
      if (compareIds(chunk.id(chunk.count - 1), id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The entries from `start` to `end`, both included, at most `count` of them, ready to be sent. */
  range(start: StreamId, end: StreamId, count: number): RawArray {
    const reply = new RawArray();
    if (count <= 0 || compareIds(start, end) > 0) return reply;
    for (let at = this.#find(start); at < this.#chunks.length && reply.count < count; at += 1) {
      const chunk = this.#chunks[at] as Chunk;
      if (compareIds(chunk.id(chunk.head), end) > 0) break;
      let last = chunk.search(end);
      if (last < chunk.count && compareIds(chunk.id(last), end) === 0) last += 1;
      let index = chunk.search(start);
      while (index < last && reply.count < count) {
        // A run of entries that are all there is one slice.
        let to = Math.min(last, index + count - reply.count);
        if (chunk.dead !== undefined && chunk.dead.size > 0) {
          while (index < last && chunk.dead.has(index)) index += 1;
          to = index;
          while (to < last && to - index < count - reply.count && !chunk.dead.has(to)) to += 1;
        }
        if (to > index) reply.add(chunk.bytes, chunk.starts[index] as number, chunk.end(to - 1), to - index);
        index = to;
      }
    }
    return reply;
  }

  /** As `range`, from `end` backwards. */
  reverseRange(start: StreamId, end: StreamId, count: number): RawArray {
    const reply = new RawArray();
    if (count <= 0 || compareIds(start, end) > 0) return reply;
    for (let at = Math.min(this.#find(end), this.#chunks.length - 1); at >= 0 && reply.count < count; at -= 1) {
      const chunk = this.#chunks[at] as Chunk;
      for (let index = chunk.count - 1; index >= chunk.head && reply.count < count; index -= 1) {
        const id = chunk.id(index);
        if (compareIds(id, start) < 0) return reply;
        if (compareIds(id, end) <= 0 && chunk.isLive(index)) reply.add(chunk.bytes, chunk.starts[index] as number, chunk.end(index), 1);
      }
    }
    return reply;
  }

  has(id: StreamId): boolean {
    const chunk = this.#chunks[this.#find(id)];
    if (chunk === undefined) return false;
    const index = chunk.search(id);
    return chunk.isLive(index) && compareIds(chunk.id(index), id) === 0;
  }

  /** One entry, `[id, [field, value, …]]`, or undefined. */
  entry(id: StreamId): RawArray | undefined {
    return single(this.range(id, id, 1));
  }

  get firstEntry(): RawArray | undefined {
    return single(this.range(LOWEST_ID, HIGHEST_ID, 1));
  }

  get lastEntry(): RawArray | undefined {
    return single(this.reverseRange(LOWEST_ID, HIGHEST_ID, 1));
  }

  /** The ids that are there, in order. */
  *ids(start: StreamId = LOWEST_ID): Generator<StreamId> {
    for (let at = this.#find(start); at < this.#chunks.length; at += 1) {
      const chunk = this.#chunks[at] as Chunk;
      for (let index = chunk.search(start); index < chunk.count; index += 1) if (chunk.isLive(index)) yield chunk.id(index);
    }
  }

  delete(id: StreamId): boolean {
    const at = this.#find(id);
    const chunk = this.#chunks[at];
    if (chunk === undefined) return false;
    const index = chunk.search(id);
    if (!chunk.isLive(index) || compareIds(chunk.id(index), id) !== 0) return false;
    this.#forget(chunk, index);
    if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = id;
    if (chunk.live === 0) this.#drop(at, 1);
    else if (chunk.live < chunk.count * COMPACT_BELOW && chunk.count > COMPACT_FROM) this.#chunks[at] = chunk.compacted();
    return true;
  }

  #forget(chunk: Chunk, index: number): void {
    this.bytes -= chunk.end(index) - (chunk.starts[index] as number) + ENTRY_OVERHEAD_BYTES;
    this.length -= 1;
    chunk.kill(index);
  }

  #drop(at: number, count: number): void {
    if (at === 0 && count === 1) this.#chunks.shift();
    else this.#chunks.splice(at, count);
    this.bytes -= CHUNK_OVERHEAD_BYTES * count;
  }

  /**
   * Removes entries from the front while `goes` says so of the first id and the number left. With `whole`, only whole chunks are
   * removed (what `~` allows). Stops after `limit` entries (0: no limit). Returns how many went.
   */
  trim(rule: { maxLength: number } | { minId: StreamId }, whole: boolean, limit: number): number {
    let removed = 0;
    let dropped = 0;
    const minId = 'minId' in rule ? rule.minId : undefined;
    const maxLength = 'maxLength' in rule ? rule.maxLength : 0;
    for (const chunk of this.#chunks) {
      if (minId === undefined ? this.length <= maxLength : compareIds(chunk.id(chunk.head), minId) >= 0) break;
      if (limit > 0 && removed + chunk.live > limit) break;
      const all = minId === undefined ? this.length - chunk.live >= maxLength : compareIds(chunk.id(chunk.count - 1), minId) < 0;
      if (all) {
        removed += chunk.live;
        this.length -= chunk.live;
        this.bytes -= chunk.liveBytes() + chunk.live * ENTRY_OVERHEAD_BYTES;
        dropped += 1;
        continue;
      }
      if (whole) break;
      while (chunk.live > 0 && (minId === undefined ? this.length > maxLength : compareIds(chunk.id(chunk.head), minId) < 0)) {
        this.#forget(chunk, chunk.head);
        removed += 1;
      }
      if (chunk.live > 0) break;
      dropped += 1;
    }
    if (dropped > 0) this.#drop(0, dropped);
    return removed;
  }
}

/** The only element of a range, without the array around it: its own header, `*2`, is written again. */
function single(range: RawArray): RawArray | undefined {
  const segment = range.segments[0];
  if (segment === undefined) return undefined;
  const entry = new RawArray();
  entry.add(segment.bytes, segment.start + 4, segment.end, 2);
  return entry;
}

function writeWords(bytes: Buffer, from: number, args: Args, first: number): number {
  let at = from;
  for (let index = first; index < args.count; index += 1) {
    bytes[at] = 36;
    at = writeDigits(bytes, args.length(index), at + 1);
    at = writeLineEnd(bytes, at);
    at = writeLineEnd(bytes, copyBytes(args.source, args.starts[index] as number, args.ends[index] as number, bytes, at));
  }
  return at;
}
