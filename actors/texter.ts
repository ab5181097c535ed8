import type { OutsideCall } from './carrier.js';
import type { Outbox } from './outbox.js';

/** Whoever sends text messages. */
export abstract class Texter {
  /** Resolves to what the text was sent as. */
  abstract send(orderId: number, text: string, call: OutsideCall): Promise<string>;
}

/** Writes each text as a file. */
export class OutboxTexter extends Texter {
  constructor(private readonly outbox: Outbox) {
    super();
  }

  override send(orderId: number, text: string, call: OutsideCall): Promise<string> {
    return this.outbox.put(orderId, 'txt', `${text}\n`, call);
  }
}
