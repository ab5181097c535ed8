/** Byte strings: one character a byte. Only documented methods of Buffer are used: Node 24, Bun and Deno have others beneath them (issue 14, B14). */

/** Up to this many characters a loop beats a call out of JavaScript; longer texts may be pieces of others, which are slow to read one by one. */
const SHORT_TEXT = 12;
/** The same for bytes. */
const SHORT_BYTES = 32;

export function readLatin1(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}

/** Writes `text` at `at` and returns where it ends. The caller has made room. Of a longer text than fits, the part that fits is written. */
export function writeLatin1(bytes: Buffer, text: string, at: number): number {
  const { length } = text;
  if (length > SHORT_TEXT) bytes.write(text, at, 'latin1');
  else for (let index = 0; index < length; index += 1) bytes[at + index] = String.prototype.charCodeAt.call(text, index);
  return at + length;
}

/** Copies bytes; a loop for the short, as calls cost more than they do. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const length = end - start;
  if (length > SHORT_BYTES) from.copy(to, at, start, end);
  else for (let index = 0; index < length; index += 1) to[at + index] = from[start + index] as number;
  return at + length;
}

/** Writes the digits of a whole number that is not negative. */
export function writeDigits(bytes: Buffer, value: number, at: number): number {
  if (value < 10) {
    bytes[at] = 48 + value;
    return at + 1;
  }
  if (value < 100) {
    bytes[at] = 48 + Math.trunc(value / 10);
    bytes[at + 1] = 48 + (value % 10);
    return at + 2;
  }
  return writeLatin1(bytes, String(value), at);
}

/** Writes CR and LF. */
export function writeLineEnd(bytes: Buffer, at: number): number {
  bytes[at] = 13;
  bytes[at + 1] = 10;
  return at + 2;
}

/** A text as C prints it into an error: up to its first zero byte. */
export function printed(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** Little-endian, without the checks that Buffer's own methods make. */
export function readUint32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
  );
}

export function writeUint32(bytes: Buffer, value: number, at: number): void {
  bytes[at] = value & 255;
  bytes[at + 1] = (value >>> 8) & 255;
  bytes[at + 2] = (value >>> 16) & 255;
  bytes[at + 3] = value >>> 24;
}

const PIECE_BYTES = 64 * 1024;
const PIECE = Buffer.alloc(PIECE_BYTES);

/**
 * Shows the bytes `from` up to, and without, `to` of a text one piece after another, until `visit` returns true. Looking at each character
 * of a text of hundreds of megabytes takes many times longer. The piece is overwritten by the next one.
 */
export function inPieces(text: string, from: number, to: number, visit: (piece: Buffer, size: number, at: number) => boolean | void): void {
  for (let at = from; at < to; at += PIECE_BYTES) {
    const size = writeLatin1(PIECE, text.slice(at, Math.min(at + PIECE_BYTES, to)), 0);
    if (visit(PIECE, size, at) === true) return;
  }
}
