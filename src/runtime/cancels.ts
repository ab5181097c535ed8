import type { Appender } from '../log/appender.js';
import { mark, type Place, placeOf, unmark } from '../log/cancelled.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import { readOutcomes } from '../log/outcome.js';
import { recordedActorTypes } from '../log/system-record.js';
import { toldTypes } from '../log/told-types.js';
import type { Clock } from '../message/clock.js';
import { toFields } from '../message/envelope.js';
import { InvalidValueError } from '../message/errors.js';
import { type Ids, shardOfId } from '../message/ids.js';
import { checkId } from '../message/names.js';
import type { Verb } from './verbs.js';

/** What came of the wish: the command ends as `failed`, `CANCELLED`; or it had its outcome already, or nobody knows it. */
export type Cancellation = 'cancelled' | 'too-late';

/** Of a message in the inbox: its owner comes across it. */
const NO_PLACE = '-';

/**
 * Cancels commands, from any node or a client without actors (docs/adr/0009).
 *
 * C1: `cancelled` is said only of a message that was found while this very wish stood in its mark, or whose outcome record says `CANCELLED`.
 * C2: a wish is taken back before `too-late` is said, and the record is read once more: what came of the wish meanwhile is told.
 */
export class Cancels {
  constructor(
    private readonly keys: Keys,
    private readonly link: Link,
    private readonly appender: Appender,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  /**
   * An id does not tell its actor type, so that the mark is made for each; then the message is looked for. Where it is found it can only end as
   * cancelled; the other marks go.
   */
  async cancel(messageId: string): Promise<Cancellation> {
    const { keys, link, clock } = this;
    const shard = shardOfId(checkId(messageId, 'messageId'));
    if (shard === undefined || shard >= keys.shards)
      throw new InvalidValueError('INVALID_ID', 'messageId', messageId, 'the id of a message that this system sent');
    const types = await this.#types(shard);
    const wish = this.ids.next(shard);
    if ((await mark(link, keys, shard, types, { id: messageId, at: clock.now(), wish })) === 'too-late')
      return this.#recorded(shard, messageId);
    const found = await this.#find(shard, types, messageId);
    const others = types.filter((type) => type !== found?.type);
    await unmark(link, keys, shard, others, { id: messageId, wish });
    if (found === undefined) return this.#recorded(shard, messageId); // C2
    await this.#ask(shard, found.type, messageId, found.place);
    return 'cancelled';
  }

  /** Those that some node has hosted, and those that a message was sent to. */
  async #types(shard: number): Promise<string[]> {
    const [hosted, told] = await Promise.all([recordedActorTypes(this.link, this.keys), toldTypes(this.link, this.keys, shard)]);
    return [...new Set([...hosted, ...told])];
  }

  /** What is written about a message that is over, or that nobody has found. */
  async #recorded(shard: number, messageId: string): Promise<Cancellation> {
    const [record] = await readOutcomes(this.link, this.keys, [{ shard, messageId }]);
    if (record?.kind === 'unread') throw record.error;
    const outcome = record?.kind === 'terminal' ? record.outcome : undefined;
    return outcome?.status === 'failed' && outcome.code === 'CANCELLED' ? 'cancelled' : 'too-late';
  }

  /** The actor type among whose unsettled messages it is, and where. */
  async #find(shard: number, types: readonly string[], messageId: string): Promise<{ type: string; place: Place } | undefined> {
    for (const type of types) {
      const place = await placeOf(this.link, this.keys, { type, shard }, messageId);
      if (place !== undefined) return { type, place };
    }
    return undefined;
  }

  /** Wakes the owner, which does not know where each message rests, and tells it where to look. */
  async #ask(shard: number, type: string, messageId: string, place: Place): Promise<void> {
    const id = this.ids.next(shard);
    const { name } = this.keys;
    const verb: Verb = place.kind === 'schedule' ? 'withdraw' : 'cancel';
    const subject = place.kind === 'aside' ? place.key : place.kind === 'schedule' ? place.scheduled : NO_PLACE;
    const headers = { id, type: verb, kind: 'request', source: name, subject } as const;
    const fields = toFields({ ...headers, time: this.clock.now(), correlationId: messageId, data: messageId });
    const stream = this.keys.inbox(type, shard);
    await this.appender.append(shard, { messageId: id, stream, to: undefined, bounded: false, fields, outcome: undefined });
  }
}
