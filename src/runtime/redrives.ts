import type { Appender } from '../log/appender.js';
import type { Link } from '../log/connection.js';
import { discardLetter, redriveLetter, type StoredLetter } from '../log/dead-letter.js';
import type { Keys } from '../log/keys.js';
import { without } from '../log/schedule.js';
import { shardOf } from '../log/shard.js';
import type { Clock } from '../message/clock.js';
import { type Envelope, fromFields, toFields } from '../message/envelope.js';
import { AppendRejected } from '../message/errors.js';
import { derivedId, type Ids } from '../message/ids.js';
import type { Signals } from './signals.js';
import type { Verb } from './verbs.js';

/** Of a parked letter that was changed by hand: its owner puts the letter away, and touches no message. */
const UNKNOWN_KEY = '-';

/** Where a dead letter stands. */
export interface LetterPlace {
  readonly actor: string;
  readonly shard: number;
  readonly entry: string;
}

/**
 * What becomes of dead letters, from any node or a client without actors. A terminal letter belongs to nobody: one script takes it away and
 * appends its message anew. A parked message belongs to its partition's owner, which is asked through its inbox (docs/adr/0008).
 */
export class Redrives {
  constructor(
    private readonly keys: Keys,
    private readonly link: Link,
    private readonly appender: Appender,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly signals: Signals,
  ) {}

  /** A letter whose entry was no message, or never came into an inbox, has nothing to redrive. */
  possible({ fields, fact, parked, oversize }: StoredLetter): boolean {
    return parked || (!fact && oversize === undefined && !('fault' in fromFields(fields)));
  }

  /** Resolves to the id of the message that is tried again; undefined when there is nothing to redrive, or not any more. */
  async redrive(place: LetterPlace, record: StoredLetter): Promise<string | undefined> {
    if (record.parked) {
      await this.#ask('redrive', place, record.key);
      return record.messageId;
    }
    const envelope = fromFields(record.fields);
    if (record.fact || record.oversize !== undefined || 'fault' in envelope) return undefined;
    const { actor, shard, entry } = place;
    const to = shardOf(envelope.subject, this.keys.shards); // an entry of another shard goes to its own
    const id = derivedId(to, `redrive:${actor}`, envelope.subject, `${shard}/${entry}`);
    const again = {
      inbox: this.keys.inbox(actor, to),
      fields: this.#anew(record.fields, envelope, id),
      outcome: envelope.kind === 'command' ? this.keys.outcome(to, id) : undefined,
    };
    const done = await redriveLetter(this.link, this.keys, { type: actor, shard }, entry, again);
    if (done === 'full') throw new AppendRejected('INBOX_FULL', 'the inbox holds as many messages as it may; redrive later', id);
    if (done === 'gone') return undefined;
    this.signals.emit({ kind: 'redriven', actor, letter: `${actor}/${shard}/${entry}`, messageId: id });
    return id;
  }

  /** Resolves to whether it was there, and will be gone. */
  async discard(place: LetterPlace, record: StoredLetter): Promise<boolean> {
    const { actor, shard, entry } = place;
    if (record.parked) {
      await this.#ask('discard', place, record.key);
      return true;
    }
    if (!(await discardLetter(this.link, this.keys, { type: actor, shard }, entry))) return false;
    this.signals.emit({ kind: 'discarded', actor, letter: `${actor}/${shard}/${entry}`, messageId: record.messageId });
    return true;
  }

  /** The same message as a new one: its cause the old one, its line of redrives known by the first one's idempotency key. */
  #anew(fields: readonly string[], envelope: Envelope, id: string): string[] {
    const own = ['id', 'time', 'correlationid', 'causationid', 'idempotencykey', 'replynode', 'track', 'duetime', 'expirytime'];
    const rest = own.reduce((left, name) => without(left, name), [...fields]);
    const { correlationId, idempotencyKey, kind } = envelope;
    const time = new Date(this.clock.now()).toISOString();
    const track = kind === 'command' ? ['track', '-'] : [];
    return [
      'id',
      id,
      'time',
      time,
      'correlationid',
      correlationId,
      'causationid',
      envelope.id,
      'idempotencykey',
      idempotencyKey,
      ...track,
      ...rest,
    ];
  }

  /** The letter only points to the message; the key says behind which aside list's head the owner finds it. */
  async #ask(verb: Verb, { actor, shard, entry }: LetterPlace, key = UNKNOWN_KEY): Promise<void> {
    const id = this.ids.next(shard);
    const { name } = this.keys;
    const fields = toFields({
      id,
      type: verb,
      kind: 'request',
      source: name,
      subject: key,
      time: this.clock.now(),
      correlationId: id,
      data: entry,
    });
    const request = { messageId: id, stream: this.keys.inbox(actor, shard), to: undefined, bounded: false, fields, outcome: undefined };
    await this.appender.append(shard, request);
  }
}
