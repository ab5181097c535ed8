import { fromJson } from '../message/json.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { pairsOf } from './reply.js';

/**
 * Keys whose first message waits for a node that can handle it: a hash beside the aside lists. A record goes with its message's place at the
 * head of the list, in the same commit.
 */
export interface UnhandledRecord {
  /** of the inbox entry that the message was */
  readonly entry: string;
  /** when an owner first found that it cannot handle it, ms since the epoch */
  readonly since: number;
  /** until when its key waits, as the list of waiting keys has it: a record that does not agree is not of this wait */
  readonly due: number;
  /** what the node must be able to handle, as in runtime/build */
  readonly need: string;
}

/** What was changed by hand is no record; the key then waits as the list of waiting keys says. */
function parse(text: string): UnhandledRecord | undefined {
  try {
    const [entry, since, due, need] = fromJson(text, 'a record of an unhandled message') as [unknown, unknown, unknown, unknown];
    if (typeof entry !== 'string' || typeof since !== 'number' || typeof due !== 'number' || typeof need !== 'string') return undefined;
    return { entry, since, due, need };
  } catch {
    return undefined;
  }
}

/** What each of a partition's records needs, from all their texts. */
export function needsOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => parse(text)?.need ?? []);
}

export class UnhandledRecords {
  readonly #name: string;

  constructor(keys: Keys, { type, shard }: PartitionId) {
    this.#name = keys.unhandled(type, shard);
  }

  write(batch: CommitBatch, key: string, { entry, since, due, need }: UnhandledRecord): void {
    batch.write('HSET', this.#name, key, JSON.stringify([entry, since, due, need]));
  }

  clear(batch: CommitBatch, key: string): void {
    batch.write('HDEL', this.#name, key);
  }

  /** By key; undefined for what is no record. */
  async load(link: Link): Promise<Map<string, UnhandledRecord | undefined>> {
    const fields = pairsOf(await link.call('HGETALL', [this.#name]), 'HGETALL');
    return new Map(fields.map(([key, text]) => [key, parse(text)]));
  }
}
