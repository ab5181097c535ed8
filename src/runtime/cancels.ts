import type { Appender } from '../log/appender.js';
import { mark, placeOf, unmark, wasCancelled } from '../log/cancelled.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import { readOutcomes } from '../log/outcome.js';
import { recordedActorTypes } from '../log/system-record.js';
import type { Clock } from '../message/clock.js';
import { toFields } from '../message/envelope.js';
import { InvalidValueError } from '../message/errors.js';
import { type Ids, shardOfId } from '../message/ids.js';
import { checkId } from '../message/names.js';
import type { Verb } from './verbs.js';

/** What came of the wish: the command ends as `failed`, `CANCELLED`; or it had its outcome already, or nobody knows it. */
export type Cancellation = 'cancelled' | 'too-late';

/** Cancels commands, from any node or a client without actors. */
export class Cancels {
  constructor(
    private readonly keys: Keys,
    private readonly link: Link,
    private readonly appender: Appender,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  /**
   * An id does not tell its actor type, so that the mark is made for each; then the message is looked for. Where it is found after the mark was
   * made it can only end as cancelled; the other marks go.
   */
  async cancel(messageId: string): Promise<Cancellation> {
    const { keys, link, clock } = this;
    const shard = shardOfId(checkId(messageId, 'messageId'));
    if (shard === undefined || shard >= keys.shards)
      throw new InvalidValueError('INVALID_ID', 'messageId', messageId, 'the id of a message that this system sent');
    const types = await recordedActorTypes(link, keys);
    const message = { id: messageId, at: clock.now(), request: this.#request('cancel', shard, messageId, messageId).fields };
    if ((await mark(link, keys, shard, types, message)) === 'too-late') {
      const [record] = await readOutcomes(link, keys, [{ shard, messageId }]);
      if (record?.kind === 'unread') throw record.error;
      const { outcome } = record?.kind === 'terminal' ? record : { outcome: undefined };
      return outcome?.status === 'failed' && outcome.code === 'CANCELLED' ? 'cancelled' : 'too-late'; // asked again
    }
    const found = await this.#find(shard, types, messageId);
    const nothing = types.filter((type) => type !== found?.type || found.over); // nothing is left to cancel there
    await unmark(link, keys, shard, nothing, messageId);
    if (found !== undefined) return 'cancelled';
    // It may have been sent after it was looked for; now that no mark stands, nothing more can come of one.
    for (const type of types) if (await wasCancelled(link, keys, { type, shard }, messageId)) return 'cancelled';
    return 'too-late';
  }

  /** The actor type among whose unsettled messages it is; `over`: or was, until its owner acted on a mark, of this wish or an earlier one. */
  async #find(shard: number, types: readonly string[], messageId: string): Promise<{ type: string; over: boolean } | undefined> {
    const { keys, link } = this;
    for (const type of types) {
      const id = { type, shard };
      const place = await placeOf(link, keys, id, messageId);
      // It may rest there for long: the owner, which does not know where each message stands, is told where to look.
      if (place !== undefined && place.kind !== 'inbox') {
        const request =
          place.kind === 'aside'
            ? this.#request('cancel', shard, messageId, place.key)
            : this.#request('withdraw', shard, messageId, place.scheduled);
        const { id: requestId, fields } = request;
        const stream = keys.inbox(type, shard);
        await this.appender.append(shard, { messageId: requestId, stream, bounded: false, fields, outcome: undefined });
      }
      if (place !== undefined) return { type, over: false };
      if (await wasCancelled(link, keys, id, messageId)) return { type, over: true };
    }
    return undefined;
  }

  /** @param place where to look; any text when nobody knows */
  #request(verb: Verb, shard: number, messageId: string, place: string): { id: string; fields: string[] } {
    const id = this.ids.next(shard);
    const { name } = this.keys;
    const headers = { id, type: verb, kind: 'request', source: name, subject: place } as const;
    return { id, fields: toFields({ ...headers, time: this.clock.now(), correlationId: messageId, data: messageId }) };
  }
}
