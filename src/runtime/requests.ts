import { type AsideLists, REQUESTS } from '../log/aside.js';
import { parkedLetter, readLetter, removeLetter, type StoredLetter } from '../log/dead-letter.js';
import type { PartitionId } from '../log/lease.js';
import { fieldOf, fromFields } from '../message/envelope.js';
import { asError, ErrandError } from '../message/errors.js';
import type { Asides } from './asides.js';
import type { Attempt } from './attempt.js';
import type { Cancellations } from './cancellations.js';
import type { Committer, Gathering } from './committer.js';
import type { Held } from './held.js';
import type { Host } from './host.js';
import type { Timetable } from './timetable.js';
import type { Verdicts } from './verdicts.js';
import type { WaitingKeys } from './waiting-keys.js';

/**
 * What others ask a partition's owner to do: with a parked message, or to look at what was cancelled. They ask through the inbox
 * (docs/adr/0008): so it is durable, the owner sees it without being called, and it is the owner alone who writes its aside lists and schedule.
 *
 * Q1: requests are served one at a time, each in one commit that also removes the request.
 * Q2: a request names a letter. It is done only if the letter is still there and its message is still the parked head of its key; so asking
 *     twice does it once.
 */

/** The owner, as far as it is needed here. */
interface Owner {
  readonly host: Host;
  readonly shard: number;
  readonly committer: Committer;
  readonly verdicts: Verdicts;
  readonly cancellations: Cancellations;
  readonly running: Iterable<Attempt>;
  readonly asides: Asides;
  settle(held: Held, gathering: Gathering): Gathering;
  /** it waits for an owner that can be asked for it; undefined: it may not, or not any longer */
  unhandled(held: Held, error: Error, refused: boolean): Gathering | undefined;
  givenUp(held: Held, error: Error): Error;
  /** it leaves memory, and stays where it stands in the log */
  forget(held: Held): void;
  deadLetter(held: Held, code: string, error: Error): Gathering;
  /** a message that was set aside is settled */
  cleared(entry: string, gathering: Gathering): void;
}

export class Requests {
  #last: Promise<void> = Promise.resolve();

  constructor(
    private readonly owner: Owner,
    private readonly lists: AsideLists,
    private readonly waiting: WaitingKeys,
    private readonly timetable: Timetable,
    private readonly onFailed: (error: Error) => void,
  ) {}

  /** Q1 */
  take(held: Held): void {
    this.#last = this.#last.then(() => this.#serve(held)).catch((thrown: unknown) => this.onFailed(asError(thrown)));
  }

