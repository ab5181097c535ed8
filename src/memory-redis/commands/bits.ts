import type { Args } from '../args.js';
import { inPieces } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { CommandError, type Reply, STRING_TOO_LONG, SYNTAX_ERROR } from '../reply.js';

export const BAD_OFFSET = new CommandError('ERR bit offset is not an integer or out of range');
const BAD_BIT = new CommandError('ERR bit is not an integer or out of range');
/** Offsets are below this. */
export const mostBits = (client: Client): number => client.engine.settings.bulkBytes * 8;

/** Throws when a string of so many bytes is too much, for this Redis or for JavaScript. */
export function checkLength(client: Client, bytes: number): void {
  client.engine.checkRoom(bytes);
  if (bytes > client.engine.settings.stringBytes) throw STRING_TOO_LONG;
}

function readOffset(client: Client, args: Args): number {
  const offset = args.int(2, BAD_OFFSET);
  if (offset < 0 || offset >= mostBits(client)) throw BAD_OFFSET;
  return offset;
}

function bitAt(text: string, offset: number): number {
  const byte = Math.floor(offset / 8);
  return byte >= text.length ? 0 : (text.charCodeAt(byte) >> (7 - (offset % 8))) & 1;
}

function setbit(client: Client, args: Args): Reply {
  const offset = readOffset(client, args);
  const bit = args.int(3, BAD_BIT);
  if (bit !== 0 && bit !== 1) throw BAD_BIT;
  const key = args.text(1);
  const at = Math.floor(offset / 8);
  checkLength(client, at + 1);
  const text = (client.db.string(key) ?? '').padEnd(at + 1, '\0');
  const mask = 1 << (7 - (offset % 8));
  const byte = bit === 1 ? text.charCodeAt(at) | mask : text.charCodeAt(at) & ~mask;
  client.db.set(key, text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1), true);
  return bitAt(text, offset);
}

function getbit(client: Client, args: Args): Reply {
  const offset = readOffset(client, args);
  return bitAt(client.db.string(args.text(1)) ?? '', offset);
}

function bitcount(client: Client, args: Args): Reply {
  const text = client.db.string(args.text(1));
  if (text === undefined) return 0;
  if (args.count !== 2 && args.count !== 4 && args.count !== 5) throw SYNTAX_ERROR;
  const [start, end] = args.count > 2 ? [args.int(2), args.int(3)] : [0, -1];
  if (start < 0 && end < 0 && start > end) return 0;
  const bits = args.is(4, 'BIT');
  if (args.count === 5 && !bits && !args.is(4, 'BYTE')) throw SYNTAX_ERROR;
  const length = bits ? text.length * 8 : text.length;
  if (length === 0) return 0;
  const from = Math.max(0, start < 0 ? start + length : start);
  const to = Math.min(length - 1, Math.max(0, end < 0 ? end + length : end));
  if (from > to) return 0;
  return bits ? countBits(text, from, to) : countBits(text, from * 8, to * 8 + 7);
}

/** How many ones each byte has. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/** The ones among bits `from` to `to`, both included. */
function countBits(text: string, from: number, to: number): number {
  let count = 0;
  let at = from;
  for (; at % 8 !== 0 && at <= to; at += 1) count += bitAt(text, at);
  const lastByte = Math.floor((to + 1) / 8);
  inPieces(text, Math.floor(at / 8), lastByte, (piece, size) => {
    for (let index = 0; index < size; index += 1) count += ONES[piece[index] as number] as number;
  });
  for (at = Math.max(at, lastByte * 8); at <= to; at += 1) count += bitAt(text, at);
  return count;
}

export const bitCommands: readonly CommandSpec[] = [
  command('setbit', 4, 'write denyoom', ONE_KEY, setbit),
  command('getbit', 3, 'readonly fast', ONE_KEY, getbit),
  command('bitcount', -2, 'readonly', ONE_KEY, bitcount),
];
