import { invariant } from '../message/errors.js';
import type { Entry } from './entry.js';

/**
 * What XREAD answers, read from its bytes. Most texts of an entry are those of the entry before it (the names of its fields, the type, the
 * sender): they are told by comparing bytes, and not made again. The rest of an entry is decoded at once and cut into pieces.
 */

const ZERO = 48;
const CR = 13;
const MINUS = 45;

/** Where the texts of one entry lie in the bytes, and what they are. */
interface Texts {
  readonly starts: number[];
  readonly ends: number[];
  texts: readonly string[];
}

class StreamReply {
  #at = 0;
  #last: Texts = { starts: [], ends: [], texts: [] };
  #next: Texts = { starts: [], ends: [], texts: [] };

  constructor(private readonly bytes: Buffer) {}

  read(): Map<string, Entry[]> {
    const streams = new Map<string, Entry[]>();
    const count = this.#length();
    for (let i = 0; i < count; i += 1) {
      this.#length(); // of the pair
      const length = this.#length();
      const name = this.bytes.toString('utf8', this.#at, this.#at + length);
      this.#at += length + 2;
      const entries: Entry[] = [];
      for (let left = this.#length(); left > 0; left -= 1) entries.push(this.#entry());
      streams.set(name, entries);
    }
    return streams;
  }

  /** The number of the line at hand, whatever its type; 0 for none. */
  #length(): number {
    const { bytes } = this;
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
    const { bytes } = this;
    const idLength = this.#length();
    const first = this.#at;
    this.#at += idLength + 2;
    const count = this.#length();
    const { starts, ends } = this.#next;
    starts.length = count;
    ends.length = count;
    for (let i = 0; i < count; i += 1) {
      const length = this.#length();
      starts[i] = this.#at;
      this.#at += length;
      ends[i] = this.#at;
      this.#at += 2;
    }
    const whole = bytes.toString('utf8', first, this.#at);
    const ascii = whole.length === this.#at - first; // then a byte is a unit of the text
    const id = ascii ? whole.slice(0, idLength) : bytes.toString('utf8', first, first + idLength);
    const fields = new Array<string>(count);
    for (let i = 0; i < count; i += 1) {
      const start = starts[i] as number;
      const end = ends[i] as number;
      fields[i] = this.#repeats(i, start, end)
        ? (this.#last.texts[i] as string)
        : ascii
          ? whole.slice(start - first, end - first)
          : bytes.toString('utf8', start, end);
    }
    this.#next.texts = fields;
    const last = this.#last;
    this.#last = this.#next;
    this.#next = last;
    return { id, fields };
  }

  /** Is the i-th text that of the entry before? */
  #repeats(i: number, start: number, end: number): boolean {
    const { bytes } = this;
    const before = this.#last.starts[i];
    if (before === undefined || (this.#last.ends[i] as number) - before !== end - start) return false;
    for (let at = start, other = before; at < end; at += 1, other += 1) if (bytes[at] !== bytes[other]) return false;
    return true;
  }
}

/** The entries of each stream, by its name. @param reply a whole reply to XREAD, in RESP2 */
export function readStreamReply(reply: Buffer): Map<string, Entry[]> {
  return new StreamReply(reply).read();
}
