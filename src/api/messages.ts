import type { Command, DataOf, Event, ResultOf } from '../message/definition.js';
import type { ObservedMeta } from '../runtime/observe.js';

/** The answer to a command; `messageId` is the answered command's. */
export type ResultMessage<C extends Command = Command> = ObservedMeta & { readonly type: C['name'] } & (
    | { readonly status: 'completed'; readonly value: ResultOf<C> }
    | { readonly status: 'failed'; readonly error: { readonly code: string; readonly message: string } }
  );

/** A fact, as an observer sees it. */
export interface EventMessage<E extends Event = Event> extends ObservedMeta {
  readonly type: E['name'];
  readonly data: DataOf<E>;
}

/** What `tell` and `publish` resolve to once the message is durably appended. */
export interface Receipt<C extends Command | Event = Command> {
  readonly messageId: string;
  readonly correlationId: string;
  readonly type: C['name'];
  readonly key: string;
  /** it was there already, under the same idempotency key */
  readonly duplicate: boolean;
}
