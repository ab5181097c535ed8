import type { Duplex } from 'node:stream';
import { invariant } from '../message/errors.js';

/**
 * Takes one reply as the bytes that Redis sent, in front of ioredis' decoder: that makes a Buffer and a text of each of the thousands of
 * texts in a read, which was a quarter of all CPU time. ioredis is given an empty reply in its place, so that its queue, its timers and its
 * handling of errors stay what they are.
 *
 * B1: only on a connection on which nothing else is under way: the next reply is the one that is waited for.
 * B2: whatever is no array goes to ioredis as it came.
 */

type Listener = (chunk: Buffer) => void;

const EMPTY = Buffer.from('*-1\r\n');
const CR = 13;
const MINUS = 45;
const ZERO = 48;
const DOLLAR = 36;
const ASTERISK = 42;

export class ReplyTap {
  readonly #decoder: Listener;
  #waiting = false;
  /** what came of it in earlier chunks; most replies come in one */
  #chunks: Buffer[] | undefined;
  #bytes: Buffer | undefined;
  /** values of the reply that are still to come */
  #left = 0;
  /** bytes of a text that are still to come */
  #skip = 0;
  /** the beginning of a line that goes on in the next chunk */
  #cut: Buffer | undefined;

  /** @param stream of a connected client */
  constructor(stream: Duplex) {
    const [first] = stream.listeners('data'); // ioredis puts its decoder before all others
    invariant(first !== undefined, 'a connected client listens to its connection');
    this.#decoder = first as Listener;
    stream.removeListener('data', this.#decoder);
    stream.prependListener('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Call just before a command is sent: its reply is kept for `taken`. */
  expect(): void {
    this.#waiting = true;
    this.#chunks = undefined;
    this.#bytes = undefined;
    this.#left = 1;
    this.#skip = 0;
    this.#cut = undefined;
  }

  /** The reply, once ioredis has answered the command; undefined when it was no array. */
  taken(): Buffer | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes;
  }

  #take(arrived: Buffer): void {
    const chunk = this.#cut === undefined ? arrived : Buffer.concat([this.#cut, arrived]);
    this.#cut = undefined;
    if (this.#waiting && this.#chunks === undefined && chunk[0] !== ASTERISK) this.#waiting = false; // B2
    if (!this.#waiting) return this.#decoder(chunk);
    const end = this.#scan(chunk);
    const piece = end === chunk.length ? chunk : chunk.subarray(0, end);
    if (this.#left > 0 || this.#skip > 0) {
      this.#chunks ??= [];
      this.#chunks.push(piece);
      if (end < chunk.length) this.#cut = chunk.subarray(end);
      return;
    }
    this.#bytes = this.#chunks === undefined ? piece : Buffer.concat([...this.#chunks, piece]);
    this.#chunks = undefined;
    this.#waiting = false;
    this.#decoder(EMPTY);
    if (end < chunk.length) this.#decoder(chunk.subarray(end));
  }

  /** Counts off what the chunk holds of the reply; returns where the reply, or what is whole of it, ends. */
  #scan(chunk: Buffer): number {
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    while (this.#left > 0 && this.#skip === 0) {
      let end = at + 1;
      let count = 0;
      while (end < chunk.length && chunk[end] !== CR) {
        count = count * 10 + (chunk[end] as number) - ZERO;
        end += 1;
      }
      if (end + 1 >= chunk.length) return at;
      const type = chunk[at + 1] === MINUS ? 0 : chunk[at]; // none at all has no length
      at = end + 2;
      this.#left -= 1;
      if (type === ASTERISK) this.#left += count;
      else if (type === DOLLAR) {
        const after = at + count + 2;
        at = Math.min(after, chunk.length);
        this.#skip = after - at;
      }
    }
    return at;
  }
}
