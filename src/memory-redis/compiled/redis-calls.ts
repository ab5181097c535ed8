/** `redis.call` and `redis.pcall` of compiled scripts: words become a request, its reply becomes values. */
import { Args } from '../args.js';
import { writeDigits, writeLatin1, writeLineEnd } from '../bytes.js';
import { WireReader } from '../lua-encoding.js';
import { formatDouble } from '../numbers.js';
import { CommandError, Double, MapReply, NullArray, RawArray, type Reply, SetReply, Status, Verbatim } from '../reply.js';
import type { ScriptHost } from '../script-host.js';
import { LuaTable, type LuaValue, plainText, SLOT_STEPS, spend, spendBytes, TABLE_STEPS, tableOf } from './values.js';

const WORD_OVERHEAD_BYTES = 32;
const FIRST_BYTES = 1024;
/** A buffer that grew beyond this is let go. */
const KEPT_BYTES = 256 * 1024;
/** Requests of more words than this are written anew each time. */
const MOST_WORDS_KEPT = 32;
const DOLLAR = 36;
/** What each request costs a script. */
const CALL_STEPS = 10;
/** So many of its bytes cost another. */
const BYTES_PER_STEP = 8;

/** A command that failed, thrown by `redis.call`; or words that are none. */
export class CallFailed extends Error {
  constructor(
    readonly site: number,
    readonly reply: CommandError,
  ) {
    super(reply.message);
  }
}

const NOT_WORDS = new CommandError('ERR Lua redis lib command arguments must be strings or integers');

/**
 * A request in wire form, and room for the next one of as many words. A script's requests are much alike, above all the entries that it
 * appends: a word that is the same as in the last request, and in the same place, stands there already.
 */
class WrittenRequest {
  readonly args = new Args();
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** the texts that stand there, one behind the other */
  #words: LuaValue[] = [];

  /** Nothing is written there yet. */
  get isFresh(): boolean {
    return this.#words.length === 0;
  }

  /** How long the request is that was written last. */
  get bytes(): number {
    return this.args.ends[this.args.count - 1] ?? 0;
  }

  /** Returns false for what cannot be part of a request. */
  write(words: readonly LuaValue[]): boolean {
    const standing = this.#words;
    const { ends } = this.args;
    let moved = false;
    for (let index = 0; index < words.length; index += 1) {
      const word = words[index];
      if (!moved && word === standing[index] && word !== undefined) continue;
      if (typeof word !== 'string' && typeof word !== 'number') {
        this.forget();
        return false;
      }
      const end = ends[index];
      this.#put(index, plainText(word));
      standing[index] = word === 0 ? undefined : word; // 0 and -0 are equal, but not the same text
      if (ends[index] !== end) moved = true;
    }
    this.args.reset(this.#buffer, true);
    this.args.count = words.length;
    return true;
  }

  /** Nothing is held on to: words may be pieces of much larger texts. */
  forget(): void {
    this.#words.length = 0;
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** Writes a word behind the one before it. */
  #put(index: number, text: string): void {
    const { starts, ends } = this.args;
    const at = index === 0 ? 0 : (ends[index - 1] as number) + 2;
    if (at + text.length + WORD_OVERHEAD_BYTES > this.#buffer.length) this.#grow(at, text.length);
    const buffer = this.#buffer;
    buffer[at] = DOLLAR;
    const start = writeLineEnd(buffer, writeDigits(buffer, text.length, at + 1));
    const end = writeLatin1(buffer, text, start);
    writeLineEnd(buffer, end);
    starts[index] = start;
    ends[index] = end;
  }

  #grow(used: number, more: number): void {
    const grown = Buffer.allocUnsafeSlow((used + more + WORD_OVERHEAD_BYTES) * 2);
    this.#buffer.copy(grown, 0, 0, used);
    this.#buffer = grown;
    this.#words.length = 0; // what stood behind is not there
  }
}

export class RedisCalls {
  /** Who runs the commands of the script that is running. */
  #host: ScriptHost | undefined;
  /** by how many words they have */
  readonly #requests: (WrittenRequest | undefined)[] = [];
  /** those that this script has used */
  readonly #used = new Set<WrittenRequest>();

  /** A script runs, and talks to `host`. */
  begin(host: ScriptHost): void {
    this.#host = host;
  }

  end(): void {
    this.#host = undefined;
    for (const request of this.#used) request.forget();
    this.#used.clear();
  }

  call(site: number, words: readonly LuaValue[], raise: boolean): LuaValue {
    const request = this.#requestOf(words.length);
    const isWritten = request.write(words);
    spend(CALL_STEPS + Math.ceil(request.bytes / BYTES_PER_STEP));
    const reply = isWritten ? (this.#host as ScriptHost).call(request.args) : NOT_WORDS;
    if (raise && reply instanceof CommandError) throw new CallFailed(site, reply);
    return valueOf(reply);
  }

  #requestOf(count: number): WrittenRequest {
    if (count > MOST_WORDS_KEPT) return new WrittenRequest();
    let request = this.#requests[count];
    if (request === undefined) {
      request = new WrittenRequest();
      this.#requests[count] = request;
    }
    if (request.isFresh) this.#used.add(request);
    return request;
  }
}

/** A reply as RESP2 has it, as Lua's values. */
function valueOf(reply: Reply): LuaValue {
  if (typeof reply === 'number') return reply;
  if (typeof reply === 'string') {
    spendBytes(reply.length);
    return reply;
  }
  if (typeof reply === 'bigint') return Number(reply);
  if (reply === null || reply instanceof NullArray) return false;
  if (typeof reply === 'boolean') return reply ? 1 : 0;
  if (reply instanceof Status) return tableOf('ok', reply.text);
  if (reply instanceof CommandError) return tableOf('err', reply.message);
  if (reply instanceof RawArray) return rawTable(reply);
  if (reply instanceof Double) return formatDouble(reply.value);
  if (reply instanceof Verbatim) return reply.text;
  if (reply instanceof MapReply) return list(reply.flat);
  if (reply instanceof SetReply) return list(reply.items);
  return Array.isArray(reply) ? list(reply as readonly Reply[]) : false;
}

function list(items: readonly Reply[]): LuaTable {
  spend(TABLE_STEPS + SLOT_STEPS * items.length);
  return new LuaTable(items.map(valueOf));
}

function rawTable(raw: RawArray): LuaTable {
  spend(TABLE_STEPS + SLOT_STEPS * raw.count);
  const items: LuaValue[] = [];
  for (const { bytes, start, end } of raw.segments) {
    const reader = new WireReader(bytes);
    reader.at = start;
    while (reader.at < end) items.push(valueOf(reader.value() as Reply));
  }
  return new LuaTable(items);
}
