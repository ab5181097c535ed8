import type { Append, Appender } from '../log/appender.js';
import type { Keys } from '../log/keys.js';
import type { Outcome } from '../log/outcome.js';
import type { MessageDefinition } from '../message/definition.js';
import { type Duration, milliseconds } from '../message/duration.js';
import { asError, CommandFailed, ErrandError, invariant } from '../message/errors.js';
import { derivedId, fingerprint, shardOfId } from '../message/ids.js';
import { OUTCOME_KEPT_MS } from '../message/limits.js';
import { checkId } from '../message/names.js';
import type { Asks } from './asks.js';
import type { Observatory } from './observe.js';
import type { Composer, Outgoing, StageOptions } from './outgoing.js';

/** How a message is sent from outside the actors. */
export interface SendOptions extends StageOptions {
  /**
   * The same key with the same data is accepted once, until a day after the message was settled (a fact: after it was published).
   * The message id is derived from type, key and idempotency key.
   * @default none
   * @bound 1 to 200 bytes, no control characters
   */
  idempotencyKey?: string | undefined;
  /**
   * Ties together everything that follows from this message.
   * @default the message id
   * @bound 1 to 200 bytes, no control characters
   */
  correlationId?: string | undefined;
  /**
   * Keeps the outcome for a day, so that `attach` finds it.
   * @default false; `ask` and `idempotencyKey` imply it
   */
  track?: boolean | undefined;
}

export interface WaitOptions {
  /**
   * How long the caller waits. Afterwards the outcome is unknown, never failed.
   * @default '30s'
   */
  timeout?: Duration | undefined;
  /**
   * Ends the wait early.
   * @default none
   */
  signal?: AbortSignal | undefined;
}

/** What `tell` and `publish` resolve to, once the message is durably appended. */
export interface SentReceipt {
  readonly messageId: string;
  readonly correlationId: string;
  readonly type: string;
  readonly key: string;
  /** it was there already, under the same idempotency key */
  readonly duplicate: boolean;
}

const WAIT_MS = 30_000;

/** What users send. */
export class Sender {
  constructor(
    private readonly name: string,
    private readonly keys: Keys,
    private readonly composer: Composer,
    private readonly appender: Appender,
    private readonly asks: Asks,
    private readonly observatory: Observatory,
    private readonly onCommand: (type: string) => void,
  ) {}

  /** Throws what is wrong with the message; rejects with what is wrong with its append. */
  send(definition: MessageDefinition, input: unknown, options: SendOptions): Promise<SentReceipt> {
    const { outgoing, print } = this.#compose(definition, input, options, options.track === true, undefined);
    const { messageId, correlationId, key } = outgoing;
    return this.#append(definition, outgoing, print, (duplicate) => ({
      messageId,
      correlationId,
      type: definition.name,
      key,
      duplicate,
    }));
  }

  async ask(definition: MessageDefinition, input: unknown, options: SendOptions & WaitOptions): Promise<unknown> {
    const timeout = milliseconds(options.timeout ?? WAIT_MS, 'timeout');
    options.signal?.throwIfAborted();
    if (!this.asks.listening) await this.asks.listen();
    const { outgoing, print } = this.#compose(definition, input, options, true, this.asks.node);
    const { shard, messageId, correlationId } = outgoing;
    const waiter = this.asks.wait(shard, messageId, correlationId, timeout, options.signal, false);
    const appended = (duplicate: boolean): void => {
      if (duplicate) this.asks.look(messageId);
    };
    this.#append(definition, outgoing, print, appended).catch((thrown: unknown) => this.asks.cancel(waiter, asError(thrown)));
    return valueOf(definition, messageId, await waiter.outcome);
  }

  async attach(definition: MessageDefinition, messageId: string, options: WaitOptions): Promise<unknown> {
    const timeout = milliseconds(options.timeout ?? WAIT_MS, 'timeout');
    const shard = shardOfId(checkId(messageId, 'messageId'));
    if (shard === undefined || shard >= this.keys.shards) {
      throw new ErrandError(
        'NOT_TRACKED',
        `${messageId} is no message id of this system: outcomes are kept for messages that it sent itself`,
      );
    }
    const waiter = this.asks.wait(shard, messageId, messageId, timeout, options.signal, true);
    return valueOf(definition, messageId, await waiter.outcome);
  }

  #compose(
    definition: MessageDefinition,
    input: unknown,
    options: SendOptions,
    track: boolean,
    replyNode: string | undefined,
  ): { outgoing: Outgoing; print: string | undefined } {
    const { idempotencyKey, correlationId } = options;
    const encoded = definition.encode(input);
    const { key } = encoded;
    const place = definition.name;
    if (correlationId !== undefined) checkId(correlationId, `correlationId of ${place}`, 'INVALID_OPTION');
    let id: string | undefined;
    let print: string | undefined;
    if (idempotencyKey !== undefined) {
      checkId(idempotencyKey, `idempotencyKey of ${place}`, 'INVALID_OPTION');
      id = derivedId(this.composer.shardOf(key), `${definition.kind}:${definition.to ?? ''}:${definition.name}`, key, idempotencyKey);
      print = fingerprint(input);
    } else if (track) print = '-';
    // A fact has no outcome: its record only keeps duplicates away.
    const tracked = definition.kind === 'command' ? print : undefined;
    const headers = { source: this.name, id, correlationId, track: tracked, replyNode };
    return { outgoing: this.composer.compose(definition, encoded, headers, options), print };
  }

  /** @param answer makes what is resolved to: a promise less for each message */
  #append<T>(definition: MessageDefinition, outgoing: Outgoing, print: string | undefined, answer: (duplicate: boolean) => T): Promise<T> {
    const { shard, messageId, stream, fields } = outgoing;
    const command = definition.kind === 'command';
    const keep = command ? 0 : OUTCOME_KEPT_MS;
    const outcome = print === undefined ? undefined : { key: this.keys.outcome(shard, messageId), print, keep };
    const append = { messageId, stream, to: definition.to, bounded: command, fields, outcome };
    const { positioned } = this.observatory;
    if (positioned !== undefined) return positioned.then(() => this.#hand(definition, shard, append, answer));
    return this.#hand(definition, shard, append, answer);
  }

  #hand<T>({ to }: MessageDefinition, shard: number, append: Append, answer: (duplicate: boolean) => T): Promise<T> {
    if (to !== undefined) this.onCommand(to);
    return this.appender.append(shard, append, answer);
  }
}

/** @throws CommandFailed with the failure's code and message */
function valueOf(definition: MessageDefinition, messageId: string, outcome: Outcome): unknown {
  if (outcome.status === 'completed') return definition.decodeResult(outcome.value);
  invariant(outcome.status === 'failed', 'an outcome is completed or failed');
  throw new CommandFailed(outcome.code, outcome.message, messageId, outcome.correlationId);
}
