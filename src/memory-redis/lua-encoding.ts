/** The script engine's binary form of replies, both ways: a type, a length or count, what follows. */
import { readLatin1, readUint32, writeLatin1, writeUint32 } from './bytes.js';
import { formatDouble } from './numbers.js';
import { BigNumber, CommandError, Double, MapReply, NullArray, RawArray, type Reply, SetReply, Status, Verbatim } from './reply.js';

const TAG = {
  null: 0,
  integer: 1,
  bulk: 2,
  array: 3,
  status: 4,
  error: 5,
  abort: 6,
  boolean: 7,
  double: 8,
  map: 9,
  set: 10,
  bigNumber: 11,
  verbatim: 12,
} as const;

/** All the memory that the script engine has is twice this. */
const MOST_REPLY_BYTES = 32 * 1024 * 1024;
const LARGEST_INT64 = 2n ** 63n - 1n;
/** Texts for people are all of this kind. */
const VERBATIM_FORMAT = 'txt';

/** Writes replies in the engine's binary form. */
export class ReplyEncoder {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #at = 0;

  begin(): void {
    this.#at = 0;
    if (this.#buffer.length > 8 * 1024 * 1024) this.#buffer = Buffer.allocUnsafeSlow(64 * 1024);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  /** A reply as the script's protocol has it. */
  reply(reply: Reply, protocol: 2 | 3): void {
    if (typeof reply === 'string') this.#text(TAG.bulk, reply);
    else if (typeof reply === 'number' || typeof reply === 'bigint') this.#integer(reply);
    else if (reply === null || reply instanceof NullArray) this.#header(TAG.null, 0);
    else if (reply instanceof Status) this.#text(TAG.status, reply.text);
    else if (reply instanceof CommandError) this.#text(TAG.error, reply.message);
    else if (reply instanceof RawArray) this.#raw(reply, protocol);
    else if (Array.isArray(reply)) this.#all(TAG.array, reply.length, reply as readonly Reply[], protocol);
    else if (protocol === 3) this.#typed(reply as Exclude<Reply, readonly Reply[]>);
    else this.#untyped(reply as Exclude<Reply, readonly Reply[]>);
  }

  #untyped(reply: Exclude<Reply, readonly Reply[]>): void {
    if (typeof reply === 'boolean') this.#integer(reply ? 1 : 0);
    else if (reply instanceof Double) this.#text(TAG.bulk, formatDouble(reply.value));
    else if (reply instanceof Verbatim) this.#text(TAG.bulk, reply.text);
    else if (reply instanceof MapReply) this.#all(TAG.array, reply.flat.length, reply.flat, 2);
    else if (reply instanceof SetReply) this.#all(TAG.array, reply.items.length, reply.items, 2);
    else this.#header(TAG.null, 0);
  }

  #typed(reply: Exclude<Reply, readonly Reply[]>): void {
    if (typeof reply === 'boolean') {
      this.#header(TAG.boolean, 1);
      this.#reserve(1);
      this.#buffer[this.#at++] = reply ? 1 : 0;
    } else if (reply instanceof Double) {
      this.#header(TAG.double, 8);
      this.#reserve(8);
      this.#at = this.#buffer.writeDoubleLE(reply.value, this.#at);
    } else if (reply instanceof Verbatim) {
      this.#header(TAG.verbatim, 4 + VERBATIM_FORMAT.length + reply.text.length);
      this.#reserve(4 + VERBATIM_FORMAT.length + reply.text.length);
      writeUint32(this.#buffer, VERBATIM_FORMAT.length, this.#at);
      this.#at = writeLatin1(this.#buffer, VERBATIM_FORMAT + reply.text, this.#at + 4);
    } else if (reply instanceof MapReply) this.#all(TAG.map, reply.flat.length / 2, reply.flat, 3);
    else if (reply instanceof SetReply) this.#all(TAG.set, reply.items.length, reply.items, 3);
    else this.#header(TAG.null, 0);
  }

  #all(tag: number, count: number, items: readonly Reply[], protocol: 2 | 3): void {
    this.#header(tag, count);
    for (const item of items) this.reply(item, protocol);
  }

