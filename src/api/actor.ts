import type { From } from '../log/position.js';
import { brand, isBranded } from '../message/brand.js';
import type { Command, DataOf, Event, Jsonable, ReturnOf } from '../message/definition.js';
import type { Directive } from '../runtime/supervision-settings.js';
import type { ActorContext } from './context.js';
import type { ResultMessage } from './messages.js';

type Maybe<T> = T | Promise<T>;

declare const stated: unique symbol;

/**
 * The base of every actor. An instance lives for one key; it handles one message at a time.
 * Source of the pattern: the actor model; activations as in Orleans, passivation as in Akka.
 *
 * @typeParam State durable, per key, plain JSON. Leave it and `initialState` out for a stateless actor.
 */
export abstract class Actor<State = undefined> {
  static {
    brand(this, 'Actor');
  }
  /** Also of an actor whose class extends another copy's `Actor`. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(this, value);
  }
  /** As committed when the handler begins; what the handler leaves in it is committed with everything else it staged. */
  declare protected state: State;
  /** For the compiler alone: `state` is protected, and what `initialState` returns need not name every field. */
  declare readonly [stated]?: { readonly state: State };
  /** The state of a key that has none yet. */
  initialState?(): State;
  /**
   * A failed attempt: what is to happen to this actor and its message. Without an answer the config's `directives` decide, then `retry`.
   * A `TerminalError` is never retried. The context can stage nothing any more.
   */
  onFailure?(error: Error, ctx: ActorContext): Directive | undefined;
  /** This actor came into memory, with its state, and is about to handle its first message. What it throws fails that attempt. */
  onActivate?(): Maybe<void>;
  /** This actor is made anew in the place of one that failed, or whose type its supervisor restarted; instead of `onActivate`, likewise. */
  onRestart?(reason: Error): Maybe<void>;
  /** This actor leaves memory because it was idle, or others need the room. */
  onPassivate?(): Maybe<void>;
  /** This actor leaves memory for another reason: it is stopped, its type restarted, its node stopped, its partition lost. */
  onStop?(): Maybe<void>;
}

export type AnyActor = abstract new (...deps: never[]) => Actor<unknown>;
/** The state of an actor class: its type argument, or what `initialState` returns where there is none, as in plain JavaScript. */
export type StateOf<A extends AnyActor> = A extends abstract new (
  ...a: never[]
) => { readonly [stated]?: { readonly state: infer S } }
  ? [S] extends [undefined]
    ? InstanceType<A> extends { initialState(): infer Begun }
      ? Begun
      : S
    : S
  : never;

export type HandlerOf<C extends Command> = (data: DataOf<C>, ctx: ActorContext) => Maybe<ReturnOf<C>>;
export type SubscriberOf<E extends Event> = (data: DataOf<E>, ctx: ActorContext) => Maybe<void>;
export type ReplyOf<C extends Command> = (result: ResultMessage<C>, ctx: ActorContext) => Maybe<void>;

export interface SubscribeOptions<E extends Event> {
  /**
   * The key under which this actor type takes the fact in.
   * @default the fact's own
   */
  key?: ((data: DataOf<E>) => string) | undefined;
  /**
   * Where a *new* subscriber begins: `'start'`, `'now'`, a `Date` or a `Position`.
   * @default 'now'
   */
  from?: From | undefined;
}

export type Is<T> = abstract new (...deps: never[]) => T;

/** A class whose state does not survive JSON, or that has a state and no `initialState`, does not compile. */
export type StateOk<A extends AnyActor> =
  undefined extends StateOf<A>
    ? unknown
    : StateOf<A> extends Jsonable<StateOf<A>>
      ? InstanceType<A> extends { initialState(): unknown }
        ? unknown
        : { initialState(): StateOf<A> }
      : { 'this state does not survive JSON': never };

/** What a dependency is bound under, as in inversify: a string, a symbol, a class, or inversify's lazy identifier. */
export type Token = string | symbol | (abstract new (...args: never[]) => unknown) | { unwrap(): unknown };

/** An actor class, decorated or not; without decorators its static fields name its messages: `{ method: message }`. */
export interface ActorClass {
  new (...deps: never[]): Actor<unknown>;
  readonly actorType?: string;
  readonly inject?: readonly Token[];
  readonly pipelined?: boolean;
  readonly handlers?: { readonly [method: string]: Command };
  readonly subscriptions?: {
    readonly [method: string]:
      | Event
      | { readonly event: Event; readonly key?: ((d: never) => string) | undefined; readonly from?: unknown };
  };
  readonly replies?: { readonly [method: string]: Command };
}

/** Holds a class without decorators to the types of the messages it names. */
export type Checked<A> = (A extends AnyActor ? Is<StateOk<A>> : never) &
  (A extends { handlers: infer H } ? Is<{ [M in keyof H]: H[M] extends Command ? HandlerOf<H[M]> : never }> : unknown) &
  (A extends { subscriptions: infer S }
    ? Is<{
        [M in keyof S]: S[M] extends Event ? SubscriberOf<S[M]> : S[M] extends { event: infer E extends Event } ? SubscriberOf<E> : never;
      }>
    : unknown) &
  (A extends { replies: infer R } ? Is<{ [M in keyof R]: R[M] extends Command ? ReplyOf<R[M]> : never }> : unknown);
