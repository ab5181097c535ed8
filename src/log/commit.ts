import { invariant } from '../message/errors.js';
import { SCRIPT_PIECE } from '../message/limits.js';
import type { Argument, Link } from './connection.js';
import { refusal } from './redis-error.js';
import { type Given, joined, ScriptArguments, ScriptKeys } from './script-arguments.js';
import { runScript } from './scripts.js';

/**
 * `unheard`: committed, but the Redis user may not publish. `fenced`: the partition has another owner, nothing was written. `changed`: a
 * condition did not hold, nothing was written.
 */
export type CommitReply = 'committed' | 'unheard' | 'fenced' | 'changed';

/** Commands that a commit may hold, each with the type of its key and its turn: Redis undoes nothing, so what takes something away comes last. */
const COMMANDS: Readonly<Record<string, readonly [type: string, turn: 'add' | 'set' | 'take']>> = {
  XADD: ['stream', 'add'], // of an amended batch: see `append`
  RPUSH: ['list', 'add'],
  HSET: ['hash', 'add'],
  ZADD: ['zset', 'add'],
  SET: ['', 'set'],
  DEL: ['', 'set'],
  LPOP: ['list', 'take'],
  LSET: ['list', 'take'],
  LREM: ['list', 'take'],
  HDEL: ['hash', 'take'],
  ZREM: ['zset', 'take'],
  XDEL: ['stream', 'take'],
  XTRIM: ['stream', 'take'],
};

/** One write that is no entry of a stream. */
interface Write {
  readonly command: string;
  /** in KEYS */
  readonly index: number;
  readonly values: readonly Argument[];
}

/**
 * The writes of one commit, gathered. KEYS and ARGV of lua/commit.lua are laid out here and nowhere else.
 *
 * B1: writes are applied in this order: entries of streams; what is added to lists, hashes and sorted sets; outcomes and states; what is
 *     taken away. So a commit of which Redis keeps only the beginning has taken nothing away that is not there in another form.
 * B2: within one list, and for one member of a hash or sorted set, the writes mean what they would in the order in which they were gathered:
 *     a list is added to at its end and taken from at its head, and of several writes for one member only the last is made.
 */
export class CommitBatch {
  readonly #keys: ScriptKeys;
  /** each field and what is expected of it: seldom more than one */
  readonly #conditions: string[] = [];
  #writes = new ScriptArguments();
  /** what was laid out before the batch was refused, and amended */
  #before: Given | undefined;
  /** of #writes, how many tell of entries */
  #entries = 0;
  /** the other writes stand in #writes, behind the entries */
  #laid = false;
  #added: Write[] = NONE;
  #set: Write[] = NONE;
  #taken: Write[] = NONE;
  /** where in #added or #taken the write for a member of a hash or sorted set is, by key and member */
  #members: Map<string, { list: Write[]; at: number }> | undefined;
  #published: string[] = NONE;
  /** of each key, by its index in KEYS, what it is to hold in the end; null: it is to go */
  #values: (string | null | undefined)[] = [];
  #keepFor: number | undefined;
  /** roughly, of the values that the script is given */
  bytes = 0;

  constructor(partitionKey: string) {
    this.#keys = new ScriptKeys(partitionKey);
  }

  /** `command key values…`. Of a hash or sorted set one member at a time. */
  write(command: string, key: string, ...values: Argument[]): void {
    this.#write(command, this.#keys.at(key), values);
  }

