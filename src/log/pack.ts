/**
 * Texts and numbers as one MessagePack array: a script's arguments in one piece, which `cmsgpack.unpack` turns back into the table that ARGV
 * would have been. Thousands of arguments cost much more as such, in the client (a piece of protocol each) and in Redis (an object each).
 *
 * K1: what is packed comes out as the same texts: numbers are packed as their digits, as the protocol would carry them.
 */

/** Above this a native call writes a text faster than a loop does. */
const SHORT = 64;
const FIX_ARRAY = 0x90;
const ARRAY_16 = 0xdc;
const ARRAY_32 = 0xdd;
const FIX_TEXT = 0xa0;
const TEXT_8 = 0xd9;
const TEXT_32 = 0xdb;
const FIRST_BYTES = 65_536;
/** A buffer that one large batch made larger than this is not kept for the next. */
const KEPT_BYTES = 1_048_576;

let buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);

function grow(bytes: number): void {
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, buffer.length * 2));
  buffer.copy(larger);
  buffer = larger;
}

/** The end of what it wrote; `at` when the text is not ASCII alone. */
function writeAscii(text: string, at: number): number {
  const { length } = text;
  const bytes = buffer; // read once: the loop would read it anew for each character
  let seen = 0;
  for (let i = 0; i < length; i += 1) {
    const unit = text.charCodeAt(i);
    seen |= unit;
    bytes[at + i] = unit;
  }
  return seen > 0x7f ? at : at + length;
}

function writeText(text: string, at: number): number {
  const { length } = text;
  if (at + length * 3 + 5 > buffer.length) grow(at + length * 3 + 5); // a UTF-16 unit is at most three bytes of UTF-8
  if (length < SHORT) {
    const header = length < 32 ? 1 : 2;
    const end = writeAscii(text, at + header);
    if (end === at + header + length) {
      if (header === 1) buffer[at] = FIX_TEXT | length;
      else {
        buffer[at] = TEXT_8;
        buffer[at + 1] = length;
      }
      return end;
    }
  }
  const written = buffer.write(text, at + 5);
  buffer[at] = TEXT_32;
  buffer.writeUInt32BE(written, at + 1);
  return at + 5 + written;
}

/** One binary argument for all of `values`; a copy of its own. */
export function pack(values: readonly (string | number)[]): Buffer {
  const count = values.length;
  let at: number;
  if (count < 16) {
    buffer[0] = FIX_ARRAY | count;
    at = 1;
  } else if (count < 65_536) {
    buffer[0] = ARRAY_16;
    at = buffer.writeUInt16BE(count, 1);
  } else {
    buffer[0] = ARRAY_32;
    at = buffer.writeUInt32BE(count, 1);
  }
  for (const value of values) at = writeText(typeof value === 'string' ? value : String(value), at);
  const packed = Buffer.from(buffer.subarray(0, at));
  if (buffer.length > KEPT_BYTES) buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  return packed;
}
