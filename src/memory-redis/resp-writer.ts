import { copyBytes, writeDigits, writeLatin1 } from './bytes.js';
import { formatDouble } from './numbers.js';
import {
  BigNumber,
  CommandError,
  Double,
  Frames,
  InProtocol,
  MapReply,
  NullArray,
  Push,
  RawArray,
  type Reply,
  SetReply,
  Status,
  Verbatim,
} from './reply.js';

export type Protocol = 2 | 3;

/** Replies are written into slabs of this size, handed out piece by piece: no copy, and no allocation for each reply. */
const SLAB_BYTES = 64 * 1024;
/** Room for a type mark, a 64-bit number and CRLF. */
const HEADER_BYTES = 32;
/** What one connection is to be sent in one go has grown beyond all measure. */
export class TooMuchOutput extends Error {}

/** Larger slices of streams are passed on as they are; their bytes are never overwritten. */
const PASS_ON_BYTES = 32 * 1024;

/**
 * Turns replies into RESP2 or RESP3. One writer serves all connections in turn: `take` hands out what was written since the last time,
 * as few chunks as possible, and the bytes handed out are never touched again.
 */
export class ReplyWriter {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #from = 0;
  #at = 0;
  #full: Buffer[] = [];
  #fullBytes = 0;

  /** @param mostBytes how many bytes may be written between two calls of `take`; beyond it `write` throws, and what was written has to be thrown away */
  constructor(private readonly mostBytes: () => number) {}

  /** Bytes written since `take` last handed them out. */
  get pending(): number {
    return this.#fullBytes + this.#at - this.#from;
  }

  take(): Buffer[] {
    if (this.#at > this.#from) {
      this.#full.push(this.#slab.subarray(this.#from, this.#at));
      this.#from = this.#at;
    }
    const chunks = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    return chunks;
  }

  write(reply: Reply, protocol: Protocol): void {
    if (typeof reply === 'string') this.#bulk(reply);
    else if (typeof reply === 'number') this.#integer(58, reply);
    else if (reply === null) this.#ascii(protocol === 3 ? '_\r\n' : '$-1\r\n');
    else if (reply instanceof Status) this.#ascii(`+${reply.text}\r\n`);
    else if (reply instanceof RawArray) this.#raw(reply);
    else if (Array.isArray(reply)) this.#all(42, reply.length, reply as readonly Reply[], protocol);
    else this.#rare(reply as Exclude<Reply, readonly Reply[]>, protocol);
  }

  #rare(reply: Exclude<Reply, readonly Reply[]>, protocol: Protocol): void {
    if (reply instanceof CommandError) this.#ascii(`-${reply.message.replace(/[\r\n]/g, ' ')}\r\n`);
    else if (reply instanceof NullArray) this.#ascii(protocol === 3 ? '_\r\n' : '*-1\r\n');
    else if (reply instanceof InProtocol) this.write(reply.reply, reply.protocol);
    else if (reply instanceof Frames) for (const item of reply.items) this.write(item, protocol);
    else if (reply instanceof MapReply)
      this.#all(protocol === 3 ? 37 : 42, protocol === 3 ? reply.flat.length / 2 : reply.flat.length, reply.flat, protocol);
    else if (reply instanceof SetReply) this.#all(protocol === 3 ? 126 : 42, reply.items.length, reply.items, protocol);
    else if (reply instanceof Push) this.#all(protocol === 3 ? 62 : 42, reply.items.length, reply.items, protocol);
    else if (reply instanceof Double) {
      if (protocol === 3) this.#ascii(`,${formatDouble(reply.value)}\r\n`);
      else this.#bulk(formatDouble(reply.value));
    } else if (reply instanceof Verbatim) {
      if (protocol === 3) this.#ascii(`=${reply.text.length + 4}\r\n${reply.format.padEnd(3).slice(0, 3)}:${reply.text}\r\n`);
      else this.#bulk(reply.text);
    } else if (reply instanceof BigNumber) {
      if (protocol === 3) this.#ascii(`(${reply.digits}\r\n`);
      else this.#bulk(reply.digits);
    } else if (typeof reply === 'bigint') this.#ascii(`:${reply}\r\n`);
    else if (typeof reply === 'boolean') this.#ascii(protocol === 3 ? `#${reply ? 't' : 'f'}\r\n` : `:${reply ? 1 : 0}\r\n`);
  }

  #all(mark: number, count: number, items: readonly Reply[], protocol: Protocol): void {
    this.#integer(mark, count);
    for (const item of items) this.write(item, protocol);
  }

  #integer(mark: number, value: number): void {
    this.#reserve(HEADER_BYTES);
    const slab = this.#slab;
    slab[this.#at] = mark;
    const at = value >= 0 ? writeDigits(slab, value, this.#at + 1) : writeLatin1(slab, String(value), this.#at + 1);
    slab[at] = 13;
    slab[at + 1] = 10;
    this.#at = at + 2;
  }

  #bulk(text: string): void {
    this.#reserve(text.length + HEADER_BYTES);
    const slab = this.#slab;
    slab[this.#at] = 36;
    let at = writeDigits(slab, text.length, this.#at + 1);
    slab[at] = 13;
    slab[at + 1] = 10;
    at = writeLatin1(slab, text, at + 2);
    slab[at] = 13;
    slab[at + 1] = 10;
    this.#at = at + 2;
  }

  #raw(reply: RawArray): void {
    this.#integer(42, reply.count);
    for (const { bytes, start, end } of reply.segments) {
      if (end - start >= PASS_ON_BYTES) {
        this.#cut();
        this.#full.push(bytes.subarray(start, end));
        this.#fullBytes += end - start;
        this.#checkSize();
      } else {
        this.#reserve(end - start);
        this.#at = copyBytes(bytes, start, end, this.#slab, this.#at);
      }
    }
  }

  #ascii(text: string): void {
    this.#reserve(text.length);
    this.#at = writeLatin1(this.#slab, text, this.#at);
  }

  /** Makes room for `bytes` more; what does not fit into a slab gets one of its own. */
  #reserve(bytes: number): void {
    if (this.#slab.length - this.#at >= bytes) return;
    this.#cut();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes));
    this.#from = this.#at = 0;
  }

  #checkSize(): void {
    if (this.#fullBytes > this.mostBytes()) throw new TooMuchOutput();
  }

  #cut(): void {
    if (this.#at === this.#from) return;
    this.#full.push(this.#slab.subarray(this.#from, this.#at));
    this.#fullBytes += this.#at - this.#from;
    this.#from = this.#at;
    this.#checkSize();
  }
}
