import type { Command, Event, InputOf } from '../message/definition.js';
import { definitionAt } from '../message/definition.js';
import type { Attempt } from '../runtime/attempt.js';
import type { Logger } from '../runtime/logger.js';
import type { StageOptions } from '../runtime/outgoing.js';

/** What a handler is told about its message, and how it acts. Its verbs only *stage* effects: they happen with the commit, or not at all. */
export interface ActorContext {
  /** the actor's key */
  readonly key: string;
  readonly messageId: string;
  /** ties together everything that one message from outside set off */
  readonly correlationId: string;
  /** the id of the message that caused this one */
  readonly causationId: string | undefined;
  /** the id of the *first* message, the same through every retry and redrive: what calls to the outside are given */
  readonly idempotencyKey: string;
  /** 1-based */
  readonly attempt: number;
  readonly enqueuedAt: Date;
  /** What time it is by the system's clock, which a test moves as it likes: `at` of a later message is reckoned from here, not from `Date.now()`. */
  now(): Date;
  /** the earlier of the message's and the attempt's */
  readonly deadline: Date | undefined;
  /** aborts on deadline, cancellation, lost partition, a restart by the supervisor, and shutdown; `signal.reason` is an ErrandError whose code says which */
  readonly signal: AbortSignal;
  /** for the actor's own words. Each line has `actor`, `key`, `type`, `messageId`, `correlationId` and `attempt`; errand itself logs no payloads */
  readonly log: Logger;
  /**
   * Stages a command; returns its message id.
   * @throws SchemaError `INVALID_DATA`, `NOT_JSON`; LimitError `TOO_MANY_EFFECTS`, `PAYLOAD_TOO_LARGE`; ErrandError `HANDLER_SETTLED`
   */
  tell<C extends Command>(command: C, data: InputOf<C>, options?: StageOptions): string;
  /** Stages a fact; returns its message id. Throws as `tell`. */
  publish<E extends Event>(event: E, data: InputOf<E>): string;
  /** Deletes this activation's state with the commit; the next message begins with `initialState()`. */
  forget(): void;
}

export class HandlerContext implements ActorContext {
  readonly #attempt: Attempt;
  readonly #logger: Logger;
  #log: Logger | undefined;

  constructor(attempt: Attempt, logger: Logger) {
    this.#attempt = attempt;
    this.#logger = logger;
  }

  /** Made when it is first asked for. */
  get log(): Logger {
    this.#log ??= bound(this.#logger, this.#attempt);
    return this.#log;
  }

  get key(): string {
    return this.#attempt.envelope.subject;
  }
  get messageId(): string {
    return this.#attempt.envelope.id;
  }
  get correlationId(): string {
    return this.#attempt.envelope.correlationId;
  }
  get causationId(): string | undefined {
    return this.#attempt.envelope.causationId;
  }
  get idempotencyKey(): string {
    return this.#attempt.envelope.idempotencyKey;
  }
  get attempt(): number {
    return this.#attempt.number;
  }
  get enqueuedAt(): Date {
    return new Date(this.#attempt.enqueuedAt);
  }
  get deadline(): Date | undefined {
    return new Date(this.#attempt.deadline);
  }
  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  now(): Date {
    return new Date(this.#attempt.now());
  }
  tell<C extends Command>(command: C, data: InputOf<C>, options?: StageOptions): string {
    return this.#attempt.stage(definitionAt(command, 'command', 'ctx.tell'), data, options);
  }
  publish<E extends Event>(event: E, data: InputOf<E>): string {
    return this.#attempt.stage(definitionAt(event, 'event', 'ctx.publish'), data);
  }
  forget(): void {
    this.#attempt.forget();
  }
}

/** A logger whose lines say which message they belong to. */
function bound(logger: Logger, { actorType: actor, envelope, number: attempt }: Attempt): Logger {
  const { subject: key, type, id: messageId, correlationId } = envelope;
  const bindings = { actor, key, type, messageId, correlationId, attempt };
  const line =
    (level: keyof Logger) =>
    (details: object, message: string): void =>
      logger[level]({ ...bindings, ...details }, message);
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}
