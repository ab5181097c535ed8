import { fieldOf } from '../message/envelope.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { entriesOf } from './entry.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { pairsOf } from './reply.js';

/**
 * Messages that may have killed their process: a hash beside the partition, from the entry's id to `<suspicions> <kills>`, and `running`
 * behind it while the message runs alone. A message that is settled is no suspect any more.
 */
export interface Suspect {
  /** unclean take-overs at which it was the first unsettled message of its key */
  readonly suspicions: number;
  /** unclean take-overs at which it had been running alone */
  readonly kills: number;
  /** it was begun alone, and is not settled */
  readonly running: boolean;
}

/** Entries of an inbox that are read at a time. */
const PIECE = 100;

function parse(text: string): Suspect {
  const [suspicions = '', kills = '', running] = text.split(' ');
  return { suspicions: Number(suspicions) || 0, kills: Number(kills) || 0, running: running === 'running' };
}

export class SuspectRecords {
  readonly #name: string;

  constructor(
    private readonly keys: Keys,
    private readonly id: PartitionId,
  ) {
    this.#name = keys.suspects(id.type, id.shard);
  }

  write(batch: CommitBatch, entry: string, { suspicions, kills, running }: Suspect): void {
    batch.write('HSET', this.#name, entry, `${suspicions} ${kills}${running ? ' running' : ''}`);
  }

  clear(batch: CommitBatch, entry: string): void {
    batch.write('HDEL', this.#name, entry);
  }

  async load(link: Link): Promise<Map<string, Suspect>> {
    const suspects = pairsOf(await link.call('HGETALL', [this.#name]), 'HGETALL');
    return new Map(suspects.map(([entry, text]) => [entry, parse(text)]));
  }

  /** The first message of each key among the `count` oldest in the inbox: entry by key. */
  async firstOfKeys(link: Link, count: number): Promise<Map<string, string>> {
    const first = new Map<string, string>();
    let from = '-';
    for (let left = count; left > 0; left -= PIECE) {
      const piece = entriesOf(await link.call('XRANGE', [this.keys.inbox(this.id.type, this.id.shard), from, '+', 'COUNT', PIECE]));
      for (const { id, fields } of piece) {
        const key = fieldOf(fields, 'subject');
        if (key !== undefined && !first.has(key)) first.set(key, id);
      }
      const last = piece.at(-1);
      if (last === undefined || piece.length < PIECE) break;
      from = `(${last.id}`;
    }
    return first;
  }
}
