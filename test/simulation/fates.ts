import type { Outside } from './outside.js';
import type { Answer, Message } from './shadow.js';
import { ALWAYS, type Directed, failingOf, type Word } from './workload.js';

/** How a message may end. Only `completed` and `forgets` do what the message says; `dies`: it is a dead letter. */
export type End = 'completed' | 'forgets' | 'fails' | 'dies' | 'cancelled' | 'expired';

/** For people. */
export const ENDED: Readonly<Record<End, string>> = {
  completed: 'completed',
  forgets: 'completed',
  fails: 'failed',
  dies: 'was given up',
  cancelled: 'was cancelled',
  expired: 'expired',
};

export type Order = 'block' | 'park' | 'skip';

/** The recoverability of every actor type: attempts at once after the first, then as many as there are delays. */
export const IMMEDIATE = 1;
export const DELAYS = 2;

/** What must become of each message, by what it says of itself and whether what it calls was mended. */
export class Fates {
  /** messages whose attempts all come after the mending */
  readonly #sure = new Set<string>();
  /** ids of messages that somebody has asked to cancel */
  readonly unwanted = new Set<string>();
  /** ids of messages that expire, and were handled before */
  readonly #inTime = new Set<string>();

  constructor(
    /** actor type → its order */
    private readonly orders: ReadonlyMap<string, Order>,
    private readonly outside: Outside,
    /** the time that the fastest clock of a node has shown, ms since the epoch */
    private readonly latest: () => number,
  ) {}

  orderOf({ actor }: Pick<Message, 'actor'>): Order {
    return this.orders.get(actor) ?? 'block';
  }

  /** The attempt whose failure is the last. A message may escalate once more than it may be tried. */
  lastAttempt(message: Message): number {
    const tried = 1 + IMMEDIATE + (this.orderOf(message) === 'skip' ? 0 : DELAYS);
    return failingOf(message).by === 'ESCALATE' ? tried + 1 : tried;
  }

  /** By the clock of some node it is that time. */
  isDue(time: number): boolean {
    return time <= this.latest();
  }

  /** How often it has killed its process. */
  kills(message: Message): number {
    return this.outside.killed(whatOf(message));
  }

  /** It is tried from the beginning. */
  again(message: Message): void {
    if (this.outside.mended(whatOf(message))) this.#sure.add(nameOf(message));
  }

  /** The ends that are right for it. */
  allowed(message: Message): readonly End[] {
    const { id, kind, expires } = message;
    const inTime = expires === undefined || this.#inTime.has(id);
    const ends = this.#byItself(message).filter((end) => inTime || !isDone(end));
    if (expires !== undefined && this.isDue(expires)) ends.push('expired');
    if (kind === 'command' && this.unwanted.has(id)) ends.push('cancelled');
    return ends;
  }

  /** An attempt at a message that expires has done all that it does, within the time that it had. */
  inTime(id: string): void {
    this.#inTime.add(id);
  }

  #byItself(message: Message): End[] {
    const { fails, by } = failingOf(message);
    const { kind, type, data } = message;
    const { ends, kills } = kind === 'command' && type === 'append' ? (JSON.parse(data) as Word) : { ends: 'completed', kills: 0 };
    const handled: End = ends === 'declined' ? 'fails' : ends === 'forgets' ? 'forgets' : 'completed';
    if (kills < ALWAYS && fails > 0 && settles(by)) return ['fails'];
    if (kills < ALWAYS && fails < this.lastAttempt(message)) return [handled];
    if (!this.outside.mended(whatOf(message))) return ['dies'];
    return this.#sure.has(nameOf(message)) ? [handled] : [handled, 'dies'];
  }

  /** How its result says that a command ended; undefined: that is no result of its. */
  endOf(message: Message, { status, data }: Answer): End | undefined {
    if (status === 'completed')
      return message.type === 'append' && (JSON.parse(message.data) as Word).ends === 'forgets' ? 'forgets' : 'completed';
    const { code } = JSON.parse(data) as { code: string };
    const { fails, by } = failingOf(message);
    if (code === (fails > 0 && settles(by) ? by : 'DECLINED')) return 'fails';
    return CODES[code];
  }
}

/** The codes that errand itself gives a failed result. */
const CODES: Readonly<Record<string, End>> = { DEAD_LETTERED: 'dies', CANCELLED: 'cancelled', EXPIRED: 'expired' };

/** Whether a message that ended so did what it says. */
export const isDone = (end: End): boolean => end === 'completed' || end === 'forgets';

/** Whether such an error settles its message at once. */
function settles(by: Directed): boolean {
  return by === 'RESUME' || by === 'STOP';
}

/** What it calls outside. */
export function whatOf({ type, data }: Message): string {
  return `${type} ${(JSON.parse(data) as { word: string }).word}`;
}

const nameOf = ({ actor, shard, entry }: Message): string => `${actor}/${shard}/${entry}`;