  #raw(raw: RawArray, protocol: 2 | 3): void {
    this.#header(TAG.array, raw.count);
    for (const { bytes, start, end } of raw.segments) {
      const reader = new WireReader(bytes);
      reader.at = start;
      while (reader.at < end) this.reply(reader.value() as Reply, protocol);
    }
  }

  #text(tag: number, text: string): void {
    this.#header(tag, text.length);
    this.#reserve(text.length);
    this.#at = writeLatin1(this.#buffer, text, this.#at);
  }

  #integer(value: number | bigint): void {
    this.#header(TAG.integer, 8);
    this.#reserve(8);
    if (typeof value === 'bigint') this.#buffer.writeBigInt64LE(value, this.#at);
    else {
      const high = Math.floor(value / 2 ** 32);
      this.#buffer.writeUInt32LE(value - high * 2 ** 32, this.#at);
      this.#buffer.writeInt32LE(high, this.#at + 4);
    }
    this.#at += 8;
  }

  #header(tag: number, length: number): void {
    this.#reserve(5);
    const at = this.#at;
    this.#buffer[at] = tag;
    writeUint32(this.#buffer, length, at + 1);
    this.#at = at + 5;
  }

  #reserve(bytes: number): void {
    if (this.#buffer.length - this.#at >= bytes) return;
    if (this.#at + bytes > MOST_REPLY_BYTES) throw new CommandError('ERR the reply is too large for a script');
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

/** Reads what a script came to. */
export class ReplyDecoder {
  constructor(
    private readonly memory: Buffer,
    private at: number,
    /** True and false are read as RESP2 has them: 1 and nothing. */
    private readonly plainBooleans: boolean,
  ) {}

  /** The error that ended the script, with the line the engine saw it at; undefined when it ended otherwise. */
  failure(): { readonly message: string; readonly line: number } | undefined {
    if (this.memory[this.at] !== TAG.abort) return undefined;
    const length = readUint32(this.memory, this.at + 1);
    const message = readLatin1(this.memory, this.at + 9, this.at + 5 + length).replace(/\0$/, '');
    return { message, line: readUint32(this.memory, this.at + 5) };
  }

  value(): Reply {
    const { memory } = this;
    const tag = memory[this.at];
    const count = memory.readUInt32LE(this.at + 1);
    this.at += 5;
    switch (tag) {
      case TAG.null:
        return null;
      case TAG.integer: {
        const low = memory.readUInt32LE(this.at);
        const high = memory.readInt32LE(this.at + 4);
        const number = high * 2 ** 32 + low;
        const exact = Number.isSafeInteger(number) ? number : memory.readBigInt64LE(this.at);
        this.at += 8;
        // No Lua number is this integer: it was cut off at it, where C on most machines makes the lowest one of what is too large.
        return exact === LARGEST_INT64 ? -LARGEST_INT64 - 1n : exact;
      }
      case TAG.bulk:
        return this.#text(count);
      case TAG.status:
        // One line, whatever the script made of it: more would be read as further replies.
        return new Status(this.#text(count).replace(/[\r\n]/g, ' '));
      case TAG.error:
        // A leading dash is the error's mark, which scripts may write themselves.
        return new CommandError(this.#text(count).replace(/^(?:ERR )?-/, ''));
      case TAG.array:
        return this.#items(count);
      case TAG.boolean:
        this.at += 1;
        return this.#boolean(memory[this.at - 1] !== 0);
      case TAG.double:
        this.at += 8;
        return new Double(memory.readDoubleLE(this.at - 8));
      case TAG.map:
        return new MapReply(this.#items(count * 2));
      case TAG.set:
        return new SetReply(this.#items(count));
      case TAG.bigNumber:
        return new BigNumber(this.#text(count).replace(/[\r\n]/g, ' '));
      case TAG.verbatim: {
        const length = readUint32(memory, this.at);
        this.at += 4;
        const format = this.#text(length);
        return new Verbatim(this.#text(count - 4 - length), format);
      }
      default:
        this.at += count;
        return null;
    }
  }

  #boolean(value: boolean): Reply {
    if (!this.plainBooleans) return value;
    return value ? 1 : null;
  }

  #items(count: number): Reply[] {
    const items: Reply[] = [];
    for (let index = 0; index < count; index += 1) items.push(this.value());
    return items;
  }

  #text(length: number): string {
    this.at += length;
    return readLatin1(this.memory, this.at - length, this.at);
  }
}

/** Walks a wire-form value: arrays, bulk strings and integers only. `at` ends up behind it. */
export class WireReader {
  at = 0;
  constructor(private readonly bytes: Buffer) {}

  value(): string | unknown[] {
    const mark = this.bytes[this.at];
    const count = this.length();
    if (mark === 42) {
      const items: unknown[] = [];
      for (let index = 0; index < count; index += 1) items.push(this.value());
      return items;
    }
    const text = readLatin1(this.bytes, this.at, this.at + count);
    this.at += count + 2;
    return text;
  }

  /** The number in a header, and past its line. */
  length(): number {
    let at = this.at + 1;
    let value = 0;
    for (let code = this.bytes[at] as number; code !== 13; code = this.bytes[at] as number) {
      value = value * 10 + code - 48;
      at += 1;
    }
    this.at = at + 2;
    return value;
  }
}
