import { CommandError, type Reply } from '../../src/memory-redis/reply.js';
import { isCancelled } from './cancellers.js';
import type { Counts } from './counts.js';
import { ENDED, type End, type Fates, isDone } from './fates.js';
import { LetterBook } from './letters.js';
import { firstOf } from './packed.js';
import { type Change, type Message, Shadow } from './shadow.js';
import type { Observer } from './store.js';
import type { Word } from './workload.js';
import { tagOf } from './world.js';

/** What must hold did not. */
export interface Violation {
  /** which property, in a few words */
  readonly check: string;
  readonly text: string;
}

type Of<K extends Change['kind']> = Extract<Change, { readonly kind: K }>;

/**
 * Watches the store. Each write is held against what a commit is: all that one message does, or nothing of it.
 *
 * Looked at with each commit: its nonce is the one in the partition's hash; every message that leaves the inbox, and none other, has its
 * result, its state and its outgoing messages in that very commit; a state is one version and one message longer; a key's messages end in
 * the order in which they stand; a cursor moves over exactly the facts that are taken in with it.
 */
export class Witness implements Observer {
  shadow = new Shadow();
  readonly violations: Violation[] = [];
  readonly letters: LetterBook;
  /** commits that were applied */
  commits = 0;
  /** words that somebody tells, or told */
  readonly intended = new Set<string>();
  /** word → id of the message that it was appended as */
  #appended = new Map<string, string>();
  #publishedIds = new Set<string>();
  #appendIds = new Set<string>();
  #nonces = new Map<string, Set<string>>();
  #changes: Change[] | undefined;
  #replaying = false;

  /**
   * @param scriptOf the name of the script that a request runs
   * @param lengthOf how many entries a stream of the store has
   */
  constructor(
    private readonly scriptOf: (words: readonly string[]) => string | undefined,
    private readonly lengthOf: (stream: string) => number,
    readonly fates: Fates,
    private readonly counts: Counts,
  ) {
    this.letters = new LetterBook(
      () => this.shadow,
      fates,
      counts,
      (check, text) => this.#violated(check, text),
    );
  }

  /** The message that a word stands in the store as. */
  idOf(word: string): string | undefined {
    return this.#appended.get(word);
  }

  /** It is an `append`, which came from outside. */
  isAppend(id: string): boolean {
    return this.#appendIds.has(id);
  }

  isFact(id: string): boolean {
    return this.#publishedIds.has(id);
  }

  /** The store loses what it held, and reads it again from its log: `replay` does that. */
  replay(run: () => void): void {
    this.shadow = new Shadow();
    this.#appended = new Map();
    this.#publishedIds = new Set();
    this.#appendIds = new Set();
    this.#nonces = new Map();
    this.letters.forget();
    this.#replaying = true;
    run();
    this.#replaying = false;
  }

  // ---- as the store's observer -----------------------------------------------------------------------------------------------------

  requested(): void {
    this.#changes = [];
  }

  wrote(words: readonly string[], reply: Reply): void {
    let changes: Change[];
    try {
      changes = this.shadow.apply(words, reply);
    } catch (error) {
      return this.#violated('what is written can be read', (error as Error).message);
    }
    if (this.#replaying) for (const change of changes) this.#replayed(change);
    else this.#changes?.push(...changes);
  }

  answered(words: readonly string[], reply: Reply): void {
    const changes = this.#changes ?? [];
    this.#changes = undefined;
    if (changes.length === 0) return;
    for (const change of changes) if (change.kind === 'nonce') this.#nonceSet(change);
    const script = this.scriptOf(words);
    const text = typeof reply === 'string' ? reply : '';
    if (script === 'commit') {
      const keys = Number(words[2]);
      if (text === 'committed') this.#committed(words[3] as string, firstOf(words.slice(3 + keys)), changes);
      else
        this.#violated(
          'a commit that was refused changes nothing',
          `${reply instanceof CommandError ? reply.message : text}: ${brief(changes)}`,
        );
    } else if (script === 'append') for (const change of changes) this.#told(change);
    else if (script === 'redrive') this.#cameBack(changes);
    else if (script === 'cancel') this.#unwanted(changes);
    else if (words[0] === 'XDEL') this.letters.discarded(changes);
    else if (changes.some(({ kind }) => kind !== 'nonce' && kind !== 'cursor')) {
      this.#violated('whatever an owner writes goes through its commit', `${words[0]} ${words[1]}: ${brief(changes)}`);
    }
    for (const inbox of new Set(changes.flatMap((change) => ('message' in change ? [inboxOf(change.message)] : [])))) {
      const [known, kept] = [this.shadow.inboxes.get(inbox)?.size ?? 0, this.lengthOf(inbox)];
      if (known !== kept) this.#violated('nothing leaves an inbox unsettled', `${inbox} holds ${kept} entries, ${known} are not settled`);
    }
  }

