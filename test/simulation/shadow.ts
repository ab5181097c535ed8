import { compareIds, FIRST } from '../../src/log/entry.js';
import type { Reply } from '../../src/memory-redis/reply.js';
import { fromFields, type MessageKind } from '../../src/message/envelope.js';

/** A message where it stands: in an inbox, in its key's aside list, or among what is scheduled. */
export interface Message {
  readonly id: string;
  readonly kind: MessageKind;
  /** of the command or fact; of a request what is asked for */
  readonly type: string;
  /** the actor type and shard it is for */
  readonly actor: string;
  readonly shard: number;
  readonly key: string;
  readonly cause: string | undefined;
  /** the id of the first message in its line of redrives */
  readonly first: string;
  readonly replyTo: string | undefined;
  readonly data: string;
  readonly status: string | undefined;
  /** not handled after this, ms since the epoch */
  readonly expires: number | undefined;
  /** nor before this */
  readonly due: number | undefined;
  /** the id of its inbox entry, or of the one it was */
  readonly entry: string;
}

export interface Answer {
  readonly status: string;
  readonly data: string;
}

/** A dead letter where it stands. */
export interface Letter {
  readonly stream: string;
  readonly actor: string;
  readonly shard: number;
  /** its own entry */
  readonly letter: string;
  /** the inbox entry that its message was */
  readonly entry: string;
  readonly parked: boolean;
  readonly attempts: number;
  readonly reason: string;
  /** the message as it was */
  readonly message: Message;
}

export interface State {
  readonly version: number;
  readonly ids: readonly string[];
}

/** A write, taken apart as far as the layout of keys goes (docs/DESIGN.md, section 3). */
export type Change =
  | { readonly kind: 'arrived'; readonly message: Message }
  | { readonly kind: 'removed'; readonly message: Message }
  | { readonly kind: 'set aside'; readonly message: Message; readonly list: string; readonly attempts: number }
  | { readonly kind: 'head'; readonly list: string; readonly entry: string; readonly before: Standing; readonly after: Standing }
  | { readonly kind: 'popped'; readonly message: Message; readonly list: string; readonly due: number }
  | { readonly kind: 'taken out'; readonly message: Message; readonly list: string }
  | { readonly kind: 'postponed'; readonly message: Message }
  | { readonly kind: 'left the schedule'; readonly message: Message }
  | { readonly kind: 'state'; readonly key: string; readonly before: State | undefined; readonly after: State | undefined }
  | { readonly kind: 'result'; readonly of: string; readonly answer: Answer; readonly times: number }
  | { readonly kind: 'fact'; readonly id: string; readonly cause: string | undefined; readonly word: string }
  | { readonly kind: 'dead letter'; readonly letter: Letter }
  | { readonly kind: 'letter gone'; readonly letter: Letter }
  | { readonly kind: 'nonce'; readonly partition: string; readonly nonce: string | undefined }
  | { readonly kind: 'cursor'; readonly partition: string; readonly event: string; readonly before: string; readonly after: string };

/** The first of an aside list, and how often it was attempted. */
interface Standing {
  readonly entry: string;
  readonly attempts: number;
}

/** What is held against a message that may have killed its process. */
interface Suspicion {
  readonly suspicions: number;
  readonly kills: number;
}

interface Fact {
  readonly entry: string;
  readonly id: string;
}

const KEY =
  /^\{[^}]*:(\d+)\}:(?:(event|outcome|producer):|([\w-]+):(commands|results|partition|state|aside|schedule|scheduled|dead|suspects)(?::|$))(.*)$/s;

