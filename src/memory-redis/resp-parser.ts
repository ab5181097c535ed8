/**
 * Reads requests out of a connection's bytes, as they come: whole pipelines in one chunk, or one request in many.
 *
 * 1. Bytes that came in one chunk are read where they lie; only what is incomplete is copied, into a buffer that grows by doubling,
 *    so that a request sent a byte at a time costs no more than its size.
 * 2. Reading goes on where it stopped: no part of a request is read twice.
 * 3. A request's words are valid until the next call of `next` or `feed`.
 */
import { Args } from './args.js';
import { readLatin1 } from './bytes.js';

/** A request that breaks the protocol: answered with this message, then the connection is closed. */
export class ProtocolError extends Error {}

/** Redis' own limit for a line: inline requests, counts and lengths. */
const LONGEST_LINE = 64 * 1024;
const LARGEST_COUNT = 2 ** 31 - 1;

export interface ParserLimits {
  /** Largest bulk string in bytes (proto-max-bulk-len). */
  bulkBytes: number;
}

/** What is kept of each word of a request: where it begins and ends, in arrays that grow ahead. A word itself may be of no bytes at all. */
const WORD_BYTES = 32;
/** Offsets of more words than this are not kept for the next request. */
const MOST_WORDS_KEPT = 10_000;

const CR = 13;
const LF = 10;

export class RequestParser {
  readonly args = new Args();
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  #at = 0;
  #start = 0; // where the request being read begins
  #owned = false; // #bytes is our own growing buffer, not a chunk
  #wordsLeft = -1; // -1: between requests
  #bulk = -1; // length of the bulk string being read; -1: its header is next
  #needed = 0; // how many bytes there must be before going on makes sense

  constructor(private readonly limits: ParserLimits) {}

  /** What the unfinished request takes: its bytes, and where its words lie. */
  get held(): number {
    return this.#end - this.#start + (this.#wordsLeft > 0 ? this.args.count * WORD_BYTES : 0);
  }

