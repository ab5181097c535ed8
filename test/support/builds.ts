import { z } from 'zod';
import type { Supervisor } from '../../src/api/supervisor-options.js';
import { Actor, type ActorContext, command, event, type ResultMessage } from '../../src/index.js';
import type { Words } from './shop.js';

/** One actor type in two builds: during a rolling deploy the older one knows neither `wrap` nor `gifted`, nor what answers to `weigh`. */

const data = z.object({ key: z.string(), word: z.string() });
const key = (d: { key: string }): string => d.key;

export const Add = command('add', { to: 'order', key, data, result: z.string() });
export const Wrap = command('wrap', { to: 'order', key, data, result: z.string() });
export const Weigh = command('weigh', { to: 'scales', key, data });
export const Gifted = event('gifted', { key, data });

/** The command `add` of a newer build: it has a field that the older one refuses. */
export const AddMany = command('add', { to: 'order', key, data: data.extend({ word: z.union([z.string(), z.array(z.string())]) }) });

abstract class Order extends Actor<Words> {
  static actorType = 'order';
  override initialState(): Words {
    return { words: [] };
  }
  add({ word }: { word: string | string[] }): string {
    this.state.words.push(...[word].flat());
    return this.constructor.name;
  }
}

export class OldOrder extends Order {
  static handlers = { add: Add };
}

export class NewOrder extends Order {
  static handlers = { add: Add, wrap: Wrap };
  static subscriptions = { onGifted: { event: Gifted, from: 'start' as const } };
  static replies = { onWeighed: Weigh };
  wrap({ word }: { word: string }, ctx: ActorContext): string {
    this.state.words.push(word);
    if (word === 'heavy') ctx.tell(Weigh, { key: ctx.key, word });
    return 'wrapped';
  }
  onGifted({ word }: { word: string }): void {
    this.state.words.push(word);
  }
  onWeighed(result: ResultMessage<typeof Weigh>): void {
    this.state.words.push(`weighed ${result.status}`);
  }
}

/** Takes several words at once. */
export class WideOrder extends Order {
  static handlers = { add: AddMany };
}

/** Reads its state as it has always been written. */
export class StrictOrder extends Order {
  static handlers = { add: Add };
  static state = z.strictObject({ words: z.array(z.string()) });
}

/** Writes a state that the one before does not read. */
export class CountingOrder extends Order {
  static handlers = { add: Add };
  static state = z.object({ words: z.array(z.string()), count: z.number().default(0) });
  override add(added: { word: string | string[] }): string {
    (this.state as Words & { count: number }).count = this.state.words.length + 1;
    return super.add(added);
  }
}

/** Knows what the newer one does not know any more, and nothing else. */
export class RetiredOrder extends Order {
  static handlers = { wrap: Wrap };
  wrap({ word }: { word: string }): string {
    this.state.words.push(word);
    return 'wrapped';
  }
}

export class Scales extends Actor {
  static actorType = 'scales';
  static handlers = { weigh: Weigh };
  weigh(): void {
    // Nothing is kept.
  }
}

export const supervised = (child: Partial<NonNullable<Supervisor['children']>[number]> = {}): Supervisor[] => [
  { name: 'orders', children: [{ actor: 'order', ...child }] },
];