  #violated(check: string, text: string): void {
    this.violations.push({ check, text });
  }

  #nonceSet({ partition, nonce }: Of<'nonce'>): void {
    if (nonce === undefined) return;
    const seen = this.#nonces.get(partition) ?? new Set();
    this.#nonces.set(partition, seen);
    if (seen.has(nonce)) this.#violated('a nonce never comes back', `${partition}: ${nonce}`);
    seen.add(nonce);
  }

  /** A handler begins, at this time by the clock of its node. @returns how long it may take, ms */
  begins(id: string, now: number): number {
    const expires = this.shadow.expiries.get(id);
    if (expires !== undefined && expires <= now)
      this.#violated('nothing is begun after its expiry', `${id} is, ${now - expires} ms after it`);
    return expires === undefined ? Number.POSITIVE_INFINITY : expires - now;
  }

  // ---- from outside the actors -----------------------------------------------------------------------------------------------------

  #told(change: Change): void {
    if (change.kind !== 'arrived' && change.kind !== 'fact') {
      return this.#violated('an append only appends', brief([change]));
    }
    if (change.kind === 'arrived' && change.message.kind === 'request') return;
    const word = this.#landed(change);
    if (!this.intended.has(word)) this.#violated('no phantom', `nobody told ${word}`);
  }

  /** @returns its word */
  #landed(change: Of<'arrived'> | Of<'fact'>): string {
    const { word, id } = change.kind === 'fact' ? change : { id: change.message.id, word: (JSON.parse(change.message.data) as Word).word };
    if (this.#appended.has(word)) this.#violated('what is told lands once', `${word} was appended again`);
    this.#appended.set(word, id);
    if (change.kind === 'fact') this.#publishedIds.add(id);
    else this.#appendIds.add(id);
    return word;
  }

  #cameBack(changes: readonly Change[]): void {
    const message = this.letters.cameBack(changes);
    if (message?.type === 'append') this.#appendIds.add(message.id);
  }

  #unwanted(changes: readonly Change[]): void {
    for (const change of changes)
      if (change.kind !== 'arrived' || change.message.kind !== 'request')
        this.#violated('a cancel marks and asks, no more', brief([change]));
  }

  #replayed(change: Change): void {
    if (change.kind === 'nonce') this.#nonceSet(change);
    if (change.kind === 'removed' && !this.#asideHolds(change.message)) drop(this.shadow.queueOf(change.message), change.message);
    if (change.kind === 'popped' || change.kind === 'taken out') drop(this.shadow.queueOf(change.message), change.message);
    if (change.kind === 'arrived' && change.message.type === 'append') this.#appendIds.add(change.message.id);
    // One that comes back from the schedule has landed before.
    if (change.kind === 'arrived' && change.message.cause === undefined && change.message.kind === 'command') {
      if (!this.#comesBack(change.message.id)) this.#landed(change);
    } else if (change.kind === 'fact' && change.cause === undefined) this.#landed(change);
  }

  #comesBack(id: string): boolean {
    return [...this.shadow.scheduled.values()].some((entries) => [...entries.values()].some((message) => message.id === id));
  }

  #asideHolds({ actor, shard, key, entry }: Message): boolean {
    return this.shadow.asides.get(`${tagOf(shard)}${actor}:aside:${key}`)?.some((message) => message.entry === entry) === true;
  }

  // ---- commits ---------------------------------------------------------------------------------------------------------------------

  #committed(partition: string, nonce: string, changes: readonly Change[]): void {
    this.commits += 1;
    const owner = this.shadow.partitions.get(partition)?.get('nonce');
    if (owner !== nonce)
      this.#violated('no commit under a superseded nonce', `${partition}: ${nonce} committed, the owner is ${owner ?? 'nobody'}`);
    const of = <K extends Change['kind']>(kind: K): Of<K>[] => changes.filter((change) => change.kind === kind) as Of<K>[];
    const moved = new Set([...of('set aside'), ...of('postponed')].map(({ message }) => message.entry));
    const gone = [...of('removed'), ...of('popped')].map(({ message }) => message);
    const back = new Set(of('arrived').map(({ message }) => message.id));
    // A message that is cancelled before it has begun leaves before those in front of it.
    const cancelled = new Set(of('result').flatMap((one) => (isCancelled(one.answer) ? [one.of] : [])));
    const left = gone.filter(({ entry, kind }) => !moved.has(entry) && kind !== 'request');
    const resting = [...of('taken out'), ...of('left the schedule').filter(({ message }) => !back.has(message.id))].map(
      ({ message }) => message,
    );
    for (const message of left) if (message.kind === 'command' && cancelled.has(message.id)) resting.push(message);
    for (const message of [...resting, ...of('postponed').map((one) => one.message)]) drop(this.shadow.queueOf(message), message);
    const settled = this.#inOrder(
      left.filter((message) => !resting.includes(message)),
      of('set aside'),
    );
    const [written, taken] = [of('dead letter').map(({ letter }) => letter), of('letter gone').map(({ letter }) => letter)];
    const dead = new Set([...written, ...taken].map(({ entry }) => entry));
    const ends = this.#answers([...settled, ...resting], of('result'), dead);
    for (const message of resting)
      if (ends.get(message) !== 'cancelled') this.#violated('only what is cancelled leaves its place', message.id);
    this.letters.committed(ends, written, taken, of('head'));
    this.#attempts(of('head'));
    this.#inTheirTime(ends, of('popped'), dead);
    this.#states(ends, of('state'));
    this.#sent(
      ends,
      of('arrived'),
      of('fact'),
      of('left the schedule')
        .map(({ message }) => message.id)
        .filter((id) => back.has(id)),
    );
    this.#takenIn(partition, of('cursor'), of('arrived'));
  }

  /** A key's messages end in the order of its inbox; what is set aside stands in front of the rest. @returns them in that order */
  #inOrder(settled: readonly Message[], aside: readonly Of<'set aside'>[]): readonly Message[] {
    const ordered: Message[] = [];
    const left = new Set(settled);
    for (const message of settled) {
      const queue = this.shadow.queueOf(message);
      for (let first = queue[0]; first !== undefined; first = queue[0]) {
        const same = [...left].find(({ entry, actor, key }) => entry === first?.entry && actor === first.actor && key === first.key);
        if (same === undefined) break;
        left.delete(same);
        ordered.push(same);
        queue.shift();
      }
    }
    for (const { id, actor, key } of left) {
      const first = this.shadow.queueOf({ actor, key })[0];
      this.#violated(
        "a key's messages end in the order of its inbox",
        `${id} of ${actor}/${key} was settled before ${first?.id ?? 'anybody'}`,
      );
    }
    for (const { list, message } of aside) {
      const queue = this.shadow.queueOf(message);
      const held = this.shadow.asides.get(list) ?? [];
      if (held.some(({ entry }, i) => queue[i]?.entry !== entry))
        this.#violated(
          'what is set aside keeps its order',
          `${list}: ${held.map(({ id }) => id).join(', ')}, told ${queue.map(({ id }) => id).join(', ')}`,
        );
    }
    return ordered;
  }

  /** @param dead entries that this commit has to do with a letter of. @returns how each of them ends */
  #answers(settled: readonly Message[], results: readonly Of<'result'>[], dead: ReadonlySet<string>): Map<Message, End> {
    const commands = settled.filter(({ kind }) => kind === 'command');
    for (const { of, times } of results) {
      if (times > 1) this.#violated('one result for each message', `${of} has ${times}`);
      if (!commands.some(({ id }) => id === of)) this.#violated('a result settles its message', `${of} is answered and not settled`);
    }
    const ends = new Map<Message, End>();
    for (const message of settled) {
      const { id, type, kind } = message;
      const answer = results.find(({ of }) => of === id)?.answer;
      if (kind === 'command' && answer === undefined) {
        this.#violated('what leaves the inbox has its outcome', `${id} has none`);
        continue;
      }
      const end = answer !== undefined ? this.fates.endOf(message, answer) : dead.has(message.entry) ? 'dies' : 'completed';
      if (end === undefined) {
        this.#violated('a failure has the code of its cause', `${type} ${id}: ${answer?.data ?? ''}`);
        continue;
      }
      ends.set(message, end);
      this.counts.add(`${kind} that ${ENDED[end]}`);
      if (!this.fates.allowed(message).includes(end))
        this.#violated('the outcome is the handler’s', `${type} ${id}: ${end} ${answer?.status ?? ''} ${answer?.data ?? ''}`);
    }
    return ends;
  }

  /** Whoever waits keeps its place, and its attempts are counted until somebody has it tried anew. */
  #attempts(heads: readonly Of<'head'>[]): void {
    for (const { list, entry, before, after } of heads) {
      if (entry !== before.entry)
        this.#violated('a waiting message keeps its place', `${list}: ${entry} took the place of ${before.entry}`);
      else if (after.attempts < before.attempts && after.attempts > 0)
        this.#violated('attempts are counted', `${list}: ${entry} had ${before.attempts}, has ${after.attempts}`);
    }
  }

  /** What waits is handled when its time has come, what is parked not at all; it may be cancelled or put away before. */
  #inTheirTime(ends: ReadonlyMap<Message, End>, popped: readonly Of<'popped'>[], dead: ReadonlySet<string>): void {
    for (const { message, list, due } of popped) {
      const handled = ends.get(message) !== 'cancelled' && !dead.has(message.entry);
      if (handled && !this.fates.isDue(due))
        this.#violated('a waiting message is handled in its time', `${message.id} of ${list}, due ${due}`);
    }
  }

  /** The state follows from the messages that are settled with it, each of them one version and one id. It is written once a commit. */
  #states(ends: ReadonlyMap<Message, End>, states: readonly Of<'state'>[]): void {
    const changing = [...ends].filter(([, end]) => isDone(end)).map(([message]) => message);
    const expected = new Map<string, Message[]>();
    for (const message of changing) {
      const key = `${tagOf(message.shard)}${message.actor}:state:${message.key}`;
      expected.set(key, [...(expected.get(key) ?? []), message]);
    }
    for (const { key, before, after } of states) {
      const messages = expected.get(key);
      if (messages === undefined) {
        this.#violated('a state changes only with a settled message', key);
        continue;
      }
      expected.delete(key);
      let wanted = before;
      for (const message of messages) {
        const { ids, version } = wanted ?? { ids: [], version: 0 };
        wanted = ends.get(message) === 'forgets' ? undefined : { version: version + 1, ids: [...ids, message.id] };
      }
      if (JSON.stringify(after?.ids) !== JSON.stringify(wanted?.ids))
        this.#violated(
          'the state is the exact sequence of commits',
          `${key}: ${JSON.stringify(after)} after ${JSON.stringify(before)} and ${messages.map(({ id }) => id).join(', ')}`,
        );
      if (after?.version !== wanted?.version)
        this.#violated('a version goes up by one a message', `${key}: from ${before?.version ?? 0} to ${after?.version ?? 0}`);
    }
    for (const [key, left] of expected)
      for (const { id } of left) this.#violated('what is settled is in the state', `${id} changed nothing of ${key}`);
  }

  /** What a message sends goes out with its settlement, and nothing else does. */
  #sent(ends: ReadonlyMap<Message, End>, arrived: readonly Of<'arrived'>[], facts: readonly Of<'fact'>[], due: readonly string[]): void {
    const again = [...due];
    const sent: string[] = facts.map(({ cause }) => `fact of ${cause ?? 'nobody'}`);
    for (const { message } of arrived) {
      if (message.kind === 'event') continue; // taken in
      const at = again.indexOf(message.id);
      if (at >= 0) again.splice(at, 1);
      else sent.push(`${message.kind === 'reply' ? 'reply' : message.type} of ${message.cause ?? 'nobody'}`);
    }
    const expected: string[] = [...ends].flatMap(([message, end]) => {
      const { id, replyTo, kind, type, data } = message;
      const replies = kind === 'command' && replyTo !== undefined ? [`reply of ${id}`] : [];
      if (kind !== 'command' || type !== 'append' || !isDone(end)) return replies;
      const { echo, publishes } = JSON.parse(data) as Word;
      return [...replies, ...(echo >= 0 ? [`echo of ${id}`] : []), ...(publishes ? [`fact of ${id}`] : [])];
    });
    if (sent.sort().join() !== expected.sort().join())
      this.#violated('what is sent goes with what is settled', `sent: ${sent.join(', ')}; expected: ${expected.join(', ')}`);
  }

  #takenIn(partition: string, cursors: readonly Of<'cursor'>[], arrived: readonly Of<'arrived'>[]): void {
    const taken = arrived.filter(({ message }) => message.kind === 'event').map(({ message }) => message.id);
    const [first, last] = [cursors[0], cursors.at(-1)];
    const stream = `${partition.slice(0, partition.indexOf('}:') + 2)}event:${first?.event ?? ''}`;
    const facts = first === undefined || last === undefined ? [] : this.shadow.factsBetween(stream, first.before, last.after);
    if (facts.map(({ id }) => id).join() !== taken.join()) {
      const text = `${partition} moved from ${first?.before ?? '-'} to ${last?.after ?? '-'} with ${taken.join(', ')}, there stand ${facts.map(({ id }) => id).join(', ')}`;
      this.#violated('a cursor moves over the facts that are taken in', text);
    }
  }
}

function drop(queue: Message[], { entry }: Message): void {
  const at = queue.findIndex((message) => message.entry === entry);
  if (at >= 0) queue.splice(at, 1);
}

const inboxOf = ({ actor, shard }: Message): string => `${tagOf(shard)}${actor}:commands`;

function brief(changes: readonly Change[]): string {
  return JSON.stringify(changes).slice(0, 500);
}
