import type { Duplex } from 'node:stream';
import { invariant } from '../message/errors.js';
import { CUT_VALUE_BYTES, CUT_VALUES, ENTRY_VALUES } from '../message/limits.js';

/**
 * Takes one reply as the bytes that Redis sent, in front of ioredis' decoder: that makes a Buffer and a text of each of the thousands of
 * texts in a read, which was a quarter of all CPU time. ioredis is given an empty reply in its place, so that its queue, its timers and its
 * handling of errors stay what they are.
 *
 * B1: only on a connection on which nothing else is under way: the next reply is the one that is waited for.
 * B2: whatever is no array goes to ioredis as it came.
 * B3: an entry that is larger than it may be is cut while it arrives: of its first values some bytes are kept. So memory does not grow with
 *     what others write, and a text is never longer than V8 takes (512 MiB).
 */

type Listener = (chunk: Buffer) => void;

/** An entry of which only a part was kept (B3). */
export interface Cut {
  /** where in the reply its list of names and values begins */
  readonly at: number;
  /** how many of these were sent */
  readonly values: number;
  /** how many of them are there, if only their beginnings */
  kept: number;
  /** of all that were sent */
  bytes: number;
}

/** What came of a reply. */
export interface Taken {
  readonly bytes: Buffer;
  /** in their order */
  readonly cuts: readonly Cut[];
  /** of the reply as it was sent */
  readonly size: number;
}

const EMPTY = Buffer.from('*-1\r\n');
const LINE_END = Buffer.from('\r\n');
/** The line before a value of which only the beginning is kept. */
const CUT_VALUE = Buffer.from(`$${CUT_VALUE_BYTES}\r\n`);
const CR = 13;
const MINUS = 45;
const ZERO = 48;
const DOLLAR = 36;
const ASTERISK = 42;

const NO_CUTS: readonly Cut[] = [];
const NOWHERE = -1;
/** Stands for the cut of an entry whose values are only about to come. */
const NO_CUT: Cut = { at: NOWHERE, values: 0, kept: 0, bytes: 0 };

export class ReplyTap {
  readonly #decoder: Listener;
  #waiting = false;
  /** most bytes of an entry's values */
  #limit = 0;
  /** what came of it in earlier chunks, and in this one before a cut; most replies come in one */
  #pieces: Buffer[] | undefined;
  /** bytes in `#pieces` */
  #gathered = 0;
  #cuts: readonly Cut[] = NO_CUTS;
  /** bytes that were not kept */
  #dropped = 0;
  #taken: Taken | undefined;
  /** values of the reply that are still to come */
  #left = 0;
  /** bytes of a value that are still to come, and are kept */
  #keep = 0;
  /** bytes of it behind those, which are not */
  #drop = 0;
  /** the beginning of a line that goes on in the next chunk */
  #partial: Buffer | undefined;
  /** where in what is kept the array begins that was begun last; negative before the first */
  #arrayAt = NOWHERE;
  /** how many values were still to come when it began: its own and those behind it */
  #arrayLeft = 0;
  /** how many its own are */
  #values = 0;
  /** bytes of those that have come */
  #bytes = 0;
  /** the entry that is being cut */
  #cutting: Cut | undefined;
  /** where in its last chunk the reply ends */
  #end = 0;

