import type { From } from '../log/position.js';
import type { MessageDefinition } from '../message/definition.js';
import type { Envelope } from '../message/envelope.js';
import type { Attempt } from './attempt.js';

/** What the runtime knows of an actor class: its messages, and how to make and call one. `api/` builds it. */
export interface Behavior {
  readonly type: string;
  /** handlers only stage effects, so the next message need not wait for the commit of the last */
  readonly pipelined: boolean;
  readonly commands: ReadonlyMap<string, MessageDefinition>;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  /** keeps a state for each key */
  readonly stateful: boolean;
  /** commands whose results come back to this actor */
  readonly replies: ReadonlyMap<string, MessageDefinition>;
  /** Tells one version of its code from another, as far as that can be seen: its source, and its schemas where they can be described. */
  readonly code: string;
  /** A new actor, its dependencies injected. */
  create(): Instance;
  /** The state as a handler sees it, from its stored JSON text. @throws SchemaError `INVALID_STATE` */
  parseState(json: string): unknown;
}

export interface Subscription {
  readonly event: MessageDefinition;
  /** the key under which this actor type takes the fact in; the fact's own when undefined */
  readonly key: ((data: unknown) => string) | undefined;
  /** where a new subscriber begins */
  readonly from: From;
}

/** What an actor is told about its life in memory; each is a method that its class may have. */
export type Hook = 'onActivate' | 'onRestart' | 'onPassivate' | 'onStop';

/** One actor in memory. */
export interface Instance {
  state: unknown;
  /** undefined for a stateless actor */
  initialState(): unknown;
  /** Calls the handler of this message; `data` is the schema's output, or for a reply the result message. */
  handle(envelope: Envelope, data: unknown, attempt: Attempt): unknown;
  /** Calls a lifecycle hook, if the class has it. @param reason of `onRestart` */
  hook(name: Hook, reason?: Error): unknown;
  /** What the class's own `onFailure` answers, if it has one. */
  onFailure(error: Error, attempt: Attempt): unknown;
}
