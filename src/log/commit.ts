import { invariant } from '../message/errors.js';
import { SCRIPT_PIECE } from '../message/limits.js';
import type { Argument, Link } from './connection.js';
import { type Given, ScriptArguments, ScriptKeys } from './script-arguments.js';
import { runScript } from './scripts.js';

/** `fenced`: the partition has another owner, nothing was written. `changed`: a condition did not hold, nothing was written. */
export type CommitReply = 'committed' | 'fenced' | 'changed';

/** The writes of one commit, gathered. KEYS and ARGV of lua/commit.lua are laid out here and nowhere else. */
export class CommitBatch {
  readonly #keys: ScriptKeys;
  /** each field and what is expected of it: seldom more than one */
  readonly #conditions: string[] = [];
  readonly #writes = new ScriptArguments();
  /** roughly, of the values that the script is given */
  bytes = 0;

  constructor(partitionKey: string) {
    this.#keys = new ScriptKeys(partitionKey);
  }

  /** `command key values…` */
  write(command: string, key: string, ...values: Argument[]): void {
    this.#write(command, this.#keys.at(key), values);
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

  /** Nothing can be written afterwards. */
  arguments(nonce: string): { keys: readonly string[]; conditions: readonly Argument[]; writes: Given } {
    const conditions = [nonce, this.#conditions.length / 2, ...this.#conditions];
    return { keys: this.#keys.names, conditions, writes: this.#writes.take() };
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
