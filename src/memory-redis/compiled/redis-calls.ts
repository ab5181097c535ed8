/** `redis.call` and `redis.pcall` of compiled scripts: words become a request, its reply becomes values. */
import { Args } from '../args.js';
import { writeDigits, writeLatin1, writeLineEnd } from '../bytes.js';
import { WireReader } from '../lua-encoding.js';
import { formatDouble } from '../numbers.js';
import { CommandError, Double, MapReply, NullArray, RawArray, type Reply, SetReply, Status, Verbatim } from '../reply.js';
import type { ScriptHost } from '../script-host.js';
import { LuaTable, type LuaValue, plainText, spend, tableOf } from './values.js';

const WORD_OVERHEAD_BYTES = 32;
/** A buffer that grew beyond this for one request is let go. */
const KEPT_BYTES = 1024 * 1024;
const FIRST_BYTES = 64 * 1024;
const DOLLAR = 36;
/** What each request costs a script. */
const CALL_STEPS = 10;

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

export class RedisCalls {
  /** Who runs the commands of the script that is running. */
  host: ScriptHost | undefined;
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  readonly #args = new Args();

  call(site: number, words: readonly LuaValue[], raise: boolean): LuaValue {
    spend(CALL_STEPS);
    const reply = this.#write(words) ? (this.host as ScriptHost).call(this.#args) : NOT_WORDS;
    if (raise && reply instanceof CommandError) throw new CallFailed(site, reply);
    return valueOf(reply);
  }

  /** Writes the request in wire form. */
  #write(words: readonly LuaValue[]): boolean {
    const args = this.#args;
    let size = 0;
    for (const word of words) size += WORD_OVERHEAD_BYTES + (typeof word === 'string' ? word.length : 0);
    if (size > this.#buffer.length || this.#buffer.length > KEPT_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(size, FIRST_BYTES));
    }
    const buffer = this.#buffer;
    args.reset(buffer, true);
    let at = 0;
    for (const word of words) {
      if (typeof word !== 'string' && typeof word !== 'number') return false;
      const text = plainText(word);
      buffer[at] = DOLLAR;
      const start = writeLineEnd(buffer, writeDigits(buffer, text.length, at + 1));
      const end = writeLatin1(buffer, text, start);
      args.add(start, end);
      at = writeLineEnd(buffer, end);
    }
    return true;
  }
}

/** A reply as RESP2 has it, as Lua's values. */
function valueOf(reply: Reply): LuaValue {
  if (typeof reply === 'string' || typeof reply === 'number') return reply;
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
  return new LuaTable(items.map(valueOf));
}

function rawTable(raw: RawArray): LuaTable {
  const items: LuaValue[] = [];
  for (const { bytes, start, end } of raw.segments) {
    const reader = new WireReader(bytes);
    reader.at = start;
    while (reader.at < end) items.push(valueOf(reader.value() as Reply));
  }
  return new LuaTable(items);
}
