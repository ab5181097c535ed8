import { types } from 'node:util';
import type { Keys } from '../log/keys.js';
import { shardOf } from '../log/shard.js';
import type { Clock } from '../message/clock.js';
import type { Encoded, MessageDefinition } from '../message/definition.js';
import { type Duration, milliseconds } from '../message/duration.js';
import { type NewEnvelope, toFields } from '../message/envelope.js';
import { InvalidValueError, invariant } from '../message/errors.js';
import type { Ids } from '../message/ids.js';
import { SIZES, type Sizes } from '../message/sizes.js';

/** When a message may be handled. */
export interface StageOptions {
  /**
   * Handled when this much time has passed, not before.
   * @default none: at once
   */
  delay?: Duration | undefined;
  /**
   * Handled at this moment, not before. Not together with `delay`.
   * @default none: at once
   */
  at?: Date | undefined;
  /**
   * A command that is not handled within this time ends as `failed`, code `EXPIRED`.
   * @default none: never
   */
  expiresIn?: Duration | undefined;
}

/** A message ready for its stream. */
export interface Outgoing {
  readonly messageId: string;
  readonly correlationId: string;
  readonly key: string;
  readonly shard: number;
  readonly stream: string;
  readonly fields: string[];
  readonly definition: MessageDefinition;
  /** the data's JSON text */
  readonly json: string;
}

/** What stands in the envelope beside the message itself. */
export type Headers = Pick<NewEnvelope, 'source'> &
  Partial<
    Pick<NewEnvelope, 'causationId' | 'replyTo' | 'replyNode' | 'track' | 'traceparent' | 'idempotencyKey'> & {
      readonly id: string | undefined;
      readonly correlationId: string | undefined;
    }
  >;

/** Makes envelopes: for what is told from outside, and for what handlers stage. */
export class Composer {
  /** names of the events that this node has published: it looks after their streams */
  readonly published = new Set<string>();

  constructor(
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly keys: Keys,
    readonly sizes: Sizes = SIZES,
  ) {}

  /** ms since the epoch */
  now(): number {
    return this.clock.now();
  }

  shardOf(key: string): number {
    return shardOf(key, this.keys.shards);
  }

  /** @throws InvalidValueError `INVALID_DURATION`, `INVALID_OPTION` */
  compose(definition: MessageDefinition, encoded: Encoded, headers: Headers, options: StageOptions | undefined): Outgoing {
    const { key } = encoded;
    const shard = this.shardOf(key);
    const id = headers.id ?? this.ids.next(shard);
    const time = this.clock.now();
    const correlationId = headers.correlationId ?? id;
    const { due, expires } = options === undefined ? NO_TIMES : this.#times(definition.name, time, options);
    // Spelled out: spreading `headers` would cost more than all the rest of an envelope.
    const fields = toFields({
      id,
      type: definition.name,
      source: headers.source,
      subject: key,
      time,
      correlationId,
      causationId: headers.causationId,
      idempotencyKey: headers.idempotencyKey,
      data: encoded.json,
      replyTo: headers.replyTo,
      replyNode: headers.replyNode,
      track: headers.track,
      expires,
      due,
      traceparent: headers.traceparent,
    });
    return { messageId: id, correlationId, key, shard, stream: this.#stream(definition, shard), fields, definition, json: encoded.json };
  }

  #stream(definition: MessageDefinition, shard: number): string {
    if (definition.kind === 'event') {
      this.published.add(definition.name);
      return this.keys.event(definition.name, shard);
    }
    invariant(definition.to !== undefined, 'a command names its actor type');
    return this.keys.inbox(definition.to, shard);
  }

  #times(name: string, now: number, { delay, at, expiresIn }: StageOptions): { due: number | undefined; expires: number | undefined } {
    if (delay !== undefined && at !== undefined)
      throw new InvalidValueError('INVALID_OPTION', `options of ${name}`, 'both delay and at', 'one of them');
    if (at !== undefined && !(types.isDate(at) && Number.isFinite(at.getTime())))
      throw new InvalidValueError('INVALID_OPTION', `at of ${name}`, at, 'a Date');
    return {
      due: at !== undefined ? at.getTime() : delay === undefined ? undefined : moment(now, delay, `delay of ${name}`),
      expires: expiresIn === undefined ? undefined : moment(now, expiresIn, `expiresIn of ${name}`),
    };
  }
}

/** The last moment that a Date can hold, ms since the epoch. */
const LAST_MOMENT = 8.64e15;

function moment(now: number, wait: Duration, place: string): number {
  const then = now + milliseconds(wait, place);
  if (then <= LAST_MOMENT) return then;
  throw new InvalidValueError('INVALID_DURATION', place, wait, 'a wait that ends while there are dates');
}

const NO_TIMES = { due: undefined, expires: undefined } as const;
