import type { Command } from 'ioredis';
import type { CommandArgument } from './connection.js';

/** A request as the protocol (RESP2) writes it, in one buffer: ioredis would make a piece of text of each argument, and join them. */

/** Above this a native call writes a text faster than a loop does. */
const SHORT = 32;
const CR = 13;
const LF = 10;
const ZERO = 48;
const DOLLAR = 36;
const ASTERISK = 42;
/** A type, ten digits, and the ends of two lines. */
const FRAME = 15;
/** Requests lie in it one behind the other, and are never written over: each is given away as a piece of it. */
const ROOM_BYTES = 131_072;
/** With less than that left, or where one large request made it larger, the next begins a new one. */
const LEAST_BYTES = 16_384;

let room = Buffer.allocUnsafeSlow(ROOM_BYTES);
let used = 0;

function grow(bytes: number, written: number): void {
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, room.length * 2));
  room.copy(larger, 0, 0, written);
  room = larger;
}

/** `<type><count>\r\n`; returns its end. */
function line(type: number, count: number, at: number): number {
  room[at] = type;
  let end = at + 1;
  if (count < 10) room[end++] = ZERO + count;
  else if (count < 100) {
    const tens = (count / 10) | 0;
    room[end++] = ZERO + tens;
    room[end++] = ZERO + count - 10 * tens;
  } else end += room.write(String(count), end, 'latin1');
  return ended(end);
}

function ended(at: number): number {
  room[at] = CR;
  room[at + 1] = LF;
  return at + 2;
}

function writeText(text: string, at: number): number {
  const { length } = text;
  const most = at + FRAME + length * 3; // a UTF-16 unit is at most three bytes of UTF-8
  if (most > room.length) grow(most, at);
  if (length < SHORT) {
    const from = line(DOLLAR, length, at);
    const bytes = room; // read once: the loop would read it anew for each character
    let seen = 0;
    // Called on the prototype: V8 keeps texts in so many ways that it would look `text.charCodeAt` up anew for each character.
    for (let i = 0; i < length; i += 1) {
      const unit = String.prototype.charCodeAt.call(text, i);
      seen |= unit;
      bytes[from + i] = unit;
    }
    if (seen < 0x80) return ended(from + length);
  }
  // Most texts have a byte for each unit: what that makes of it is only written again where it is not so.
  const from = line(DOLLAR, length, at);
  const written = room.write(text, from);
  if (written === length) return ended(from + written);
  const anew = line(DOLLAR, written, at);
  return ended(anew + room.write(text, anew));
}

function writeBytes(bytes: Buffer, at: number): number {
  const most = at + FRAME + bytes.length;
  if (most > room.length) grow(most, at);
  const from = line(DOLLAR, bytes.length, at);
  return ended(from + bytes.copy(room, from));
}

/** @param parts the arguments, in pieces that need not be put together */
export function encodeRequest(command: string, parts: readonly (readonly CommandArgument[])[]): Buffer {
  if (room.length > ROOM_BYTES || room.length - used < LEAST_BYTES) {
    room = Buffer.allocUnsafeSlow(ROOM_BYTES);
    used = 0;
  }
  const begin = used;
  let count = 1;
  for (const part of parts) count += part.length;
  let at = writeText(command, line(ASTERISK, count, begin));
  for (const part of parts) {
    for (const argument of part) {
      if (typeof argument === 'string') at = writeText(argument, at);
      else if (typeof argument === 'number') at = writeText(String(argument), at);
      else at = writeBytes(argument, at);
    }
  }
  used = at;
  return room.subarray(begin, at);
}

const UTF8 = { replyEncoding: 'utf8' } as const;

export type CommandClass = new (name: string, args: [], options: { replyEncoding: 'utf8' }) => Command;
export type WrittenClass = new (name: string, bytes: Buffer) => Command;

/** ioredis' command (`Base`), whose bytes are there already. */
export function writtenBy(Base: CommandClass): WrittenClass {
  return class Written extends Base {
    constructor(
      name: string,
      private readonly bytes: Buffer,
    ) {
      super(name, [], UTF8);
    }

    override toWritable(): Buffer {
      return this.bytes;
    }
  };
}
