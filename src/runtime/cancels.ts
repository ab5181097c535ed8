import { isUnsettled, mark, unmark, wasCancelled } from '../log/cancelled.js';
import type { Link } from '../log/connection.js';
import type { Keys } from '../log/keys.js';
import { recordedActorTypes } from '../log/system-record.js';
import type { Clock } from '../message/clock.js';
import { toFields } from '../message/envelope.js';
import { InvalidValueError } from '../message/errors.js';
import { type Ids, shardOfId } from '../message/ids.js';
import { checkId } from '../message/names.js';

/** What came of the wish: the command ends as `failed`, `CANCELLED`; or it had its outcome already, or nobody knows it. */
export type Cancellation = 'cancelled' | 'too-late';

/** Cancels commands, from any node or a client without actors. */
export class Cancels {
  constructor(
    private readonly keys: Keys,
    private readonly link: Link,
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
    const id = this.ids.next(shard);
    const request = toFields({
      id,
      type: 'cancel',
      kind: 'request',
      source: keys.name,
      subject: 'cancel',
      time: clock.now(),
      correlationId: messageId,
      data: messageId,
    });
    if ((await mark(link, keys, shard, types, { id: messageId, at: clock.now(), request })) === 'too-late') return 'too-late';
    const found = await this.#find(shard, types, messageId);
    const elsewhere = types.filter((type) => type !== found);
    await unmark(link, keys, shard, elsewhere, messageId);
    return found === undefined ? 'too-late' : 'cancelled';
  }

  /** The actor type among whose unsettled messages it is, or was until its owner acted on the mark. */
  async #find(shard: number, types: readonly string[], messageId: string): Promise<string | undefined> {
    const { keys, link } = this;
    for (const type of types) {
      const id = { type, shard };
      if ((await isUnsettled(link, keys, id, messageId)) || (await wasCancelled(link, keys, id, messageId))) return type;
    }
    return undefined;
  }
}
