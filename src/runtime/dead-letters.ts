import type { Link } from '../log/connection.js';
import { readDeadLetter, readLetter, type StoredLetter } from '../log/dead-letter.js';
import { compareIds, entriesOf, FIRST } from '../log/entry.js';
import type { Keys } from '../log/keys.js';
import { newestIds, recordedActorTypes } from '../log/system-record.js';
import { fieldOf, fromFields } from '../message/envelope.js';
import { ErrandError, InvalidValueError } from '../message/errors.js';
import type { LetterPlace, Redrives } from './redrives.js';

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
  /** the last error: its class, the code that it carried itself (`ECONNREFUSED`), and its stack without paths of the machine */
  readonly error: {
    readonly name: string | undefined;
    readonly code: string | undefined;
    readonly message: string;
    readonly stack: string | undefined;
    /** what stood beneath it (`cause`, and the `errors` of an AggregateError), nearest first; at most `CAUSES_TOLD` */
    readonly causes: readonly { readonly name: string; readonly code: string | undefined; readonly message: string }[];
  };
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
  /** the message's data as it stood on the wire: a JSON string */
  readonly data: string | undefined;
  /** set when the message was too large to be kept: how large it was; of `data`, as of everything else, only the beginning is here */
  readonly cut: { readonly bytes: number; readonly fields: number } | undefined;
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetter[];
  /** give it as `after` to go on; undefined at the end */
  readonly next: string | undefined;
}

/** Which letters; what is left out, or `undefined`, does not count. */
export interface LetterFilter {
  readonly actor?: string | undefined;
  readonly key?: string | undefined;
  /** of the message */
  readonly type?: string | undefined;
  /** as the letter says it: an error's code, `PARKED_…`, `POISON`, … */
  readonly reason?: string | undefined;
  readonly correlationId?: string | undefined;
}

/** What was redriven. */
export interface Redriven {
  /** the letter, which is gone once the message is tried again */
  readonly letter: string;
  /** the message that is tried again: a new one for a terminal letter, which `attach` finds; the parked one itself */
  readonly messageId: string;
}

/** Letters on a page when nobody says how many. */
const PAGE = 100;

const FILTERS: readonly (keyof LetterFilter)[] = ['actor', 'key', 'type', 'reason', 'correlationId'];

export class DeadLetters {
  constructor(
    private readonly keys: Keys,
    private readonly link: Link,
    private readonly redrives: Redrives,
  ) {}