  async #serve(held: Held): Promise<void> {
    const { owner, lists, waiting } = this;
    const { host, shard, committer } = owner;
    const { keys, link } = host.deps;
    if (waiting.isStale(held)) return owner.forget(held); // one before it waits
    const id: PartitionId = { type: host.type, shard };
    const { type: verb, subject: key, data: letterId } = held.envelope;
    if (verb === 'cancel') return this.#cancel(held);
    if (verb === 'withdraw') return this.#withdraw(held);
    if (verb !== 'redrive' && verb !== 'discard') return this.#unknown(held);
    if (!(await committer.flushed())) return;
    const [letter, [head]] = await Promise.all([readLetter(link, keys, id, letterId), lists.window(link, key, 1)]);
    const gathering = committer.gather();
    if (letter?.parked) removeLetter(gathering.batch, keys, id, letterId); // also one whose message has gone otherwise
    // Q2
    if (letter?.parked && head !== undefined && head.entry === letter.entry && waiting.parked(key)) {
      const envelope = fromFields(head.fields);
      const messageId = 'fault' in envelope ? undefined : envelope.id;
      if (verb === 'redrive') waiting.unpark(gathering, key, head);
      else {
        waiting.dismiss(gathering, key);
        owner.cleared(head.entry, gathering);
        if (!('fault' in envelope)) this.#discarded({ ...held, envelope }, head.fields, letter, gathering);
      }
      const kind = verb === 'redrive' ? 'redriven' : 'discarded';
      gathering.after(() => host.deps.signals.emit({ kind, actor: id.type, letter: `${id.type}/${shard}/${letterId}`, messageId }));
    }
    owner.settle(held, gathering);
  }

  /** A newer node asks for it: it waits among its like for an owner that knows it. Requests are for no actor, and in the way of no key. */
  #unknown(held: Held): void {
    const { owner, waiting } = this;
    if (held.drain === undefined && waiting.has(REQUESTS)) return owner.asides.follow(held);
    const error = new ErrandError('UNKNOWN_MESSAGE', `an owner cannot be asked to '${held.envelope.type}'`);
    if (owner.unhandled(held, error, false) === undefined) owner.deadLetter(held, 'UNKNOWN_MESSAGE', owner.givenUp(held, error));
  }

  /** The outcome of a parked message that is put away. Somebody may have cancelled it as well, and was told so. */
  #discarded(parked: Held, fields: readonly string[], { reason, message }: StoredLetter, gathering: Gathering): void {
    if (this.#endsCancelled(fields, parked.envelope.id, gathering)) return;
    gathering.settle(parked); // a mark that nobody has seen yet counts
    this.owner.verdicts.answer(parked, gathering, { status: 'failed', code: 'DEAD_LETTERED', message: `discarded; ${reason}: ${message}` });
  }

  /** What runs, or comes into memory, is seen there; what rests in its key's list is taken out of it. */
  async #cancel(held: Held): Promise<void> {
    const { owner, lists, waiting } = this;
    const { committer, cancellations, host } = owner;
    const { subject: key, data: messageId } = held.envelope;
    await cancellations.refresh(owner.running);
    if (!(await committer.flushed())) return;
    const { keys, link } = host.deps;
    const id: PartitionId = { type: host.type, shard: owner.shard };
    const asides = waiting.rests(key) ? await lists.window(link, key, waiting.lengthOf(key)) : [];
    const at = asides.findIndex(({ fields }) => fieldOf(fields, 'id') === messageId);
    const letter = at === 0 && waiting.parked(key) ? await parkedLetter(link, keys, id, asides[0]?.entry ?? '') : undefined;
    const gathering = committer.gather();
    const aside = waiting.rests(key) ? asides[at] : undefined; // it may go on since
    if (aside !== undefined && this.#endsCancelled(aside.fields, messageId, gathering)) {
      if (letter !== undefined) removeLetter(gathering.batch, keys, id, letter);
      waiting.takeOut(gathering, key, aside, at === 0);
      owner.cleared(aside.entry, gathering);
    }
    owner.settle(held, gathering);
  }

  /** What has become due meanwhile is back in the inbox, and is seen there. */
  async #withdraw(held: Held): Promise<void> {
    const { owner, timetable } = this;
    const { subject: scheduled, data: messageId } = held.envelope;
    await owner.cancellations.refresh(owner.running);
    await timetable.withdraw(scheduled, (fields, gathering) => {
      owner.settle(held, gathering);
      return fields !== undefined && this.#endsCancelled(fields, messageId, gathering);
    });
  }

  /** The outcome of a message that rests somewhere; false: it is not that message, or nobody has marked it. */
  #endsCancelled(fields: readonly string[], messageId: string, gathering: Gathering): boolean {
    const { cancellations, verdicts, host } = this.owner;
    const envelope = fromFields(fields);
    if ('fault' in envelope || envelope.id !== messageId || !cancellations.has({ envelope })) return false;
    cancellations.clear(gathering, { envelope });
    const message = `${messageId} was cancelled`;
    verdicts.answer({ envelope }, gathering, { status: 'failed', code: 'CANCELLED', message });
    host.signal('message-failed', { envelope }, { code: 'CANCELLED', message });
    return true;
  }
}