/** What the store holds, as the writes that it took say. Nothing is read from it: the end compares the two. */
export class Shadow {
  /** inbox → entry id → message */
  readonly inboxes = new Map<string, Map<string, Message>>();
  /** stream of dead letters → entry id → letter */
  readonly letters = new Map<string, Map<string, Letter>>();
  /** the hash of suspects → entry id → what was last said of it, also when it is no suspect any more */
  readonly suspects = new Map<string, Map<string, Suspicion>>();
  /** aside list → until when it waits, ms since the epoch */
  readonly dues = new Map<string, number>();
  /** aside list → entry id → attempts as they are counted there */
  readonly attempts = new Map<string, Map<string, number>>();
  /** aside list → its messages */
  readonly asides = new Map<string, Message[]>();
  /** the hash of scheduled messages → entry id → message */
  readonly scheduled = new Map<string, Map<string, Message>>();
  /** id of a message that expires → when */
  readonly expiries = new Map<string, number>();
  readonly states = new Map<string, State>();
  /** id of a command → its results */
  readonly results = new Map<string, Answer[]>();
  /** event stream → facts */
  readonly facts = new Map<string, Fact[]>();
  readonly partitions = new Map<string, Map<string, string>>();
  /** actor/key → unsettled messages in the order of the inbox; what is set aside comes first */
  readonly queues = new Map<string, Message[]>();

  /** @returns what changed, or undefined when it concerns nobody */
  apply(words: readonly string[], reply: Reply): Change[] {
    const [name = '', key = ''] = words;
    if (name.toUpperCase() === 'MSET') return pairs(words.slice(1)).flatMap((pair) => this.apply(['SET', ...pair], reply));
    const found = KEY.exec(key);
    if (found === null) return [];
    const [, shard = '', other, actor = '', what] = found;
    if (other === 'event') return name.toUpperCase() === 'XADD' ? [this.#published(key, words, reply)] : [];
    if (other !== undefined) return [];
    switch (`${name.toUpperCase()} ${what}`) {
      case 'XADD commands':
        return [this.#arrived(key, actor, Number(shard), words, reply as string)];
      case 'XTRIM commands':
        return this.#removed(key, (entry) => compareIds(entry, words.at(-1) as string) < 0);
      case 'XDEL commands':
        return this.#removed(key, (entry) => words.includes(entry, 2));
      case 'RPUSH aside':
        return words.slice(2).map((text) => this.#setAside(key, actor, Number(shard), text));
      case 'ZADD aside':
        this.dues.set(`${key}:${words[3]}`, words[2] === '+inf' ? Number.POSITIVE_INFINITY : Number(words[2]));
        return [];
      case 'LSET aside':
        return this.#headSet(key, words[3] as string);
      case 'LPOP aside':
        return this.#popped(key);
      case 'LREM aside':
        return this.#takenOut(key, words[3] as string);
      case 'HSET scheduled':
        return [this.#postponed(key, messageOf(actor, Number(shard), JSON.parse(words[3] as string) as string[], words[2] as string))];
      case 'HDEL scheduled':
        return this.#leftSchedule(key, words[2] as string);
      case 'SET state':
      case 'DEL state':
        return [this.#state(key, name.toUpperCase() === 'SET' ? words[2] : undefined)];
      case 'XADD results':
        return [this.#answered(fieldsOf(words))];
      case 'XADD dead':
        return [this.#buried(key, actor, Number(shard), fieldsOf(words), reply as string)];
      case 'XDEL dead':
        return this.#exhumed(key, words.slice(2));
      case 'HSET suspects':
        this.#suspected(key, words[2] as string, words[3] as string);
        return [];
      case 'HSET partition':
      case 'HDEL partition':
        return this.#owned(key, name.toUpperCase() === 'HSET', words.slice(2));
      default:
        return [];
    }
  }

  #group<T>(map: Map<string, T>, key: string, make: () => T): T {
    let group = map.get(key);
    if (group === undefined) {
      group = make();
      map.set(key, group);
    }
    return group;
  }

  /** How many of its key stand before the message. */
  before(isIt: (message: Message) => boolean): number {
    for (const queue of this.queues.values()) {
      const at = queue.findIndex(isIt);
      if (at >= 0) return at;
    }
    return 0;
  }

  queueOf({ actor, key }: { actor: string; key: string }): Message[] {
    return this.#group(this.queues, `${actor}/${key}`, () => []);
  }

  #arrived(inbox: string, actor: string, shard: number, words: readonly string[], entry: string): Change {
    const message = messageOf(actor, shard, fieldsOf(words), entry);
    this.#group(this.inboxes, inbox, () => new Map<string, Message>()).set(entry, message);
    if (message.expires !== undefined) this.expiries.set(message.id, message.expires);
    if (message.kind !== 'request') this.queueOf(message).push(message);
    return { kind: 'arrived', message };
  }

  #removed(inbox: string, gone: (entry: string) => boolean): Change[] {
    const held = this.#group(this.inboxes, inbox, () => new Map<string, Message>());
    const changes: Change[] = [];
    for (const [entry, message] of held) {
      if (!gone(entry)) continue;
      held.delete(entry);
      changes.push({ kind: 'removed', message });
    }
    return changes;
  }

  #setAside(list: string, actor: string, shard: number, text: string): Change {
    const [entry, attempts, fields] = asideOf(text);
    const message = messageOf(actor, shard, fields, entry);
    this.#group(this.asides, list, () => [] as Message[]).push(message);
    this.#group(this.attempts, list, () => new Map<string, number>()).set(entry, attempts);
    return { kind: 'set aside', message, list, attempts };
  }

  #headSet(list: string, text: string): Change[] {
    const [entry, attempts] = asideOf(text);
    const counted = this.#group(this.attempts, list, () => new Map<string, number>());
    const head = this.asides.get(list)?.[0]?.entry ?? '';
    const before = { entry: head, attempts: counted.get(head) ?? 0 };
    counted.set(entry, attempts);
    return [{ kind: 'head', list, entry, before, after: { entry, attempts } }];
  }

  #buried(stream: string, actor: string, shard: number, fields: readonly string[], letterId: string): Change {
    const text = (name: string): string => fieldOf(fields, name) ?? '';
    const letter: Letter = {
      stream,
      actor,
      shard,
      letter: letterId,
      entry: text('entry'),
      parked: text('parked') !== '',
      attempts: Number(text('attempts')),
      reason: text('reason'),
      message: messageOf(actor, shard, JSON.parse(text('envelope')) as string[], text('entry')),
    };
    this.#group(this.letters, stream, () => new Map<string, Letter>()).set(letterId, letter);
    return { kind: 'dead letter', letter };
  }

  #exhumed(stream: string, ids: readonly string[]): Change[] {
    const held = this.#group(this.letters, stream, () => new Map<string, Letter>());
    return ids.flatMap((id) => {
      const letter = held.get(id);
      held.delete(id);
      return letter === undefined ? [] : [{ kind: 'letter gone', letter } as const];
    });
  }

