import { FIELD_NAMES } from '../message/envelope.js';
import { invariant } from '../message/errors.js';
import type { Entry, Oversize } from './entry.js';
import type { Cut } from './reply-tap.js';

/**
 * What XREAD answers, read from its bytes. Most texts of an entry are those of the entry before it (the names of its fields, the type, the
 * sender): they are told by comparing bytes, and not made again.
 */

const ZERO = 48;
const CR = 13;
const MINUS = 45;

/** As V8 keeps the texts of a program: whoever looks for one of them compares addresses, not characters. */
const KNOWN = new Map(FIELD_NAMES.map((name) => [name, name]));

/** Where the texts of one entry lie in the bytes, and what they are. */
interface Texts {
  readonly starts: number[];
  readonly ends: number[];
  texts: readonly string[];
}

class ReadEntry implements Entry {
  constructor(
    readonly id: string,
    readonly fields: readonly string[],
    readonly oversize: Oversize | undefined,
  ) {}
}

const NOTHING = Buffer.alloc(0);
const NONE: readonly string[] = [];
const NO_CUTS: readonly Cut[] = [];
const NOWHERE = -1;

/** What one reply left must not be compared with, or kept for, the next. */
function forget(texts: Texts): void {
  texts.starts.fill(NOWHERE);
  texts.texts = NONE;
}

/** Reads one reply after the other. */
class StreamReply {
  #at = 0;
  #bytes: Buffer = NOTHING;
  /** entries that were cut, in their order, the next one at `#nextCut` */
  #cuts: readonly Cut[] = [];
  #nextCut = 0;
  /** where it begins */
  #cutAt = NOWHERE;
  #last: Texts = { starts: [], ends: [], texts: [] };
  #next: Texts = { starts: [], ends: [], texts: [] };

  streams(bytes: Buffer, cuts: readonly Cut[]): Map<string, Entry[]> {
    return this.#read(bytes, cuts, () => this.#streams());
  }

  entries(bytes: Buffer, cuts: readonly Cut[]): Entry[] {
    return this.#read(bytes, cuts, () => this.#entries());
  }

  #read<T>(bytes: Buffer, cuts: readonly Cut[], read: () => T): T {
    this.#at = 0;
    this.#bytes = bytes;
    this.#cuts = cuts;
    this.#nextCut = 0;
    this.#cutAt = cuts[0]?.at ?? NOWHERE;
    try {
      return read();
    } finally {
      this.#bytes = NOTHING;
      this.#cuts = NO_CUTS;
      forget(this.#last);
      forget(this.#next);
    }
  }

  #streams(): Map<string, Entry[]> {
    const streams = new Map<string, Entry[]>();
    const count = this.#length();
    for (let i = 0; i < count; i += 1) {
      this.#length(); // of the pair
      const name = this.#text(this.#length());
      streams.set(name, this.#entries());
    }
    return streams;
  }

  #entries(): Entry[] {
    const entries: Entry[] = [];
    for (let left = this.#length(); left > 0; left -= 1) entries.push(this.#entry());
    return entries;
  }

  /** The number of the line at hand, whatever its type; 0 for none. */
  #length(): number {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    let count = 0;
    for (let digit = bytes[at] as number; digit !== CR; digit = bytes[at] as number) {
      invariant(digit !== undefined, 'a reply is whole');
      if (digit === MINUS) count = Number.NEGATIVE_INFINITY;
      count = count * 10 + digit - ZERO;
      at += 1;
    }
    this.#at = at + 2;
    return Math.max(0, count);
  }

  #entry(): Entry {
    this.#length(); // of the pair
    const idLength = this.#length();
    const id = this.#text(idLength);
    const cut = this.#at === this.#cutAt ? this.#takeCut() : undefined;
    const sent = this.#length();
    const count = cut === undefined ? sent : cut.kept;
    const { starts, ends } = this.#next;
    starts.length = count;
    ends.length = count;
    // A copy of the last entry's: most stay as they are, and V8 puts what `new Array` makes straight among its old objects (bench/NOTES.md).
    const { texts } = this.#last;
    const fields = texts.length === count ? texts.slice() : new Array<string>(count);
    for (let i = 0; i < count; i += 1) {
      const length = this.#length();
      const start = this.#at;
      starts[i] = start;
      ends[i] = start + length;
      if (this.#same(this.#last, i, start, length)) {
        fields[i] = texts[i] as string;
        this.#at += length + 2;
      } else if (i > 2 && this.#same(this.#next, i - 2, start, length)) {
        fields[i] = fields[i - 2] as string; // a correlation that is the cause, too
        this.#at += length + 2;
      } else if (i > 2 && this.#same(this.#next, 1, start, length)) {
        fields[i] = fields[1] as string; // the id, once more
        this.#at += length + 2;
      } else if (i % 2 === 0) {
        const name = this.#text(length);
        fields[i] = KNOWN.get(name) ?? name;
      } else fields[i] = this.#text(length);
    }
    this.#next.texts = fields;
    const last = this.#last;
    this.#last = this.#next;
    this.#next = last;
    return new ReadEntry(id, fields, cut && { bytes: cut.bytes, values: cut.values });
  }

  #takeCut(): Cut | undefined {
    const cut = this.#cuts[this.#nextCut];
    this.#nextCut += 1;
    this.#cutAt = this.#cuts[this.#nextCut]?.at ?? NOWHERE;
    return cut;
  }

  /** A text of its own: cut from a larger one it would keep that in memory. */
  #text(length: number): string {
    const start = this.#at;
    this.#at += length + 2;
    return this.#bytes.toString('utf8', start, start + length);
  }

  #same({ starts, ends }: Texts, i: number, start: number, length: number): boolean {
    const bytes = this.#bytes;
    const before = starts[i];
    if (before === undefined || before === NOWHERE || (ends[i] as number) - before !== length) return false;
    for (let at = 0; at < length; at += 1) if (bytes[start + at] !== bytes[before + at]) return false;
    return true;
  }
}

const replies = new StreamReply();

/**
 * The entries of each stream, by its name.
 * @param reply to XREAD, in RESP2
 * @param cuts entries that are not whole in it
 */
export function readStreamReply(reply: Buffer, cuts: readonly Cut[] = NO_CUTS): Map<string, Entry[]> {
  return replies.streams(reply, cuts);
}

/** Likewise of a reply to XRANGE. */
export function readEntriesReply(reply: Buffer, cuts: readonly Cut[] = NO_CUTS): Entry[] {
  return replies.entries(reply, cuts);
}
