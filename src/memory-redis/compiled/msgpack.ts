/** Reads MessagePack as Redis' `cmsgpack.unpack` does: out of a byte string into Lua's values. */
import { LuaTable, type LuaValue, MOST_VALUES, SLOT_STEPS, spend, TABLE_STEPS } from './values.js';

export class PackFault extends Error {
  constructor(
    message: string,
    /** Whether the message begins with the place of the call. */
    readonly placed = true,
  ) {
    super(message);
  }
}

const MISSING = 'Missing bytes in input.';
const BAD = 'Bad data format in input.';
/** Deeper than this is no MessagePack that anybody makes; JavaScript's stack allows some thousands. */
const MOST_NESTED = 1000;

/** Numbers are read out of their bytes here. */
const scratch = new DataView(new ArrayBuffer(8));

export class Unpacker {
  #at = 0;
  #depth = 0;

  constructor(private readonly bytes: string) {}

  /** All values in the text, one after another. */
  all(): LuaValue[] {
    const values: LuaValue[] = [];
    while (this.#at < this.bytes.length) {
      spend(SLOT_STEPS);
      if (values.length === MOST_VALUES) throw new PackFault(BAD);
      values.push(this.#value());
    }
    return values;
  }

  #value(): LuaValue {
    const { bytes } = this;
    if (this.#at >= bytes.length) throw new PackFault(MISSING);
    const mark = bytes.charCodeAt(this.#at++);
    if (mark < 0x80) return mark;
    if (mark >= 0xe0) return mark - 256;
    if (mark >= 0xa0 && mark < 0xc0) return this.#text(mark & 31);
    if (mark >= 0x90) {
      if (mark < 0xa0) return this.#list(mark & 15);
    } else return this.#map(mark & 15);
    switch (mark) {
      case 0xc0:
        return undefined;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        this.#load(4);
        return scratch.getFloat32(0);
      case 0xcb:
        this.#load(8);
        return scratch.getFloat64(0);
      case 0xcc:
        return this.#unsigned(1);
      case 0xcd:
        return this.#unsigned(2);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        this.#load(8);
        return Number(scratch.getBigUint64(0));
      case 0xd0:
        this.#load(1);
        return scratch.getInt8(0);
      case 0xd1:
        this.#load(2);
        return scratch.getInt16(0);
      case 0xd2:
        this.#load(4);
        return scratch.getInt32(0);
      case 0xd3:
        this.#load(8);
        return Number(scratch.getBigInt64(0));
      case 0xd9:
        return this.#text(this.#unsigned(1));
      case 0xda:
        return this.#text(this.#unsigned(2));
      case 0xdb:
        return this.#text(this.#unsigned(4));
      case 0xdc:
        return this.#list(this.#unsigned(2));
      case 0xdd:
        return this.#list(this.#unsigned(4));
      case 0xde:
        return this.#map(this.#unsigned(2));
      case 0xdf:
        return this.#map(this.#unsigned(4));
      default:
        throw new PackFault(BAD);
    }
  }

  #unsigned(size: number): number {
    const { bytes } = this;
    if (bytes.length - this.#at < size) throw new PackFault(MISSING);
    let value = 0;
    for (let end = this.#at + size; this.#at < end; this.#at += 1) value = value * 256 + bytes.charCodeAt(this.#at);
    return value;
  }

  #load(size: number): void {
    if (this.bytes.length - this.#at < size) throw new PackFault(MISSING);
    for (let index = 0; index < size; index += 1) scratch.setUint8(index, this.bytes.charCodeAt(this.#at++));
  }

  #text(length: number): string {
    if (this.bytes.length - this.#at < length) throw new PackFault(MISSING);
    this.#at += length;
    return this.bytes.substring(this.#at - length, this.#at);
  }

  #list(count: number): LuaTable {
    this.#enter();
    if (count > this.bytes.length - this.#at) throw new PackFault(MISSING); // each takes a byte at least
    spend(SLOT_STEPS * count);
    const items = new Array<LuaValue>(count);
    let filled = 0;
    while (filled < count) {
      const value = this.#value();
      if (value === undefined) break;
      items[filled] = value;
      filled += 1;
    }
    items.length = filled;
    const table = new LuaTable(items);
    // What follows the first nil is not part of the list.
    for (let index = filled + 2; index <= count; index += 1) table.set(index, this.#value());
    this.#depth -= 1;
    return table;
  }

  #map(count: number): LuaTable {
    this.#enter();
    const table = new LuaTable();
    for (let index = 0; index < count; index += 1) {
      const key = this.#value();
      const value = this.#value();
      if (key === undefined || Number.isNaN(key)) throw new PackFault(`table index is ${key === undefined ? 'nil' : 'NaN'}`, false);
      table.set(key, value);
    }
    this.#depth -= 1;
    return table;
  }

  #enter(): void {
    spend(TABLE_STEPS);
    this.#depth += 1;
    if (this.#depth > MOST_NESTED) throw new PackFault(BAD);
  }
}