  #popped(list: string): Change[] {
    const message = this.asides.get(list)?.shift();
    if (message !== undefined) this.attempts.get(list)?.delete(message.entry);
    return message === undefined ? [] : [{ kind: 'popped', message, list, due: this.dues.get(list) ?? 0 }];
  }

  #takenOut(list: string, text: string): Change[] {
    const [entry] = asideOf(text);
    const held = this.asides.get(list) ?? [];
    const at = held.findIndex((message) => message.entry === entry);
    if (at < 0) return [];
    this.attempts.get(list)?.delete(entry);
    return held.splice(at, 1).map((message) => ({ kind: 'taken out', message, list }));
  }

  #postponed(hash: string, message: Message): Change {
    this.#group(this.scheduled, hash, () => new Map<string, Message>()).set(message.entry, message);
    return { kind: 'postponed', message };
  }

  #leftSchedule(hash: string, entry: string): Change[] {
    const message = this.scheduled.get(hash)?.get(entry);
    this.scheduled.get(hash)?.delete(entry);
    return message === undefined ? [] : [{ kind: 'left the schedule', message }];
  }

  #state(key: string, text: string | undefined): Change {
    const before = this.states.get(key);
    if (text === undefined) {
      this.states.delete(key);
      return { kind: 'state', key, before, after: undefined };
    }
    const gap = text.indexOf(' ');
    const after = { version: Number(text.slice(0, gap)), ids: (JSON.parse(text.slice(gap + 1)) as { ids: string[] }).ids };
    this.states.set(key, after);
    return { kind: 'state', key, before, after };
  }

  #answered(fields: readonly string[]): Change {
    const of = fieldOf(fields, 'causationid') ?? '';
    const answer = { status: fieldOf(fields, 'status') ?? '', data: fieldOf(fields, 'data') ?? '' };
    const all = this.#group(this.results, of, () => [] as Answer[]);
    all.push(answer);
    return { kind: 'result', of, answer, times: all.length };
  }

  #published(stream: string, words: readonly string[], reply: Reply): Change {
    const fields = fieldsOf(words);
    const id = fieldOf(fields, 'id') ?? '';
    this.#group(this.facts, stream, () => [] as Fact[]).push({ entry: reply as string, id });
    const { word } = JSON.parse(fieldOf(fields, 'data') ?? '{}') as { word: string };
    return { kind: 'fact', id, cause: fieldOf(fields, 'causationid'), word };
  }

  #suspected(hash: string, entry: string, text: string): void {
    const [suspicions, kills] = text.split(' ').map(Number);
    this.#group(this.suspects, hash, () => new Map<string, Suspicion>()).set(entry, { suspicions: suspicions ?? 0, kills: kills ?? 0 });
  }

  #owned(partition: string, set: boolean, values: readonly string[]): Change[] {
    const fields = this.#group(this.partitions, partition, () => new Map<string, string>());
    const changes: Change[] = [];
    for (let i = 0; i < values.length; i += set ? 2 : 1) {
      const field = values[i] as string;
      const before = fields.get(field) ?? FIRST;
      const after = set ? (values[i + 1] as string) : undefined;
      if (after === undefined) fields.delete(field);
      else fields.set(field, after);
      if (field === 'nonce') changes.push({ kind: 'nonce', partition, nonce: after });
      else if (field.startsWith('cursor:'))
        changes.push({ kind: 'cursor', partition, event: field.slice('cursor:'.length), before, after: after ?? FIRST });
    }
    return changes;
  }

  /** The facts of a stream between two positions. */
  factsBetween(stream: string, after: string, upTo: string): readonly Fact[] {
    return (this.facts.get(stream) ?? []).filter(({ entry }) => compareIds(entry, after) > 0 && compareIds(entry, upTo) <= 0);
  }
}

/** What stands in an aside list: the entry it was, attempts, fields. */
function asideOf(text: string): [string, number, string[]] {
  return JSON.parse(Buffer.from(text, 'latin1').toString()) as [string, number, string[]];
}

/** The fields of an XADD: what follows the entry's id. */
/** What an MSET sets. */
function pairs(words: readonly string[]): string[][] {
  return words.flatMap((key, i) => (i % 2 === 0 ? [[key, words[i + 1] as string]] : []));
}

function fieldsOf(words: readonly string[]): string[] {
  return words.slice(words.indexOf('*', 2) + 1);
}

export function fieldOf(fields: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) value = fields[i + 1]; // the last one counts
  return value;
}

function messageOf(actor: string, shard: number, fields: readonly string[], entry: string): Message {
  const envelope = fromFields(fields);
  if ('fault' in envelope) throw new Error(`${entry} in ${actor}/${shard} is no message: ${envelope.fault}`);
  const { id, kind, type, subject: key, causationId: cause, idempotencyKey: first, replyTo, data, status, expires, due } = envelope;
  return { id, kind, type, actor, shard, key, cause, first, replyTo, data, status, expires, due, entry };
}
