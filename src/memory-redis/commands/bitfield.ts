/** BITFIELD: whole numbers of 1 to 64 bits that lie anywhere in a string, one after another request on the same string. */
import type { Args } from '../args.js';
import { readLatin1, writeLatin1 } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { narrow, parseInteger } from '../numbers.js';
import { CommandError, type Reply, SYNTAX_ERROR } from '../reply.js';
import { BAD_OFFSET, checkLength, mostBits } from './bits.js';

const BAD_TYPE = new CommandError('ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.');
const BAD_OVERFLOW = new CommandError('ERR Invalid OVERFLOW type specified');
const ONLY_GET = new CommandError('ERR BITFIELD_RO only supports the GET subcommand');

type Overflow = 'WRAP' | 'SAT' | 'FAIL';

interface Field {
  readonly signed: boolean;
  readonly bits: number;
  /** Where its first bit lies. */
  readonly offset: number;
}

interface Operation {
  readonly name: 'GET' | 'SET' | 'INCRBY';
  readonly field: Field;
  readonly value: bigint;
  readonly overflow: Overflow;
}

function readField(client: Client, args: Args, at: number): Field {
  const type = /^([iu])(.+)$/s.exec(args.text(at));
  const bits = parseInteger(type?.[2] ?? '');
  const signed = type?.[1] === 'i';
  if (bits === undefined || bits < 1 || bits > (signed ? 64 : 63)) throw BAD_TYPE;
  return { signed, bits: Number(bits), offset: readOffset(client, args.text(at + 1), Number(bits)) };
}

/** `#n` counts in fields of this width. */
function readOffset(client: Client, text: string, bits: number): number {
  const counted = text.startsWith('#');
  const number = parseInteger(counted ? text.slice(1) : text);
  if (number === undefined) throw BAD_OFFSET;
  const offset = Number(BigInt.asIntN(64, BigInt(number) * BigInt(counted ? bits : 1)));
  if (offset < 0 || offset >= mostBits(client)) throw BAD_OFFSET;
  return offset;
}

function readOperations(client: Client, args: Args): Operation[] {
  const operations: Operation[] = [];
  let overflow: Overflow = 'WRAP';
  for (let at = 2; at < args.count; ) {
    const left = args.count - at - 1;
    const name = args.upper(at);
    if (name === 'OVERFLOW' && left >= 1) {
      const word = args.upper(at + 1);
      if (word !== 'WRAP' && word !== 'SAT' && word !== 'FAIL') throw BAD_OVERFLOW;
      overflow = word;
      at += 2;
    } else if (name === 'GET' && left >= 2) {
      operations.push({ name, field: readField(client, args, at + 1), value: 0n, overflow });
      at += 3;
    } else if ((name === 'SET' || name === 'INCRBY') && left >= 3) {
      operations.push({ name, field: readField(client, args, at + 1), value: BigInt(args.int64(at + 3)), overflow });
      at += 4;
    } else throw SYNTAX_ERROR;
  }
  return operations;
}

function lastBit({ offset, bits }: Field): number {
  return offset + bits - 1;
}

/** The field's bits as a number that is not negative. What lies beyond the end of the string is zeros. */
function readBits(byteAt: (at: number) => number, field: Field): bigint {
  const end = Math.floor(lastBit(field) / 8);
  let bits = 0n;
  for (let at = Math.floor(field.offset / 8); at <= end; at += 1) bits = (bits << 8n) | BigInt(byteAt(at));
  return BigInt.asUintN(field.bits, bits >> BigInt(7 - (lastBit(field) % 8)));
}

function writeBits(bytes: Buffer, field: Field, value: bigint): void {
  const behind = BigInt(7 - (lastBit(field) % 8));
  let mask = BigInt.asUintN(field.bits, -1n) << behind;
  let bits = BigInt.asUintN(field.bits, value) << behind;
  for (let at = Math.floor(lastBit(field) / 8); mask > 0n; at -= 1, mask >>= 8n, bits >>= 8n)
    bytes[at] = ((bytes[at] as number) & ~Number(mask & 255n)) | Number(bits & 255n);
}

function numberOf(bits: bigint, field: Field): bigint {
  return field.signed ? BigInt.asIntN(field.bits, bits) : bits;
}

/** What the field becomes, when `value` may not fit: undefined where it must then stay as it is. */
function fitted(value: bigint, { signed, bits }: Field, overflow: Overflow): bigint | undefined {
  const least = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const most = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  if (value >= least && value <= most) return value;
  if (overflow === 'FAIL') return undefined;
  if (overflow === 'SAT') return value < least ? least : most;
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** What SET makes of a number, as C has it: a negative one is very large for an unsigned field, and so is one near the lowest for a narrow signed one. */
function asSet(value: bigint, { signed, bits }: Field): bigint {
  const large = signed ? bits < 64 && value < (1n << BigInt(bits - 1)) - (1n << 63n) : value < 0n;
  return large ? value + (1n << 64n) : value;
}

function get(client: Client, key: string, operations: readonly Operation[]): Reply {
  const text = client.db.string(key) ?? '';
  const byteAt = (at: number): number => (at < text.length ? text.charCodeAt(at) : 0);
  return operations.map(({ field }) => narrow(numberOf(readBits(byteAt, field), field)));
}

function change(client: Client, key: string, operations: readonly Operation[]): Reply {
  const old = client.db.string(key) ?? '';
  const end = Math.max(...operations.map(({ name, field }) => (name === 'GET' ? -1 : lastBit(field))));
  const length = Math.max(old.length, Math.floor(end / 8) + 1);
  checkLength(client, length);
  const bytes = Buffer.alloc(length);
  writeLatin1(bytes, old, 0);
  let changed = length > old.length;
  const byteAt = (at: number): number => bytes[at] ?? 0;
  const replies = operations.map(({ name, field, value, overflow }): Reply => {
    const before = numberOf(readBits(byteAt, field), field);
    if (name === 'GET') return narrow(before);
    const wanted = name === 'INCRBY' ? before + value : asSet(value, field);
    const after = fitted(wanted, field, overflow);
    if (after === undefined) return null;
    writeBits(bytes, field, after);
    changed ||= after !== before;
    return narrow(name === 'SET' ? before : after);
  });
  if (changed) client.db.set(key, readLatin1(bytes, 0, length), true);
  return replies;
}

function bitfield(onlyReads: boolean) {
  return (client: Client, args: Args): Reply => {
    const operations = readOperations(client, args);
    const reads = operations.every(({ name }) => name === 'GET');
    if (!reads && onlyReads) throw ONLY_GET;
    return reads ? get(client, args.text(1), operations) : change(client, args.text(1), operations);
  };
}

export const bitfieldCommands: readonly CommandSpec[] = [
  command('bitfield', -2, 'write denyoom', ONE_KEY, bitfield(false)),
  command('bitfield_ro', -2, 'readonly fast', ONE_KEY, bitfield(true)),
];
