import type { Appender } from '../log/appender.js';
import type { Link } from '../log/connection.js';
import { type DeadLetterRecord, discardLetter, redriveLetter } from '../log/dead-letter.js';
import type { Keys } from '../log/keys.js';
import { without } from '../log/schedule.js';
import { shardOf } from '../log/shard.js';
import type { Clock } from '../message/clock.js';
import { type Envelope, fromFields, toFields } from '../message/envelope.js';
import { AppendRejected } from '../message/errors.js';
import { derivedId, type Ids } from '../message/ids.js';
import type { Verb } from './requests.js';
import type { Signals } from './signals.js';

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
  possible({ fields, fact }: DeadLetterRecord): boolean {
    return !fact && !('fault' in fromFields(fields));
  }

  /** Resolves to the id of the message that is tried again; undefined when there is nothing to redrive, or not any more. */
  async redrive(place: LetterPlace, record: DeadLetterRecord): Promise<string | undefined> {
    const envelope = fromFields(record.fields);
    if (record.fact || 'fault' in envelope) return undefined;
    if (record.parked) {
      await this.#ask('redrive', place, envelope.subject);
      return envelope.id;
    }
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
  async discard(place: LetterPlace, record: DeadLetterRecord): Promise<boolean> {
    const { actor, shard, entry } = place;
    const envelope = fromFields(record.fields);
    if (record.parked && !('fault' in envelope)) {
      await this.#ask('discard', place, envelope.subject);
      return true;
    }
    if (!(await discardLetter(this.link, this.keys, { type: actor, shard }, entry))) return false;
    const messageId = 'fault' in envelope ? undefined : envelope.id;
    this.signals.emit({ kind: 'discarded', actor, letter: `${actor}/${shard}/${entry}`, messageId });
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

  async #ask(verb: Verb, { actor, shard, entry }: LetterPlace, key: string): Promise<void> {
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
    const request = { messageId: id, stream: this.keys.inbox(actor, shard), bounded: false, fields, outcome: undefined };
    await this.appender.append(shard, request);
  }
}
