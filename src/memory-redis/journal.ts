/**
 * The append-only log of writes: what a restart is rebuilt from.
 *
 * 1. Each write is recorded as it was asked for, with the moment it ran at (`#TS:` lines, in milliseconds). Replayed at those moments it
 *    comes out the same: ids made from the clock, expiries, everything; there is no chance in any command.
 * 2. What one transaction or script wrote is recorded between MULTI and EXEC, and is replayed whole or not at all.
 * 3. A log that breaks off in the middle of a record is cut before it; anything else that cannot be read is an error.
 * 4. Records reach the log's own store before the replies to them leave: see `Engine`.
 */
import { Args } from './args.js';
import type { Database } from './database.js';
import { dump } from './dump.js';
import type { LogStore } from './log-store.js';

/** The log is written anew when it is this large and twice as large as the last time. */
const REWRITE_FROM_BYTES = 64 * 1024 * 1024;
const REWRITE_GROWTH = 2;

/** One thing that happened: a command, or all that a transaction did. */
export interface LogRecord {
  readonly at: number;
  readonly commands: readonly { readonly db: number; readonly args: Args }[];
  /** Where it begins and ends in the log. */
  readonly start: number;
  readonly end: number;
}

export class Journal {
  #parts: (Buffer | string)[] = [];
  #at = -1;
  #db = -1;
  #depth = 0;
  #inGroup = false;
  #sizeAtRewrite: number;

  constructor(
    private readonly store: LogStore,
    private readonly databases: readonly Database[],
    private readonly now: () => number,
  ) {
    this.#sizeAtRewrite = store.size;
  }

  record(now: number, db: number, args: Args): void {
    if (this.#depth > 0 && !this.#inGroup) {
      this.#mark(now);
      this.#parts.push('*1\r\n$5\r\nMULTI\r\n');
      this.#inGroup = true;
    } else if (this.#depth === 0) this.#mark(now);
    if (db !== this.#db) {
      this.#db = db;
      this.#parts.push(encodeWords(['SELECT', String(db)]));
    }
    this.#parts.push(encodeArgs(args));
  }

  #mark(now: number): void {
    if (now === this.#at) return;
    this.#at = now;
    this.#parts.push(`#TS:${now}\r\n`);
  }

  /** What is recorded up to `leave` belongs together. */
  enter(): void {
    this.#depth += 1;
  }

  leave(): void {
    this.#depth -= 1;
    if (this.#depth > 0 || !this.#inGroup) return;
    this.#inGroup = false;
    this.#parts.push('*1\r\n$4\r\nEXEC\r\n');
  }

  /** Hands what was recorded to the store. */
  flush(): void {
    if (this.#parts.length === 0) return;
    this.store.append(Buffer.concat(this.#parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))));
    this.#parts = [];
    if (this.store.size > Math.max(REWRITE_FROM_BYTES, this.#sizeAtRewrite * REWRITE_GROWTH)) this.rewrite();
  }

  /** Writes the log anew, as short as the data allows. */
  rewrite(): void {
    this.#parts = [];
    this.store.replace(dump(this.databases, this.now()));
    this.#sizeAtRewrite = this.store.size;
    this.#at = this.#db = -1;
  }
}

/** A log that cannot be read, and not because it breaks off. */
export class DamagedLog extends Error {}

/** Reads a log from the start. What comes after the last whole record is left unread: `end` of that record is where the log should be cut. */
export function* readLog(bytes: Buffer): Generator<LogRecord> {
  let at = 0;
  let db = 0;
  let start = 0;
  let group: { db: number; args: Args }[] | undefined;
  for (let position = 0; position < bytes.length; ) {
    if (bytes[position] === HASH) {
      const line = readLine(bytes, position);
      if (line === undefined) return;
      if (!/^#TS:\d+$/.test(line)) throw new DamagedLog(`cannot read '${line.slice(0, 40)}' at byte ${position}`);
      at = Number(line.slice(4));
      position += line.length + 2;
      continue;
    }
    const args = readCommand(bytes, position);
    if (args === undefined) return;
    const end = (args.ends[args.count - 1] as number) + 2;
    if (group === undefined) start = position;
    position = end;
    if (args.is(0, 'SELECT')) db = args.int(1);
    else if (args.is(0, 'MULTI')) group = [];
    else if (args.is(0, 'EXEC')) {
      yield { at, commands: group ?? [], start, end };
      group = undefined;
    } else if (group !== undefined) group.push({ db, args });
    else yield { at, commands: [{ db, args }], start, end };
  }
}

const HASH = 35;
const STAR = 42;
const DOLLAR = 36;

function readLine(bytes: Buffer, at: number): string | undefined {
  const end = bytes.indexOf('\r\n', at);
  return end < 0 ? undefined : bytes.toString('latin1', at, end);
}

/** One request, or undefined when it breaks off. */
function readCommand(bytes: Buffer, position: number): Args | undefined {
  const args = new Args();
  args.reset(bytes, true);
  const count = readHeader(bytes, position, STAR);
  if (count === undefined) return undefined;
  let at = count.next;
  for (let word = 0; word < count.value; word += 1) {
    const length = readHeader(bytes, at, DOLLAR);
    if (length === undefined || length.next + length.value + 2 > bytes.length) return undefined;
    args.add(length.next, length.next + length.value);
    at = length.next + length.value + 2;
  }
  if (args.count === 0) throw new DamagedLog(`an empty request at byte ${position}`);
  return args;
}

function readHeader(bytes: Buffer, at: number, mark: number): { value: number; next: number } | undefined {
  if (at >= bytes.length) return undefined;
  const line = readLine(bytes, at);
  if (bytes[at] !== mark || (line !== undefined && !/^.\d+$/.test(line)))
    throw new DamagedLog(`expected '${String.fromCharCode(mark)}' and a number at byte ${at}`);
  return line === undefined ? undefined : { value: Number(line.slice(1)), next: at + line.length + 2 };
}

function encodeArgs(args: Args): Buffer {
  if (args.wire && args.count > 0) {
    const head = `*${args.count}\r\n$${args.length(0)}\r\n`;
    const from = args.starts[0] as number;
    return Buffer.concat([Buffer.from(head, 'latin1'), args.source.subarray(from, (args.ends[args.count - 1] as number) + 2)]);
  }
  return encodeWords(args.texts(0));
}

function encodeWords(words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`, 'latin1');
}