  feed(chunk: Buffer): void {
    const held = this.#end - this.#start;
    if (held === 0) {
      this.#bytes = chunk;
      this.#end = chunk.length;
      this.#at = this.#start = 0;
      this.#owned = false;
      return;
    }
    // Invariant: between calls an unfinished request begins at #start, and its words' offsets count from there once it is moved to 0.
    const total = held + chunk.length;
    if (!this.#owned || this.#start > 0 || this.#bytes.length < total) this.#moveToOwn(total);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  #moveToOwn(total: number): void {
    const from = this.#start;
    const fits = this.#owned && this.#bytes.length >= total;
    const target = fits ? this.#bytes : Buffer.allocUnsafeSlow(Math.max(1024, total, Math.min(total * 2, total + 16 * 1024 * 1024)));
    this.#bytes.copy(target, 0, from, this.#end);
    this.#end -= from;
    this.#at -= from;
    this.#start = 0;
    this.#bytes = target;
    this.#owned = true;
    const { args } = this;
    for (let index = 0; index < args.count; index += 1) {
      args.starts[index] = (args.starts[index] as number) - from;
      args.ends[index] = (args.ends[index] as number) - from;
    }
  }

  /** The next complete request, or undefined until more has come. Requests of no words are passed over. */
  next(): Args | undefined {
    if (this.#end - this.#start < this.#needed) return undefined;
    this.#needed = 0;
    for (;;) {
      if (this.#wordsLeft < 0) {
        this.#start = this.#at;
        if (this.#at >= this.#end) return undefined;
        if (this.#bytes[this.#at] !== 42) {
          const inline = this.#readInline();
          if (inline === undefined) return undefined;
          this.#start = this.#at;
          if (inline.count === 0) continue;
          return inline;
        }
        if (this.args.starts.length > MOST_WORDS_KEPT) this.args.starts.length = this.args.ends.length = 0;
        this.args.reset(this.#bytes, true);
        if (!this.#readCount()) return undefined;
      }
      this.args.source = this.#bytes;
      while (this.#wordsLeft > 0) if (!this.#readBulk()) return undefined;
      this.#wordsLeft = -1;
      if (this.args.count > 0) {
        this.#start = this.#at;
        return this.args;
      }
    }
  }

  #readCount(): boolean {
    const line = this.#line('too big mbulk count string');
    if (line < 0) return false;
    const count = this.#integer(this.#at + 1, line);
    if (count === undefined || count > LARGEST_COUNT) throw new ProtocolError('invalid multibulk length');
    this.#at = line + 2;
    this.#wordsLeft = Math.max(0, count);
    return true;
  }

  #readBulk(): boolean {
    if (this.#bulk < 0) {
      if (this.#at >= this.#end) return false;
      const line = this.#line('too big bulk count string');
      if (line < 0) return false;
      const sign = this.#bytes[this.#at] as number;
      if (sign !== 36) throw new ProtocolError(`expected '$', got '${String.fromCharCode(sign)}'`);
      const length = this.#integer(this.#at + 1, line);
      if (length === undefined || length < 0 || length > this.limits.bulkBytes) throw new ProtocolError('invalid bulk length');
      this.#at = line + 2;
      this.#bulk = length;
    }
    if (this.#end - this.#at < this.#bulk + 2) {
      this.#needed = this.#at - this.#start + this.#bulk + 2;
      return false;
    }
    this.args.add(this.#at, this.#at + this.#bulk);
    this.#at += this.#bulk + 2;
    this.#bulk = -1;
    this.#wordsLeft -= 1;
    return true;
  }

  /** Where the CR of the line that begins at #at lies, or -1 when its end has not come yet. */
  #line(tooLong: string): number {
    const { length } = this.#bytes;
    const limit = Math.min(this.#end, this.#at + 32);
    for (let at = this.#at; at < limit; at += 1) if (this.#bytes[at] === CR) return at + 1 < this.#end ? at : -1;
    const found = this.#bytes.indexOf(CR, this.#at);
    if (found >= 0 && found < this.#end && found < length) {
      if (found - this.#at > LONGEST_LINE) throw new ProtocolError(tooLong);
      return found + 1 < this.#end ? found : -1;
    }
    if (this.#end - this.#at > LONGEST_LINE) throw new ProtocolError(tooLong);
    return -1;
  }

  #integer(from: number, to: number): number | undefined {
    const negative = this.#bytes[from] === 45;
    const first = negative ? from + 1 : from;
    const digits = to - first;
    if (digits <= 0 || digits > 15 || (digits > 1 && this.#bytes[first] === 48) || (negative && this.#bytes[first] === 48))
      return undefined;
    let value = 0;
    for (let at = first; at < to; at += 1) {
      const digit = (this.#bytes[at] as number) - 48;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    return negative ? -value : value;
  }

  #readInline(): Args | undefined {
    const found = this.#bytes.indexOf(LF, this.#at);
    if (found < 0 || found >= this.#end) {
      if (this.#end - this.#at > LONGEST_LINE) throw new ProtocolError('too big inline request');
      return undefined;
    }
    const last = found > this.#at && this.#bytes[found - 1] === CR ? found - 1 : found;
    const words = splitLine(readLatin1(this.#bytes, this.#at, last));
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request');
    this.#at = found + 1;
    return Args.of(words);
  }
}

/** Redis' sdssplitargs: words, "double quotes" with escapes, 'single quotes'. Undefined when quotes are not closed. */
export function splitLine(line: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  const space = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);
  for (;;) {
    while (at < line.length && space(line.charCodeAt(at))) at += 1;
    if (at >= line.length || line.charCodeAt(at) === 0) return words;
    let word = '';
    let quote = '';
    for (;;) {
      const char = line[at];
      if (quote === '"') {
        if (char === undefined) return undefined;
        if (char === '\\' && /^x[0-9a-f]{2}/i.test(line.slice(at + 1, at + 4))) {
          word += String.fromCharCode(Number.parseInt(line.slice(at + 2, at + 4), 16));
          at += 3;
        } else if (char === '\\' && at + 1 < line.length) {
          at += 1;
          const escaped = line[at] as string;
          word += { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }[escaped] ?? escaped;
        } else if (char === '"') {
          if (at + 1 < line.length && !space(line.charCodeAt(at + 1))) return undefined;
          at += 1;
          break;
        } else word += char;
      } else if (quote === "'") {
        if (char === undefined) return undefined;
        if (char === '\\' && line[at + 1] === "'") {
          at += 1;
          word += "'";
        } else if (char === "'") {
          if (at + 1 < line.length && !space(line.charCodeAt(at + 1))) return undefined;
          at += 1;
          break;
        } else word += char;
      } else if (char === undefined || space(char.charCodeAt(0)) || char === '\0') break;
      else if (char === '"' || char === "'") quote = char;
      else word += char;
      at += 1;
    }
    words.push(word);
  }
}