  /** @param stream of a connected client */
  constructor(stream: Duplex) {
    const [first] = stream.listeners('data'); // ioredis puts its decoder before all others
    invariant(first !== undefined, 'a connected client listens to its connection');
    this.#decoder = first as Listener;
    stream.removeListener('data', this.#decoder);
    stream.prependListener('data', (chunk: Buffer) => this.#take(chunk));
  }

  /**
   * Call just before a command is sent: its reply is kept for `taken`.
   * @param limit most bytes of an entry's values (B3)
   */
  expect(limit: number): void {
    this.#waiting = true;
    this.#limit = limit;
    this.#pieces = undefined;
    this.#gathered = 0;
    this.#cuts = NO_CUTS;
    this.#cutting = undefined;
    this.#dropped = 0;
    this.#taken = undefined;
    this.#left = 1;
    this.#arrayAt = NOWHERE;
    this.#keep = 0;
    this.#drop = 0;
    this.#partial = undefined;
  }

  /** The reply, once ioredis has answered the command; undefined when it was no array. */
  taken(): Taken | undefined {
    const taken = this.#taken;
    this.#taken = undefined;
    return taken;
  }

  #take(arrived: Buffer): void {
    const chunk = this.#partial === undefined ? arrived : Buffer.concat([this.#partial, arrived]);
    this.#partial = undefined;
    const first = this.#pieces === undefined;
    if (this.#waiting && first && chunk[0] !== ASTERISK) this.#waiting = false; // B2
    if (!this.#waiting) return this.#decoder(chunk);
    const from = this.#scan(chunk);
    if (this.#left > 0 || this.#keep > 0 || this.#drop > 0) return;
    const end = this.#end;
    this.#gather(chunk, from, end);
    const pieces = this.#pieces as Buffer[];
    const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, this.#gathered);
    this.#taken = { bytes, cuts: this.#cuts, size: bytes.length + this.#dropped };
    this.#pieces = undefined;
    this.#cuts = NO_CUTS;
    this.#waiting = false;
    this.#decoder(EMPTY);
    if (end < chunk.length) this.#decoder(chunk.subarray(end));
  }

  /** Keeps what lies between two places of a chunk. */
  #gather(chunk: Buffer, from: number, to: number): void {
    this.#pieces ??= [];
    if (from === to) return;
    this.#pieces.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to));
    this.#gathered += to - from;
  }

  #write(bytes: Buffer): void {
    this.#gather(bytes, 0, bytes.length);
  }

  /** Counts off what the chunk holds of the reply. Returns where the last part of it begins that is to be kept, when the reply is whole, up to `#end`. */
  #scan(chunk: Buffer): number {
    let at = 0;
    let from = 0; // all before it is kept or dropped
    for (;;) {
      if (this.#keep > 0) {
        const after = Math.min(at + this.#keep, chunk.length);
        this.#keep -= after - at;
        at = after;
        if (this.#keep > 0) break;
        if (this.#drop > 0) {
          this.#gather(chunk, from, at);
          this.#write(LINE_END);
          from = at;
        }
      }
      if (this.#drop > 0) {
        const after = Math.min(at + this.#drop, chunk.length);
        this.#drop -= after - at;
        this.#dropped += after - at;
        from = at = after;
        if (this.#drop > 0) break;
      }
      at = this.#cutting === undefined ? this.#pass(chunk, at, from) : at;
      if (this.#left === 0 && this.#keep === 0) {
        this.#end = at;
        return from;
      }
      if (this.#keep > 0 || at === chunk.length) break;
      // A line that goes on in the next chunk, a value that is too much for its entry, or whatever comes behind one.
      const end = chunk.indexOf(LINE_END, at);
      if (end < 0) {
        this.#partial = chunk.subarray(at);
        break;
      }
      const count = Number(chunk.toString('latin1', at + 1, end));
      if (chunk[at] === ASTERISK)
        this.#cutting = undefined; // the next entry, which `#pass` begins with
      else if (this.#cut(chunk, from, at, count)) from = at = end + LINE_END.length;
      else at = end + LINE_END.length;
    }
    this.#gather(chunk, from, at);
    return at;
  }

  /** Goes over what is kept as it is. Returns where it ends: with the chunk or the reply, or before what `#scan` has to look at. */
  #pass(chunk: Buffer, begin: number, from: number): number {
    // In variables of its own, written back at the end: the loop runs once for each of thousands of values.
    const before = this.#gathered - from;
    const limit = this.#limit;
    let left = this.#left;
    let bytes = this.#bytes;
    let arrayAt = this.#arrayAt;
    let arrayLeft = this.#arrayLeft;
    let values = this.#values;
    let at = begin;
    while (left > 0) {
      let end = at + 1;
      let count = 0;
      while (end < chunk.length && chunk[end] !== CR) {
        count = count * 10 + (chunk[end] as number) - ZERO;
        end += 1;
      }
      if (end + 1 >= chunk.length) break;
      const type = chunk[at + 1] === MINUS ? 0 : chunk[at]; // none at all has no length
      if (type === DOLLAR) {
        if (bytes + count > limit) break;
        bytes += count;
        left -= 1;
        at = end + 2 + count + 2;
        if (at <= chunk.length) continue;
        this.#keep = at - chunk.length;
        at = chunk.length;
        break;
      }
      left -= 1;
      if (type === ASTERISK) {
        // Entries are asked for by hundreds: so many are the values of one.
        if (count > ENTRY_VALUES && arrayAt !== NOWHERE) this.#cutting = NO_CUT;
        arrayAt = before + at;
        left += count;
        arrayLeft = left;
        values = count;
        bytes = 0;
      }
      at = end + 2;
      if (this.#cutting !== undefined) break;
    }
    this.#left = left;
    this.#bytes = bytes;
    this.#arrayAt = arrayAt;
    this.#arrayLeft = arrayLeft;
    this.#values = values;
    return at;
  }

  /** The next value of an entry that is too large (B3). Returns whether the value's line is dropped, with all before it kept. */
  #cut(chunk: Buffer, from: number, begin: number, count: number): boolean {
    const before = this.#arrayLeft - this.#left;
    this.#left -= 1;
    this.#bytes += count;
    let cut = this.#cutting;
    if (cut === undefined || cut === NO_CUT) {
      cut = { at: this.#arrayAt, values: this.#values, kept: before, bytes: 0 };
      this.#cutting = cut;
      this.#cuts = [...this.#cuts, cut];
    }
    cut.bytes = this.#bytes;
    if (before < CUT_VALUES && count <= CUT_VALUE_BYTES) {
      cut.kept += 1;
      this.#keep = count + 2;
      return false;
    }
    this.#gather(chunk, from, begin);
    if (before < CUT_VALUES) {
      cut.kept += 1;
      this.#write(CUT_VALUE);
      this.#keep = CUT_VALUE_BYTES;
      this.#drop = count - CUT_VALUE_BYTES + 2;
    } else this.#drop = count + 2;
    return true;
  }
}
