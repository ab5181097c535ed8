import type { Args } from '../args.js';
import { inPieces, readLatin1 } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { CommandError, type Reply, SYNTAX_ERROR } from '../reply.js';

const ONE_SOURCE = new CommandError('ERR BITOP NOT must be called with a single source key.');
const BAD_BIT = new CommandError('ERR The bit argument must be 1 or 0.');

const OPERATIONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  AND: (a, b) => a & b,
  OR: (a, b) => a | b,
  XOR: (a, b) => a ^ b,
  // Of one text only, which is inverted in the end.
  NOT: (_, b) => b,
};

function bitop(client: Client, args: Args): Reply {
  const { db } = client;
  const name = args.upper(1);
  const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
  if (operation === undefined) throw SYNTAX_ERROR;
  if (name === 'NOT' && args.count !== 4) throw ONE_SOURCE;
  const target = args.text(2);
  const sources = args.texts(3).map((key) => db.string(key) ?? '');
  const length = sources.reduce((longest, { length: bytes }) => Math.max(longest, bytes), 0);
  if (length === 0) {
    db.remove(target);
    return 0;
  }
  client.engine.checkRoom(length);
  db.set(target, combined(sources, length, operation));
  return length;
}

/** What is missing of a shorter source counts as zeros. */
function combined(sources: readonly string[], length: number, operation: (a: number, b: number) => number): string {
  const result = Buffer.alloc(length);
  for (const [index, source] of sources.entries()) {
    inPieces(source, 0, source.length, (piece, size, from) => {
      for (let at = 0; at < size; at += 1) {
        const byte = piece[at] as number;
        result[from + at] = index === 0 ? byte : operation(result[from + at] as number, byte);
      }
    });
    if (index > 0) for (let at = source.length; at < length; at += 1) result[at] = operation(result[at] as number, 0);
  }
  if (operation === OPERATIONS['NOT']) for (let at = 0; at < length; at += 1) result[at] = ~(result[at] as number);
  return readLatin1(result, 0, length);
}

function bitpos(client: Client, args: Args): Reply {
  const bit = args.int(2);
  if (bit !== 0 && bit !== 1) throw BAD_BIT;
  const text = client.db.string(args.text(1));
  if (text === undefined) return bit === 1 ? -1 : 0;
  if (args.count > 6) throw SYNTAX_ERROR;
  const start = args.count > 3 ? args.int(3) : 0;
  const bits = args.count === 6 && args.is(5, 'BIT');
  if (args.count === 6 && !bits && !args.is(5, 'BYTE')) throw SYNTAX_ERROR;
  const endGiven = args.count > 4;
  const end = endGiven ? args.int(4) : -1;
  const length = bits ? text.length * 8 : text.length;
  const from = Math.max(0, start < 0 ? start + length : start);
  const to = Math.min(length - 1, Math.max(0, end < 0 ? end + length : end));
  if (from > to) return -1;
  const [firstBit, lastBit] = bits ? [from, to] : [from * 8, to * 8 + 7];
  const found = findBit(text, bit, firstBit, lastBit);
  if (found !== undefined) return found;
  // Without an end the string is thought to go on with zeros.
  return bit === 0 && !endGiven ? lastBit + 1 : -1;
}

/** The first such bit among bits `from` to `to`, both included. */
function findBit(text: string, bit: number, from: number, to: number): number | undefined {
  const without = bit === 1 ? 0 : 255;
  let found: number | undefined;
  inPieces(text, Math.floor(from / 8), Math.floor(to / 8) + 1, (piece, size, start) => {
    for (let at = 0; at < size; at += 1) {
      const byte = piece[at] as number;
      if (byte === without) continue;
      const first = (start + at) * 8;
      for (let offset = Math.max(0, from - first); offset < 8 && first + offset <= to; offset += 1) {
        if (((byte >> (7 - offset)) & 1) !== bit) continue;
        found = first + offset;
        return true;
      }
    }
    return false;
  });
  return found;
}

export const bitOperationCommands: readonly CommandSpec[] = [
  command('bitop', -4, 'write denyoom', [2, -1, 1], bitop),
  command('bitpos', -3, 'readonly', ONE_KEY, bitpos),
];
