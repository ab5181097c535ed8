import type { Entry } from '../log/entry.js';
import { FIRST } from '../log/entry.js';
import type { Source } from '../log/reader.js';
import { shardOf } from '../log/shard.js';
import { fieldOf } from '../message/envelope.js';
import { asError, codeOf } from '../message/errors.js';
import { checkKey } from '../message/names.js';
import type { Subscription } from './behavior.js';
import type { Gathering } from './committer.js';
import { tooLarge } from './letters.js';
import type { Partition } from './partition.js';

/**
 * Facts are taken in: the owner of a subscribing partition copies them from the event's stream into the inbox and moves its cursor,
 * in one fenced commit.
 *
 * T1: the cursor moves by compare-and-set, so that no two owners take the same fact in, and a rewound cursor is noticed.
 * T2: a re-keyed fact goes to its new key's own shard, in the same commit.
 */

/** Facts on their way into the inbox at one time. */
const IN_FLIGHT = 1_000;
const IN_FLIGHT_BYTES = 8 * 1_048_576;
/** Facts and bytes taken in with one move of the cursor. */
const PIECE_FACTS = 100;
const PIECE_BYTES = 1_048_576;

/** The field of a partition's hash that holds its cursor in an event's stream. */
export function cursorField(event: string): string {
  return `cursor:${event}`;
}

export class Intake implements Source {
  readonly stream: string;
  readonly #field: string;
  /** as recorded, or as it will be by the commits under way; empty when there is none */
  #cursor: string;
  #inFlight = 0;
  #bytesInFlight = 0;
  #starved = false;

  constructor(
    private readonly partition: Partition,
    private readonly subscription: Subscription,
    cursors: ReadonlyMap<string, string>,
  ) {
    this.stream = partition.host.deps.keys.event(subscription.event.name, partition.shard);
    this.#field = cursorField(subscription.event.name);
    this.#cursor = cursors.get(this.#field) ?? '';
  }

  position(): string {
    return this.#cursor === '' ? FIRST : this.#cursor;
  }

  wanted(): number {
    const full = this.partition.closing || this.#bytesInFlight >= IN_FLIGHT_BYTES;
    const wanted = full ? 0 : Math.max(0, IN_FLIGHT - this.#inFlight);
    this.#starved = wanted === 0;
    return wanted;
  }

  deliver(entries: readonly Entry[]): void {
    let piece: Entry[] = [];
    let bytes = 0;
    for (const entry of entries) {
      piece.push(entry);
      for (const text of entry.fields) bytes += text.length;
      if (piece.length < PIECE_FACTS && bytes < PIECE_BYTES) continue;
      this.#take(piece, bytes);
      piece = [];
      bytes = 0;
    }
    this.#take(piece, bytes);
  }

  #take(entries: readonly Entry[], bytes: number): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    const { committer, host, shard } = this.partition;
    const { keys, reader } = host.deps;
    const gathering = committer.gather();
    gathering.batch.expect(this.#field, this.#cursor); // T1
    for (const entry of entries) this.#copy(gathering, entry);
    gathering.batch.write('HSET', keys.partition(host.type, shard), this.#field, last.id);
    this.#cursor = last.id;
    this.#inFlight += entries.length;
    this.#bytesInFlight += bytes;
    gathering.after(() => {
      this.#inFlight -= entries.length;
      this.#bytesInFlight -= bytes;
      if (this.#starved) reader.nudge(this);
    });
  }

  #copy(gathering: Gathering, entry: Entry): void {
    const { host, shard } = this.partition;
    const { keys } = host.deps;
    const { key, event } = this.subscription;
    if (entry.oversize !== undefined)
      return this.partition.verdicts.refuseFact(gathering, entry, 'ENTRY_TOO_LARGE', tooLarge(entry.oversize));
    if (key === undefined) {
      gathering.batch.append(keys.inbox(host.type, shard), [...entry.fields, 'kind', 'event']);
      return;
    }
    let subject: string;
    try {
      subject = checkKey(key(event.decode(fieldOf(entry.fields, 'data') ?? '')), `key of ${event.name} for ${host.type}`);
    } catch (thrown) {
      const error = asError(thrown);
      return this.partition.verdicts.refuseFact(gathering, entry, codeOf(error, 'KEY_FAILED'), error);
    }
    const inbox = keys.inbox(host.type, shardOf(subject, keys.shards)); // T2
    gathering.batch.append(inbox, [...entry.fields, 'kind', 'event', 'subject', subject]);
  }
}
