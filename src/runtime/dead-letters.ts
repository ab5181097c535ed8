import type { Link } from '../log/connection.js';
import { type DeadLetterRecord, readDeadLetter } from '../log/dead-letter.js';
import { entriesOf } from '../log/entry.js';
import type { Keys } from '../log/keys.js';
import { recordedActorTypes } from '../log/system-record.js';
import { fieldOf, fromFields } from '../message/envelope.js';
import { InvalidValueError } from '../message/errors.js';

/** A message that reached its terminal failure, with everything a person needs to understand it. */
export interface DeadLetter {
  /** names the letter: `<actor>/<shard>/<entry>` */
  readonly id: string;
  readonly actor: string;
  readonly key: string | undefined;
  readonly messageId: string | undefined;
  readonly type: string | undefined;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  /** stable code: why it is here; an error's own code, or `NO_ENVELOPE`, `WRONG_SHARD`, `UNKNOWN_MESSAGE`, `HANDLER_FAILED`, … */
  readonly reason: string;
  readonly error: { readonly name: string | undefined; readonly message: string; readonly stack: string | undefined };
  /** the message waits at the head of its key for somebody to redrive or discard it; otherwise it is over */
  readonly parked: boolean;
  readonly attempts: number;
  /** the latest of them that failed, oldest first, also those that counted for nothing because a whole dependency was away */
  readonly history: readonly {
    readonly attempt: number;
    readonly at: Date;
    readonly node: string;
    readonly code: string;
    readonly message: string;
  }[];
  /** who sent it: `warehouse/12005`, or a system's name for what came from outside */
  readonly origin: string | undefined;
  /** the node that gave it up */
  readonly node: string;
  readonly at: Date;
  /** the message's data as it stood on the wire: JSON text */
  readonly data: string | undefined;
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  /** give it as `after` to go on; undefined at the end */
  readonly next: string | undefined;
}

/** Letters on a page when nobody says how many. */
const PAGE = 100;

export class DeadLetters {
  constructor(
    private readonly keys: Keys,
    private readonly link: Link,
  ) {}

  /**
   * Dead letters, by actor type and shard, oldest first within each.
   * @param options `actor` one type only; `limit` at most so many (default 100); `after` the `next` of the page before
   * @throws InvalidValueError `INVALID_OPTION`
   */
  async list(options: { actor?: string; limit?: number; after?: string } = {}): Promise<DeadLetterPage> {
    const { actor, limit = PAGE, after } = options;
    if (!Number.isInteger(limit) || limit < 1) throw new InvalidValueError('INVALID_OPTION', 'limit', limit, 'a whole number from 1');
    const begin = after === undefined ? undefined : this.#parse(after, 'after');
    const types = (actor === undefined ? await recordedActorTypes(this.link, this.keys) : [actor]).sort();
    const items: DeadLetter[] = [];
    for (const type of types) {
      for (let shard = 0; shard < this.keys.shards; shard += 1) {
        if (begin !== undefined && (type < begin.actor || (type === begin.actor && shard < begin.shard))) continue;
        const same = begin?.actor === type && begin.shard === shard;
        // One more than wanted tells whether there is a next page.
        const reply = await this.link.call('XRANGE', [
          this.keys.dead(type, shard),
          same ? `(${begin.entry}` : '-',
          '+',
          'COUNT',
          limit + 1 - items.length,
        ]);
        for (const entry of entriesOf(reply)) items.push(show(type, shard, entry.id, readDeadLetter(entry)));
        if (items.length > limit) return { items: items.slice(0, limit), next: items[limit - 1]?.id };
      }
    }
    return { items, next: undefined };
  }

  /** The letter, or undefined when there is none. @throws InvalidValueError `INVALID_ID` */
  async get(id: string): Promise<DeadLetter | undefined> {
    const { actor, shard, entry } = this.#parse(id, 'id');
    const found = entriesOf(await this.link.call('XRANGE', [this.keys.dead(actor, shard), entry, entry]))[0];
    return found === undefined ? undefined : show(actor, shard, entry, readDeadLetter(found));
  }

  #parse(id: string, place: string): { actor: string; shard: number; entry: string } {
    const parts = /^([^/]+)\/(\d+)\/(\d+-\d+)$/.exec(id);
    const shard = Number(parts?.[2]);
    if (parts === null || shard >= this.keys.shards)
      throw new InvalidValueError('INVALID_ID', place, id, 'the id of a dead letter, as list() gives it');
    return { actor: parts[1] as string, shard, entry: parts[3] as string };
  }
}

function show(actor: string, shard: number, entry: string, record: DeadLetterRecord): DeadLetter {
  const envelope = fromFields(record.fields);
  const message = 'fault' in envelope ? undefined : envelope;
  return {
    id: `${actor}/${shard}/${entry}`,
    actor,
    key: message?.subject ?? fieldOf(record.fields, 'subject'),
    messageId: message?.id ?? fieldOf(record.fields, 'id'),
    type: message?.type ?? fieldOf(record.fields, 'type'),
    correlationId: message?.correlationId ?? fieldOf(record.fields, 'correlationid'),
    causationId: message?.causationId,
    reason: record.reason,
    error: { name: record.errorClass, message: record.message, stack: record.stack },
    parked: record.parked,
    attempts: record.attempts,
    history: record.history.map((failed) => ({ ...failed, at: new Date(failed.at) })),
    origin: message?.source ?? fieldOf(record.fields, 'source'),
    node: record.node,
    at: new Date(record.at),
    data: fieldOf(record.fields, 'data'),
  };
}
