import { KILLS_TO_CONDEMN, SUSPICIONS_TO_RUN_ALONE } from '../../src/message/limits.js';
import type { Counts } from './counts.js';
import { type End, type Fates, whatOf } from './fates.js';
import type { Change, Letter, Message, Shadow } from './shadow.js';
import { failingOf } from './workload.js';
import { tagOf } from './world.js';

type Of<K extends Change['kind']> = Extract<Change, { readonly kind: K }>;
type Violated = (check: string, text: string) => void;

/** Of a message that killed its process again and again. */
export const POISON = 'POISON';

/**
 * Watches dead letters. A letter is written by the very commit that settles its message, or that parks it at the head of its key; there is
 * one of a message at a time. Whoever redrives a letter that is over takes it away and appends its message anew, in one step; of a parked
 * one the owner takes the letter away and lets the message go on in its place.
 */
export class LetterBook {
  /** letter → the message that it came back as */
  readonly redriven = new Map<string, Message>();
  /** letters of parked messages that went on, or were put away */
  readonly unparked = new Set<string>();

  constructor(
    private readonly shadow: () => Shadow,
    private readonly fates: Fates,
    private readonly counts: Counts,
    private readonly violated: Violated,
  ) {}

  /** What was lost with the end of a log may happen again. */
  forget(): void {
    this.redriven.clear();
    this.unparked.clear();
  }

  /** What a commit does about letters. @param ends of what it settles */
  committed(ends: ReadonlyMap<Message, End>, written: readonly Letter[], gone: readonly Letter[], heads: readonly Of<'head'>[]): void {
    const settled = [...ends.keys()];
    for (const letter of written) {
      this.counts.add(letter.parked ? 'letter of a parked message' : 'letter');
      this.#written(letter);
      const over = settled.find((message) => isOf(letter, message));
      const head = this.shadow().asides.get(listOf(letter.message))?.[0];
      const place = letter.parked ? head?.entry === letter.entry && over === undefined : over !== undefined && ends.get(over) === 'dies';
      if (!place) this.violated('a dead letter tells of what is over, or of a parked head', shown(letter));
    }
    for (const letter of gone) {
      this.unparked.add(nameOf(letter));
      if (!letter.parked) this.violated('an owner takes away only letters of what is parked', shown(letter));
      const over = settled.some((message) => isOf(letter, message));
      const again = heads.some(
        ({ list, after }) => list === listOf(letter.message) && after.entry === letter.entry && after.attempts === 0,
      );
      if (over === again) this.violated('a parked message goes on with the end of its letter, or is over', shown(letter));
      if (again) this.fates.again(letter.message);
      this.counts.add(again ? 'redrive of a parked message' : 'parked message that was put away');
    }
    for (const [message, end] of ends) {
      const kept = written.some((letter) => !letter.parked && isOf(letter, message));
      const discarded = gone.some((letter) => isOf(letter, message));
      if (end === 'dies' ? kept === discarded : kept) this.violated('a dead letter is kept', `${message.id} has none, or one too many`);
    }
  }

  #written(letter: Letter): void {
    const { message, attempts, reason, parked } = letter;
    const same = [...(this.shadow().letters.get(letter.stream)?.values() ?? [])].filter(({ entry }) => entry === letter.entry);
    if (same.length > 1) this.violated('a message has one letter at a time', same.map(shown).join(', '));
    if (reason === POISON) return this.#condemned(letter);
    const last = this.fates.lastAttempt(message);
    if (attempts !== last) this.violated('a message is given up after its last attempt', `${shown(letter)}, not ${last}`);
    const { by } = failingOf(message);
    const parks = this.fates.orderOf(message) === 'park' && by !== 'ESCALATE';
    if (parks !== parked || reason !== `${parked ? 'PARKED_' : ''}${by}`) this.violated('a letter says why', shown(letter));
  }

  /** A message is condemned for what it did while it ran alone, and for nothing else. */
  #condemned(letter: Letter): void {
    const { actor, shard, entry, message, parked } = letter;
    const { suspicions, kills } = this.shadow()
      .suspects.get(`${tagOf(shard)}${actor}:suspects`)
      ?.get(entry) ?? { suspicions: 0, kills: 0 };
    this.counts.add('poisonous message that was given up');
    if (parked || suspicions < SUSPICIONS_TO_RUN_ALONE || kills !== KILLS_TO_CONDEMN)
      this.violated('a message is given up at its third kill alone', `${shown(letter)}: ${suspicions} suspicions, ${kills} kills`);
    if (this.fates.kills(message) < KILLS_TO_CONDEMN) this.violated('nobody is blamed for what another did', shown(letter));
  }

  /** One step takes a letter away and brings its message back, as a new one. @returns that message */
  cameBack(changes: readonly Change[]): Message | undefined {
    const [gone, arrived] = [changes.find(({ kind }) => kind === 'letter gone'), changes.find(({ kind }) => kind === 'arrived')];
    if (gone?.kind !== 'letter gone' || arrived?.kind !== 'arrived' || changes.length !== 2) {
      this.violated('a redrive takes one letter and brings one message', JSON.stringify(changes).slice(0, 500));
      return undefined;
    }
    const { letter } = gone;
    const { message: before, parked } = letter;
    const { message } = arrived;
    const same = (['kind', 'type', 'actor', 'shard', 'key', 'data', 'replyTo', 'first'] as const).filter(
      (name) => message[name] !== before[name],
    );
    if (parked || message.expires !== undefined || message.cause !== before.id || message.id === before.id || same.length > 0)
      this.violated('what is redriven is the same message, as a new one', `${message.id} of ${shown(letter)}: ${same.join(', ')}`);
    if ([...this.redriven.values()].some(({ id }) => id === message.id))
      this.violated('a letter is redriven once', `${message.id} of ${shown(letter)}`);
    this.redriven.set(nameOf(letter), message);
    this.fates.again(message);
    this.counts.add('redrive');
    return message;
  }

  /** Somebody who owns nothing put letters away. */
  discarded(changes: readonly Change[]): void {
    for (const change of changes)
      if (change.kind !== 'letter gone' || change.letter.parked)
        this.violated('whoever owns nothing puts away only what is over', JSON.stringify(change).slice(0, 500));
  }

  /** The letters that are there. */
  get all(): Letter[] {
    return [...this.shadow().letters.values()].flatMap((letters) => [...letters.values()]);
  }
}

/** As the public door names it. */
export const nameOf = ({ actor, shard, letter }: Letter): string => `${actor}/${shard}/${letter}`;

const isOf = ({ actor, shard, entry }: Letter, message: Message): boolean =>
  message.entry === entry && message.actor === actor && message.shard === shard;

const listOf = ({ actor, shard, key }: Message): string => `${tagOf(shard)}${actor}:aside:${key}`;

function shown(letter: Letter): string {
  const { message, reason, attempts, parked } = letter;
  return `${nameOf(letter)} of ${message.id} (${whatOf(message)}), ${reason}${parked ? ', parked' : ''}, ${attempts} attempts`;
}
