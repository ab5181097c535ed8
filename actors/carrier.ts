import { createHash } from 'node:crypto';

/** What a call to the outside is given: the same key for every attempt at the same thing, and the moment to let go. */
export interface OutsideCall {
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

/** Whoever takes parcels away. */
export abstract class Carrier {
  /** Resolves to the tracking number; asked again with the same idempotency key, to the same one. */
  abstract ship(orderId: number, address: string, call: OutsideCall): Promise<string>;
}

/** A carrier without lorries: the number comes from the order and the idempotency key, so asking twice ships once. */
export class PaperCarrier extends Carrier {
  override async ship(orderId: number, _address: string, { idempotencyKey, signal }: OutsideCall): Promise<string> {
    signal.throwIfAborted();
    const digest = createHash('sha256').update(`${orderId}\n${idempotencyKey}`).digest('hex');
    return `TN-${orderId}-${digest.slice(0, 8).toUpperCase()}`;
  }
}
