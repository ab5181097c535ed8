import type { Link } from '../log/connection.js';
import { timeOf } from '../log/entry.js';
import { type UnhandledRecord, UnhandledRecords } from '../log/unhandled.js';
import { codeOf, ErrandError } from '../message/errors.js';
import { UNHANDLED_TOLD } from '../message/limits.js';
import { isName } from '../message/names.js';
import type { Asides } from './asides.js';
import { meets, type Need, needOf, refusedBy } from './build.js';
import type { Committer, Gathering } from './committer.js';
import { type Held, listOf } from './held.js';
import type { Host } from './host.js';
import type { WaitingKeys } from './waiting-keys.js';

/**
 * A partition's messages that this node cannot handle, and a node of another build may: during a rolling deploy a newer node sends what an older
 * one has no handler for, or what its schemas refuse.
 *
 * U1: such a message waits in its place, at the head of its key's aside list; its key waits with it, other keys go on.
 * U2: since when it waits is recorded in the same commit, so that the time it may wait is the same whoever owns the partition.
 * U3: an owner that can handle it lets its key go on at once.
 * U4: the record stands for as long as its message does, also while it is being handled: another build may refuse it as well.
 */

/** The partition, as far as it is needed here. */
interface Owner {
  readonly host: Host;
  readonly shard: number;
  readonly committer: Committer;
  readonly waiting: WaitingKeys;
  readonly asides: Asides;
}

/** Of other nodes that can handle it so many are named. */
const NODES_NAMED = 10;

export class Unhandled {
  readonly #records: UnhandledRecords;
  readonly #byKey = new Map<string, UnhandledRecord>();
  /** when the first of a waiting key's messages was found to be unhandled; those behind it wait for as long as they have stood there */
  readonly #since = new Map<string, number>();
  /** of what this node cannot handle, how many keys wait for it */
  readonly #needs = new Map<Need, number>();

  constructor(private readonly owner: Owner) {
    const { host, shard } = owner;
    this.#records = new UnhandledRecords(host.deps.keys, { type: host.type, shard });
  }

  /** What this node cannot handle, and messages wait for. */
  get needs(): ReadonlyMap<Need, number> {
    return this.#needs;
  }

  /** Learns what waits from its predecessor's time. U3 */
  async load(link: Link): Promise<void> {
    const { committer, waiting, host } = this.owner;
    const { clock, membership } = host.deps;
    for (const [key, record] of await this.#records.load(link)) {
      if (record === undefined || waiting.dueOf(key) !== record.due) {
        this.#records.clear(committer.gather().batch, key); // the key waits for something else since, or was handled by an errand that keeps no such record
        continue;
      }
      this.#since.set(key, record.since);
      if (this.#can(record.need)) {
        const gathering = committer.gather();
        this.#put(gathering, key, { ...record, due: waiting.goOn(gathering, key) });
      } else {
        this.#hold(key, record);
        waiting.defer(key, Math.max(record.due, clock.now() + membership.lease / 2)); // for the partition to come to a node that can
      }
    }
  }

