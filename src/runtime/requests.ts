import { type Aside, type AsideLists, REQUESTS } from '../log/aside.js';
import { parkedLetter, readLetter, removeLetter, type StoredLetter } from '../log/dead-letter.js';
import type { PartitionId } from '../log/lease.js';
import { fieldOf, fromFields } from '../message/envelope.js';
import { asError, ErrandError } from '../message/errors.js';
import type { Activations } from './activations.js';
import type { Asides } from './asides.js';
import type { Attempt } from './attempt.js';
import type { Cancellations } from './cancellations.js';
import type { Committer, Gathering } from './committer.js';
import type { Held } from './held.js';
import type { Host } from './host.js';
import type { SpoiledLists } from './spoiled.js';
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
 * Q3: a request to cancel is over only when its message is known to be out of its key's list, or at work: a list that changes while it is read
 *     is read again.
 */

/** A list that changed while it was read is read again after this, and after twice as long each time it has changed once more. */
const AGAIN_MIN_MS = 20;
const AGAIN_MAX_MS = 1_000;

/** The owner, as far as it is needed here. */
interface Owner {
  readonly host: Host;
  readonly shard: number;
  readonly committer: Committer;
  readonly verdicts: Verdicts;
  readonly cancellations: Cancellations;
  readonly running: Iterable<Attempt>;
  readonly asides: Asides;
  readonly activations: Activations;
  readonly dropped: boolean;
  settle(held: Held, gathering: Gathering): Gathering;
  /** it waits for an owner that can be asked for it; undefined: it may not, or not any longer */
  unhandled(held: Held, error: Error, refused: boolean): Gathering | undefined;
  givenUp(held: Held, error: Error): Error;
  readonly spoiled: SpoiledLists;
  /** it leaves memory, and stays where it stands in the log */
  forget(held: Held): void;
  deadLetter(held: Held, code: string, error: Error): Gathering;
  endCancelled(gathering: Gathering, cancelled: Pick<Held, 'envelope'>): void;
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

  /** Q1. @param pause before it is served again, should it have to be, ms */
  take(held: Held, pause = AGAIN_MIN_MS): void {
    this.#last = this.#last.then(() => this.#serve(held, pause)).catch((thrown: unknown) => this.#failed(held, asError(thrown)));
  }

  /** What is asked of a key whose list is none cannot be done; the other keys go on. */
  #failed(held: Held, error: Error): void {
    if (this.owner.spoiled.learn(error)) this.owner.deadLetter(held, 'REDIS_WRONG_TYPE', error);
    else this.onFailed(error);
  }

  async #serve(held: Held, pause: number): Promise<void> {
    const { owner, lists, waiting } = this;
    const { host, shard, committer } = owner;
    const { keys, link } = host.deps;
    if (waiting.isStale(held)) return owner.forget(held); // one before it waits
    const id: PartitionId = { type: host.type, shard };
    const { type: verb, subject: key, data: letterId } = held.envelope;
    if (verb === 'cancel') return this.#cancel(held, pause);
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

  /** A message in memory, or on its way there, is seen there; one that rests in its key's list is taken out of it. */
  async #cancel(held: Held, pause: number): Promise<void> {
    const { owner } = this;
    await owner.cancellations.refresh(owner.running);
    if (!(await owner.committer.flushed())) return;
    const rests = await this.#inList(held.envelope.subject, held.envelope.data);
    if (rests === 'again') return this.#later(held, pause);
    const gathering = owner.committer.gather();
    if (rests !== undefined) this.#takeOut(gathering, held.envelope.subject, rests);
    owner.settle(held, gathering);
  }

  /** Q3. Others that ask need not wait for it (Q1); it stays in the inbox. */
  #later(held: Held, pause: number): void {
    const { owner } = this;
    owner.host.deps.clock.after(pause, () => {
      if (!owner.dropped) this.take(held, Math.min(2 * pause, AGAIN_MAX_MS));
    });
  }

  /** The message where it rests in its key's list. Undefined: it does not; `again`: the list has changed meanwhile (waiting-keys, W4). */
  async #inList(key: string, messageId: string): Promise<Resting | 'again' | undefined> {
    const { owner, lists, waiting } = this;
    if (!waiting.has(key)) return undefined;
    const version = waiting.version(key);
    if (version === undefined || !(await owner.committer.flushed())) return 'again';
    const { keys, link } = owner.host.deps;
    const asides = await lists.window(link, key, waiting.lengthOf(key));
    const at = asides.findIndex(({ fields }) => fieldOf(fields, 'id') === messageId);
    const aside = asides[at];
    if (aside === undefined) return waiting.version(key) === version ? undefined : 'again';
    const id: PartitionId = { type: owner.host.type, shard: owner.shard };
    const letter = at === 0 && waiting.parked(key) ? await parkedLetter(link, keys, id, aside.entry) : undefined;
    if (waiting.version(key) !== version) return 'again';
    const current = owner.activations.get(key)?.current;
    const atWork = current?.stage === 'begun' && current.entry === aside.entry;
    return atWork ? undefined : { aside, first: at === 0, letter };
  }

  #takeOut(gathering: Gathering, key: string, { aside, first, letter }: Resting): void {
    const { owner, waiting } = this;
    const { type } = owner.host;
    const envelope = fromFields(aside.fields);
    if ('fault' in envelope || !owner.cancellations.has({ envelope })) return;
    if (letter !== undefined) removeLetter(gathering.batch, owner.host.deps.keys, { type, shard: owner.shard }, letter);
    waiting.takeOut(gathering, key, aside, first);
    owner.cleared(aside.entry, gathering);
    owner.endCancelled(gathering, { envelope });
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
    const { owner } = this;
    const envelope = fromFields(fields);
    if ('fault' in envelope || envelope.id !== messageId || !owner.cancellations.has({ envelope })) return false;
    owner.endCancelled(gathering, { envelope });
    return true;
  }
}

/** A message that rests in its key's list, not in memory. */
interface Resting {
  readonly aside: Aside;
  readonly first: boolean;
  /** that points to it, when it is parked */
  readonly letter: string | undefined;
}
