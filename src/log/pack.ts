/**
 * Texts and numbers as one MessagePack array: a script's arguments in one piece, which `cmsgpack.unpack` turns into a Lua table. Thousands of
 * arguments cost much more as such, in the client (a piece of protocol each) and in Redis (an object each).
 */

/** Above this a native call writes a text faster than a loop does; up to this its length fits in the byte before it. */
const SHORT = 31;
/** Of a text and its length, that still fits in one byte. */
const TEXT_8_BYTES = 255;
/** Of longer texts the bytes are counted, so that no room is made for three times as many. */
const COUNTED = 4_096;
const ARRAY_32 = 0xdd;
/** The longest header, of an array and of a text. */
const HEADER = 5;
const FIX_TEXT = 0xa0;
const TEXT_8 = 0xd9;
const TEXT_32 = 0xdb;
const INT_32 = 0xd2;
const ROOM_BYTES = 32_768;
/** Room that is kept for the next pack, in pieces of ROOM_BYTES or what they grew to. */
const KEPT_ROOMS = 64;
const KEPT_BYTES = 262_144;

const rooms: Buffer[] = [];

/** Its room is lent from a few that are used again and again, so `take` must be called. */
export class Pack {
  #room = rooms.pop() ?? Buffer.allocUnsafeSlow(ROOM_BYTES);
  #at = HEADER;
  #count = 0;

  /** A text comes out as it is. */
  text(text: string): void {
    const { length } = text;
    this.#count += 1;
    const most = (length < COUNTED ? length * 3 : Buffer.byteLength(text)) + HEADER; // a UTF-16 unit is at most three bytes of UTF-8
    if (this.#at + most > this.#room.length) this.#grow(most);
    const room = this.#room; // read once: the loop would read it anew for each character
    const at = this.#at;
    if (length <= SHORT) {
      let seen = 0;
      // On the prototype: see request.
      for (let i = 0; i < length; i += 1) {
        const unit = String.prototype.charCodeAt.call(text, i);
        seen |= unit;
        room[at + 1 + i] = unit;
      }
      if (seen < 0x80) {
        room[at] = FIX_TEXT | length;
        this.#at = at + 1 + length;
        return;
      }
    }
    if (most <= TEXT_8_BYTES) {
      const written = room.write(text, at + 2);
      room[at] = TEXT_8;
      room[at + 1] = written;
      this.#at = at + 2 + written;
      return;
    }
    const written = room.write(text, at + 5);
    room[at] = TEXT_32;
    room.writeUInt32BE(written, at + 1);
    this.#at = at + 5 + written;
  }

  /** An integer of 32 bits comes out as a Lua number. */
  number(value: number): void {
    this.#count += 1;
    if (this.#at + 5 > this.#room.length) this.#grow(5);
    const room = this.#room;
    if (value >= -32 && value < 128) room[this.#at++] = value;
    else {
      room[this.#at] = INT_32;
      this.#at = room.writeInt32BE(value, this.#at + 1);
    }
  }

  get count(): number {
    return this.#count;
  }

  /** The whole array, in a copy of its own. Nothing can be added afterwards. */
  take(): Buffer {
    const room = this.#room;
    room[0] = ARRAY_32;
    room.writeUInt32BE(this.#count, 1);
    const packed = Buffer.from(room.subarray(0, this.#at));
    if (rooms.length < KEPT_ROOMS && room.length <= KEPT_BYTES) rooms.push(room);
    this.#room = NO_ROOM;
    return packed;
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#at + bytes, this.#room.length * 2));
    this.#room.copy(larger, 0, 0, this.#at);
    this.#room = larger;
  }
}

const NO_ROOM = Buffer.alloc(0);

/** One array of all that two of them hold. */
export function joinedPacks(first: Buffer, second: Buffer): Buffer {
  const whole = Buffer.concat([first, second.subarray(HEADER)]);
  whole.writeUInt32BE(first.readUInt32BE(1) + second.readUInt32BE(1), 1);
  return whole;
}