  #can(need: Need): boolean {
    return meets(this.owner.host.version, need);
  }

  /**
   * The message waits for a node that can handle it.
   * @param refused this node knows its type, and its schemas do not take it: it waits only while a node lives that has not refused it
   * @returns undefined when it may not wait, or not any longer
   */
  wait(held: Held, error: Error, refused: boolean): Gathering | undefined {
    const { host, asides } = this.owner;
    const { clock } = host.deps;
    const { envelope } = held;
    const key = listOf(held);
    const need = this.#needOf(held, refused);
    if (need === undefined) return undefined;
    const now = Math.floor(clock.now());
    const since = this.#sinceOf(held, now);
    const until = since + host.settings.unhandledTimeout;
    if (until <= now) return undefined;
    const due = envelope.expires === undefined ? until : Math.min(until, envelope.expires);
    const gathering = asides.wait(held, due);
    this.#since.set(key, Math.min(since, this.#since.get(key) ?? since));
    this.#put(gathering, key, { entry: held.entry, since, due, need });
    this.#tell(held, error, need, until);
    return gathering;
  }

  /** undefined: no node is known that could handle it, and none may come */
  #needOf(held: Held, refused: boolean): Need | undefined {
    const { type, version, deps } = this.owner.host;
    if (!isName(held.envelope.type)) return undefined; // no version has a handler for it
    if (!refused) return needOf(held.envelope);
    const record = this.#recordOf(held);
    const need = needOf(held.envelope, [...(record === undefined ? [] : refusedBy(record.need)), version.digest]);
    return deps.membership.meeting(type, need).length > 0 ? need : undefined;
  }

  #recordOf(held: Held): UnhandledRecord | undefined {
    const record = this.#byKey.get(listOf(held));
    return record?.entry === held.entry ? record : undefined;
  }

  /** U2 */
  #sinceOf(held: Held, now: number): number {
    const record = this.#recordOf(held);
    if (record !== undefined) return record.since;
    const first = this.#since.get(listOf(held));
    return first === undefined ? now : Math.min(now, Math.max(first, timeOf(held.entry)));
  }

  /** Why it is given up: how long it has waited, and who could handle it. */
  givenUp(held: Held, error: Error): Error {
    const { host } = this.owner;
    const { clock, membership } = host.deps;
    const now = clock.now();
    const waited = now - this.#sinceOf(held, now);
    if (waited <= 0) return error;
    const need = this.#recordOf(held)?.need ?? needOf(held.envelope);
    const nodes = membership.meeting(host.type, need).slice(0, NODES_NAMED);
    const who = nodes.length === 0 ? 'none is there' : `there is ${nodes.join(', ')}`;
    return new ErrandError(
      codeOf(error, 'UNKNOWN_MESSAGE'),
      `${error.message}; it waited ${Math.round(waited / 1_000)} s for a node that can handle it, and ${who}`,
    );
  }

  /**
   * Of a key's first message, which is dealt with or waits for something else, no record stays.
   * @param entry of the message that is dealt with, where it need not be the first
   */
  moved(key: string, gathering: Gathering, waits: boolean, entry?: string): void {
    if (!waits) this.#since.delete(key);
    const record = this.#byKey.get(key);
    if (record === undefined || (entry !== undefined && record.entry !== entry)) return;
    this.#forget(key, record);
    this.#records.clear(gathering.batch, key);
  }

  #put(gathering: Gathering, key: string, record: UnhandledRecord): void {
    this.#records.write(gathering.batch, key, record);
    this.#hold(key, record);
  }

  #hold(key: string, record: UnhandledRecord): void {
    this.#byKey.set(key, record);
    if (!this.#can(record.need)) this.#needs.set(record.need, (this.#needs.get(record.need) ?? 0) + 1);
  }

  #forget(key: string, { need }: UnhandledRecord): void {
    this.#byKey.delete(key);
    const others = (this.#needs.get(need) ?? 0) - 1;
    if (others > 0) this.#needs.set(need, others);
    else this.#needs.delete(need);
  }

  /** Once for each type of message. */
  #tell({ envelope }: Held, error: Error, need: Need, until: number): void {
    const { host } = this.owner;
    const { signals, logger, membership } = host.deps;
    const { kind: of, type, subject: key, id: messageId, correlationId } = envelope;
    const reason = codeOf(error, 'UNKNOWN_MESSAGE');
    if (!host.unhandledTypes.isNew(`${reason} ${of} ${type}`)) return;
    const knownBy = membership.meeting(host.type, need).slice(0, NODES_NAMED);
    const told = { actor: host.type, key, messageId, type, correlationId, of, reason, knownBy, until: new Date(until) };
    signals.emit({ kind: 'unhandled', ...told });
    const who = knownBy.length === 0 ? 'none is there yet' : `there is ${knownBy.join(', ')}`;
    logger.warn(told, `messages wait for a node that can handle them, and ${who}: ${error.message}`);
  }
}

/** What a node has said already that it cannot handle. */
export class UnhandledTypes {
  readonly #told = new Set<string>();

  isNew(name: string): boolean {
    if (this.#told.has(name)) return false;
    if (this.#told.size >= UNHANDLED_TOLD) this.#told.clear();
    this.#told.add(name);
    return true;
  }
}