  /**
   * The text that `key` holds once all is committed, or null for none. Of several for one key only the last is written.
   * @param keepFor ms, the same for every key of the batch; undefined: for ever
   */
  set(key: string, text: string | null, keepFor?: number): void {
    const index = this.#keys.at(key);
    this.bytes += (text?.length ?? 0) - (this.#values[index]?.length ?? 0);
    this.#values[index] = text;
    if (text !== null) this.#keepFor = keepFor;
  }

  /** An entry at the end of a stream. `limit`: keep about that many. */
  append(stream: string, fields: readonly string[], limit = 0): void {
    if (this.#before !== undefined) return this.write('XADD', stream, ...(limit === 0 ? [] : ['MAXLEN', '~', limit]), '*', ...fields);
    const writes = this.#writes;
    const index = this.#keys.at(stream);
    writes.number(index);
    writes.number(limit);
    writes.row(index, fields);
    for (const text of fields) this.bytes += text.length;
  }

  /** The same command for any number of values, in pieces that a script can unpack. */
  writeMany(command: string, key: string, values: readonly Argument[]): void {
    for (let at = 0; at < values.length; at += SCRIPT_PIECE) this.#write(command, this.#keys.at(key), values.slice(at, at + SCRIPT_PIECE));
  }

  /** Heard once all is written. */
  publish(channel: string, text: string): void {
    if (this.#published === NONE) this.#published = [];
    this.#published.push(channel, text);
    this.bytes += text.length;
  }

  /**
   * The commit applies only if the partition's `field` still has the value `expected` ('' for none).
   * Of several for one field the first counts: the later ones expect what this very batch writes.
   */
  expect(field: string, expected: string): void {
    if (this.#place(field) < 0) this.#conditions.push(field, expected);
  }

  /** What `expect` was told of this field. */
  expected(field: string): string | undefined {
    const place = this.#place(field);
    return place < 0 ? undefined : this.#conditions[place + 1];
  }

  /** After a refusal: the field has another value, and that is known to be all right. */
  expectAnew(field: string, expected: string): void {
    const place = this.#place(field);
    if (place < 0) this.#conditions.push(field, expected);
    else this.#conditions[place + 1] = expected;
  }

  #place(field: string): number {
    for (let i = 0; i < this.#conditions.length; i += 2) if (this.#conditions[i] === field) return i;
    return -1;
  }

  /** After a refusal: what is written from now on comes behind what the batch holds already. */
  amend(): void {
    this.#before = this.#given();
    this.#writes = new ScriptArguments();
    this.#added = this.#set = this.#taken = this.#published = NONE;
    this.#members = undefined;
    this.#values = [];
    this.#laid = false;
  }

  #given(): Given {
    if (!this.#laid) this.#layOthers();
    const writes = this.#writes.take();
    return this.#before === undefined ? writes : joined(this.#before, writes);
  }

  /** Nothing can be written afterwards, but after `amend`. */
  arguments(nonce: string): { keys: readonly string[]; conditions: readonly Argument[]; writes: Given } {
    const writes = this.#given();
    const conditions = [nonce, this.#entries, this.#conditions.length / 2, ...this.#conditions];
    return { keys: this.#keys.names, conditions, writes };
  }

  /** B1 */
  #layOthers(): void {
    const writes = this.#writes;
    if (this.#before === undefined) this.#entries = writes.count;
    this.#laid = true;
    for (const write of this.#added) this.#lay(write);
    for (const write of this.#set) this.#lay(write);
    this.#layValues();
    for (const write of this.#taken) this.#lay(write);
    for (let i = 0; i < this.#published.length; i += 2) {
      writes.number(0);
      writes.text(this.#published[i] as string);
      writes.text(this.#published[i + 1] as string);
    }
  }

  #layValues(): void {
    const values = this.#values;
    const indices: number[] = [];
    for (let index = 1; index < values.length; index += 1) {
      const text = values[index];
      if (text === null) this.#lay({ command: 'DEL', index, values: NONE });
      else if (text !== undefined && this.#keepFor !== undefined) this.#lay({ command: 'SET', index, values: [text, 'PX', this.#keepFor] });
      else if (text !== undefined) indices.push(index);
    }
    const writes = this.#writes;
    for (let at = 0; at < indices.length; at += SCRIPT_PIECE / 2) {
      const piece = indices.slice(at, at + SCRIPT_PIECE / 2);
      writes.number(1);
      writes.number(piece.length);
      for (const index of piece) {
        writes.number(index);
        writes.text(values[index] as string);
      }
    }
  }

  #write(command: string, index: number, values: readonly Argument[]): void {
    const known = COMMANDS[command];
    invariant(known !== undefined, `a commit holds no ${command}`);
    const [type, turn] = known;
    for (const value of values) this.bytes += typeof value === 'string' ? value.length : 8;
    const write = { command, index, values };
    if (turn === 'set') {
      if (this.#set === NONE) this.#set = [];
      this.#set.push(write);
      return;
    }
    if (turn === 'add' && this.#added === NONE) this.#added = [];
    if (turn === 'take' && this.#taken === NONE) this.#taken = [];
    const list = turn === 'add' ? this.#added : this.#taken;
    if (type === 'hash' || type === 'zset') this.#forMember(write, list);
    else list.push(write);
  }

  /** B2: an earlier write for the same member is not made. */
  #forMember(write: Write, list: Write[]): void {
    const { command, index, values } = write;
    this.#members ??= new Map();
    const member = `${index} ${values[command === 'ZADD' ? 1 : 0]}`;
    const before = this.#members.get(member);
    if (before !== undefined) before.list[before.at] = DROPPED;
    this.#members.set(member, { list, at: list.push(write) - 1 });
  }

  #lay(write: Write): void {
    if (write === DROPPED) return;
    const { command, index, values } = write;
    const writes = this.#writes;
    writes.text(command);
    writes.text(index === 1 ? '' : (COMMANDS[command] as readonly [string, string])[0]);
    writes.number(index);
    writes.number(values.length);
    for (const value of values) writes.text(typeof value === 'string' ? value : String(value));
  }
}

const NONE: never[] = [];
const DROPPED: Write = { command: '', index: 0, values: [] };

/**
 * Sends the batch, once.
 * @throws RedisError as `Link.call`. Where the error says that nothing was applied (`dealingWith`) nothing was, and its `key` is the one that
 *   was refused; otherwise nobody knows, and the partition must be read again from the start
 */
export async function commit(link: Link, nonce: string, batch: CommitBatch): Promise<CommitReply> {
  const { keys, conditions, writes } = batch.arguments(nonce);
  const reply = await runScript(link, 'commit', keys, conditions, writes);
  if (reply === 'committed' || reply === 'unheard' || reply === 'fenced' || reply === 'changed') return reply;
  const [, index, words] = /^refused (\d+) (.*)$/s.exec(String(reply)) ?? [];
  invariant(words !== undefined, `commit answered ${String(reply)}`);
  throw refusal(words, 'commit', keys[Number(index) - 1]);
}
