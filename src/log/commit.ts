import { invariant } from '../message/errors.js';
import { SCRIPT_PIECE } from '../message/limits.js';
import type { Argument, Link } from './connection.js';
import { runScript } from './scripts.js';

/** `fenced`: the partition has another owner, nothing was written. `changed`: a condition did not hold, nothing was written. */
export type CommitReply = 'committed' | 'fenced' | 'changed';

/** The writes of one commit, gathered. KEYS and ARGV of lua/commit.lua are laid out here and nowhere else. */
export class CommitBatch {
  readonly #keys: string[];
  readonly #index = new Map<string, number>();
  readonly #conditions = new Map<string, string>();
  readonly #writes: Argument[] = [];
  /** roughly, of what the script is given */
  bytes = 0;

  constructor(partitionKey: string) {
    this.#keys = [partitionKey];
    this.#index.set(partitionKey, 1);
  }

  get empty(): boolean {
    return this.#writes.length === 0;
  }

  /** `command key values…` */
  write(command: string, key: string, ...values: Argument[]): void {
    this.#add(command, this.#at(key), values);
  }

  /** An entry at the end of a stream. `limit`: keep about that many. */
  append(stream: string, fields: readonly string[], limit?: number): void {
    const writes = this.#writes;
    if (limit === undefined) writes.push(fields.length + 1, 'XADD', this.#at(stream), '*');
    else writes.push(fields.length + 4, 'XADD', this.#at(stream), 'MAXLEN', '~', limit, '*');
    for (const text of fields) {
      writes.push(text);
      this.bytes += text.length;
    }
  }

  /** The same command for any number of values, in pieces that a script can unpack. */
  writeMany(command: string, key: string, values: readonly Argument[]): void {
    for (let at = 0; at < values.length; at += SCRIPT_PIECE) this.#add(command, this.#at(key), values.slice(at, at + SCRIPT_PIECE));
  }

  publish(channel: string, text: string): void {
    this.#add('PUBLISH', 0, [channel, text]);
  }

  /**
   * The commit applies only if the partition's `field` still has the value `expected` ('' for none).
   * Of several for one field the first counts: the later ones expect what this very batch writes.
   */
  expect(field: string, expected: string): void {
    if (!this.#conditions.has(field)) this.#conditions.set(field, expected);
  }

  /** What `expect` was told of this field. */
  expected(field: string): string | undefined {
    return this.#conditions.get(field);
  }

  /** After a refusal: the field has another value, and that is known to be all right. */
  expectAnew(field: string, expected: string): void {
    this.#conditions.set(field, expected);
  }

  arguments(nonce: string): { keys: readonly string[]; args: readonly Argument[] } {
    const head: Argument[] = [nonce, this.#conditions.size];
    for (const [field, expected] of this.#conditions) head.push(field, expected);
    return { keys: this.#keys, args: head.concat(this.#writes) };
  }

  #at(key: string): number {
    let index = this.#index.get(key);
    if (index === undefined) {
      index = this.#keys.push(key);
      this.#index.set(key, index);
      this.bytes += key.length;
    }
    return index;
  }

  #add(command: string, index: number, values: readonly Argument[]): void {
    this.#writes.push(values.length, command, index);
    for (const value of values) {
      this.#writes.push(value);
      this.bytes += typeof value === 'string' ? value.length : 8;
    }
  }
}

/** Sends the batch, once. Whoever gets an error does not know whether it was applied, and must read again from the start. */
export async function commit(link: Link, nonce: string, batch: CommitBatch): Promise<CommitReply> {
  const { keys, args } = batch.arguments(nonce);
  const reply = await runScript(link, 'commit', keys, args);
  invariant(reply === 'committed' || reply === 'fenced' || reply === 'changed', `commit answered ${String(reply)}`);
  return reply;
}
