import { invariant } from '../message/errors.js';
import { SCRIPT_PIECE } from '../message/limits.js';
import type { Argument, Link } from './connection.js';
import { type Given, joined, ScriptArguments, ScriptKeys } from './script-arguments.js';
import { runScript } from './scripts.js';

/** `fenced`: the partition has another owner, nothing was written. `changed`: a condition did not hold, nothing was written. */
export type CommitReply = 'committed' | 'fenced' | 'changed';

/** The writes of one commit, gathered. KEYS and ARGV of lua/commit.lua are laid out here and nowhere else. */
export class CommitBatch {
  readonly #keys: ScriptKeys;
  /** each field and what is expected of it: seldom more than one */
  readonly #conditions: string[] = [];
  #writes = new ScriptArguments();
  /** what was laid out before the batch was refused, and amended */
  #before: Given | undefined;
  /** of each key, by its index in KEYS, what it is to hold in the end; null: it is to go */
  readonly #values: (string | null | undefined)[] = [];
  #keepFor: number | undefined;
  /** roughly, of the values that the script is given */
  bytes = 0;

  constructor(partitionKey: string) {
    this.#keys = new ScriptKeys(partitionKey);
  }

  /** `command key values…` */
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
    const writes = this.#writes;
    const index = this.#keys.at(stream);
    writes.number(0);
    writes.number(index);
    writes.number(limit);
    writes.row(index, fields);
    for (const text of fields) this.bytes += text.length;
  }

  /** The same command for any number of values, in pieces that a script can unpack. */
  writeMany(command: string, key: string, values: readonly Argument[]): void {
    for (let at = 0; at < values.length; at += SCRIPT_PIECE) this.#write(command, this.#keys.at(key), values.slice(at, at + SCRIPT_PIECE));
  }

  publish(channel: string, text: string): void {
    this.#write('PUBLISH', 0, [channel, text]);
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
    this.#writeValues();
    this.#before = this.#given();
    this.#writes = new ScriptArguments();
  }

  #given(): Given {
    const writes = this.#writes.take();
    return this.#before === undefined ? writes : joined(this.#before, writes);
  }

  /** Nothing can be written afterwards, but after `amend`. */
  arguments(nonce: string): { keys: readonly string[]; conditions: readonly Argument[]; writes: Given } {
    this.#writeValues();
    const conditions = [nonce, this.#conditions.length / 2, ...this.#conditions];
    return { keys: this.#keys.names, conditions, writes: this.#given() };
  }

  #writeValues(): void {
    const values = this.#values.splice(0);
    const indices: number[] = [];
    for (let index = 1; index < values.length; index += 1) {
      const text = values[index];
      if (text === null) this.#write('DEL', index, []);
      else if (text !== undefined && this.#keepFor !== undefined) this.#write('SET', index, [text, 'PX', this.#keepFor]);
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
    const writes = this.#writes;
    writes.text(command);
    writes.number(index);
    writes.number(values.length);
    for (const value of values) {
      const text = typeof value === 'string' ? value : String(value);
      writes.text(text);
      this.bytes += text.length;
    }
  }
}

/** Sends the batch, once. Whoever gets an error does not know whether it was applied, and must read again from the start. */
export async function commit(link: Link, nonce: string, batch: CommitBatch): Promise<CommitReply> {
  const { keys, conditions, writes } = batch.arguments(nonce);
  const reply = await runScript(link, 'commit', keys, conditions, writes);
  invariant(reply === 'committed' || reply === 'fenced' || reply === 'changed', `commit answered ${String(reply)}`);
  return reply;
}
