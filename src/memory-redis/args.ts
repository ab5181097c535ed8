import { readLatin1 } from './bytes.js';
import { type Int64, parseFloatStrict, parseInteger } from './numbers.js';
import { CommandError, NOT_A_FLOAT, NOT_AN_INTEGER } from './reply.js';

const EMPTY = Buffer.alloc(0);

/**
 * One request's words, as offsets into the bytes they came in: nothing is copied until a command asks for a word.
 * The parser uses one of these again and again; whoever holds on to a request (MULTI, blocked clients) takes `keep()`.
 */
export class Args {
  source: Buffer = EMPTY;
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  count = 0;
  /** True when the words lie in `source` as RESP bulk strings, one right after the other. */
  wire = false;

  /** The request made of these words. */
  static of(words: readonly string[]): Args {
    const args = new Args();
    args.source = Buffer.from(words.join(''), 'latin1');
    let at = 0;
    for (const word of words) {
      args.add(at, at + word.length);
      at += word.length;
    }
    return args;
  }

  reset(source: Buffer, wire: boolean): void {
    this.source = source;
    this.count = 0;
    this.wire = wire;
  }

  add(start: number, end: number): void {
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count += 1;
  }

  /** Word `index` as a byte string. */
  text(index: number): string {
    return readLatin1(this.source, this.starts[index] as number, this.ends[index] as number);
  }

  /** The words from `from` on. */
  texts(from: number, to = this.count): string[] {
    const words: string[] = [];
    for (let index = from; index < to; index += 1) words.push(this.text(index));
    return words;
  }

  length(index: number): number {
    return (this.ends[index] as number) - (this.starts[index] as number);
  }

  /** Whether word `index` is `word` (given in upper case), in any case. */
  is(index: number, word: string): boolean {
    const start = this.starts[index] as number;
    if (index >= this.count || (this.ends[index] as number) - start !== word.length) return false;
    for (let at = 0; at < word.length; at += 1) {
      let code = this.source[start + at] as number;
      if (code >= 97 && code <= 122) code -= 32;
      if (code !== word.charCodeAt(at)) return false;
    }
    return true;
  }

  upper(index: number): string {
    return this.text(index).toUpperCase();
  }

  /** Word `index` as a signed 64-bit integer; throws Redis' error for anything else. */
  int64(index: number, error: CommandError | string = NOT_AN_INTEGER): Int64 {
    const value = parseInteger(this.text(index));
    if (value === undefined) throw typeof error === 'string' ? new CommandError(error) : error;
    return value;
  }

  /** Word `index` as an integer that a double holds exactly: for counts, positions and times. Larger ones are cut off there. */
  int(index: number, error: CommandError | string = NOT_AN_INTEGER): number {
    const value = this.int64(index, error);
    return typeof value === 'number' ? value : value < 0 ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
  }

  float(index: number, error: CommandError | string = NOT_A_FLOAT): number {
    const value = parseFloatStrict(this.text(index));
    if (value === undefined) throw typeof error === 'string' ? new CommandError(error) : error;
    return value;
  }

  /** A copy with bytes of its own. */
  keep(): Args {
    const kept = new Args();
    const from = this.count === 0 ? 0 : (this.starts[0] as number);
    kept.source = Buffer.from(this.source.subarray(from, this.count === 0 ? 0 : (this.ends[this.count - 1] as number) + 2));
    kept.wire = this.wire;
    for (let index = 0; index < this.count; index += 1)
      kept.add((this.starts[index] as number) - from, (this.ends[index] as number) - from);
    return kept;
  }
}