  /**
   * Dead letters, by actor type and shard, oldest first within each.
   * @param options `actor` one type only; `limit` at most so many (default 100); `after` the `next` of the page before
   * @throws InvalidValueError `INVALID_OPTION`
   */
  async list(
    options: { actor?: string | undefined; limit?: number | undefined; after?: string | undefined } = {},
  ): Promise<DeadLetterPage> {
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

  /**
   * Tries messages again, once the cause is mended; letters of one key in their order. A terminal letter's message comes back as a new one, with
   * the old one as its cause, the same correlation id and idempotency key, and a result of its own. A parked message is tried again where it
   * waits, its attempts counted anew; that is up to the owner of its partition, which does it as soon as there is one.
   * Asking twice does it once: what is gone already is left out.
   * @param target a letter's id, or which letters: `{}` for all there are by now. Letters of what is no message are left out of a filter
   * @throws ErrandError `NOT_REDRIVABLE` for such a letter by its id; InvalidValueError `INVALID_ID`, `INVALID_OPTION`; AppendRejected `INBOX_FULL`
   */
  async redrive(target: string | LetterFilter): Promise<readonly Redriven[]> {
    const redriven: Redriven[] = [];
    for await (const { place, record } of this.#chosen(target)) {
      const messageId = await this.redrives.redrive(place, record);
      if (messageId !== undefined) redriven.push({ letter: idOf(place), messageId });
      else if (typeof target === 'string' && !this.redrives.possible(record)) {
        throw new ErrandError('NOT_REDRIVABLE', `${target} holds no message that could be handled: ${record.reason}`);
      }
    }
    return redriven;
  }

  /**
   * Puts letters away for good. A parked message is taken out of its key's way and ends as `failed`, `DEAD_LETTERED`, once its partition's owner
   * has done it. Asking twice does it once.
   * @param target as for `redrive`
   * @returns how many
   * @throws InvalidValueError `INVALID_ID`, `INVALID_OPTION`
   */
  async discard(target: string | LetterFilter): Promise<number> {
    let discarded = 0;
    for await (const { place, record } of this.#chosen(target)) if (await this.redrives.discard(place, record)) discarded += 1;
    return discarded;
  }

  /** The letters that are there now, each when its turn comes: what comes back as a letter is not seen again. */
  async *#chosen(target: string | LetterFilter): AsyncGenerator<{ place: LetterPlace; record: StoredLetter }> {
    if (typeof target === 'string') {
      const place = this.#parse(target, 'id');
      const record = await readLetter(this.link, this.keys, { type: place.actor, shard: place.shard }, place.entry);
      if (record !== undefined) yield { place, record };
      return;
    }
    const filter = checkFilter(target);
    const types = filter.actor === undefined ? await recordedActorTypes(this.link, this.keys) : [filter.actor];
    const places = types.flatMap((actor) => Array.from({ length: this.keys.shards }, (_, shard) => ({ actor, shard })));
    const newest = await newestIds(
      this.link,
      places.map(({ actor, shard }) => this.keys.dead(actor, shard)),
    );
    for (const [i, { actor, shard }] of places.entries()) {
      const last = newest[i] as string;
      for (let after = FIRST; compareIds(after, last) < 0; ) {
        const piece = entriesOf(await this.link.call('XRANGE', [this.keys.dead(actor, shard), `(${after}`, last, 'COUNT', PAGE]));
        for (const entry of piece) {
          const place = { actor, shard, entry: entry.id };
          const record = readDeadLetter(entry);
          const shown = show(actor, shard, entry.id, record);
          if (FILTERS.every((name) => filter[name] === undefined || filter[name] === shown[name])) yield { place, record };
        }
        after = piece.at(-1)?.id ?? last;
      }
    }
  }

  #parse(id: string, place: string): LetterPlace {
    const parts = /^([^/]+)\/(\d+)\/(\d+-\d+)$/.exec(id);
    const shard = Number(parts?.[2]);
    if (parts === null || shard >= this.keys.shards)
      throw new InvalidValueError('INVALID_ID', place, id, 'the id of a dead letter, as list() gives it');
    return { actor: parts[1] as string, shard, entry: parts[3] as string };
  }
}

const idOf = ({ actor, shard, entry }: LetterPlace): string => `${actor}/${shard}/${entry}`;

function checkFilter(filter: unknown): LetterFilter {
  const expected = `a letter's id, or an object with any of ${FILTERS.join(', ')}`;
  if (typeof filter !== 'object' || filter === null) throw new InvalidValueError('INVALID_OPTION', 'dead letters', filter, expected);
  for (const [name, value] of Object.entries(filter)) {
    // A misspelt name must not choose all letters.
    if (!FILTERS.includes(name as keyof LetterFilter)) throw new InvalidValueError('INVALID_OPTION', 'dead letters', name, expected);
    if (value !== undefined && typeof value !== 'string') throw new InvalidValueError('INVALID_OPTION', name, value, 'a text');
  }
  return filter;
}

function show(actor: string, shard: number, entry: string, record: StoredLetter): DeadLetter {
  const envelope = fromFields(record.fields);
  const message = 'fault' in envelope ? undefined : envelope;
  return {
    id: `${actor}/${shard}/${entry}`,
    actor,
    key: message?.subject ?? record.key,
    messageId: message?.id ?? record.messageId,
    type: message?.type ?? fieldOf(record.fields, 'type'),
    correlationId: message?.correlationId ?? fieldOf(record.fields, 'correlationid'),
    causationId: message?.causationId,
    reason: record.reason,
    error: { name: record.errorClass, code: record.errorCode, message: record.message, stack: record.stack, causes: record.causes },
    parked: record.parked,
    attempts: record.attempts,
    history: record.history.map((failed) => ({ ...failed, at: new Date(failed.at) })),
    origin: message?.source ?? fieldOf(record.fields, 'source'),
    node: record.node,
    at: new Date(record.at),
    data: fieldOf(record.fields, 'data'),
    cut: record.oversize && { bytes: record.oversize.bytes, fields: Math.ceil(record.oversize.values / 2) },
  };
}
