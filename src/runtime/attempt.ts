import { timeOf } from '../log/entry.js';
import type { MessageDefinition } from '../message/definition.js';
import type { Envelope } from '../message/envelope.js';
import { ErrandError, LimitError } from '../message/errors.js';
import { EFFECTS_PER_MESSAGE } from '../message/limits.js';
import type { Composer, Outgoing, StageOptions } from './outgoing.js';

/** What one attempt at one message is told, and what it staged. */
export class Attempt {
  readonly staged: Outgoing[] = [];
  /** the activation's state is deleted with the commit */
  forgotten = false;
  /** set while the handler is awaited: stop waiting for it */
  onAbandon: (() => void) | undefined;
  /** bytes of the data of `staged`: at least so many as there are */
  #bytes = 0;
  #over = false;
  #controller: AbortController | undefined;
  #abortReason: Error | undefined;

  constructor(
    readonly envelope: Envelope,
    /** 1-based */
    readonly number: number,
    /** id of the inbox entry */
    private readonly entry: string,
    /** ms since the epoch */
    readonly deadline: number,
    private readonly self: { readonly type: string; readonly replies: ReadonlyMap<string, MessageDefinition> },
    private readonly composer: Composer,
  ) {}

  get actorType(): string {
    return this.self.type;
  }

  /** ms since the epoch, by Redis' clock */
  get enqueuedAt(): number {
    return timeOf(this.entry);
  }

  /** ms since the epoch, by the system's clock */
  now(): number {
    return this.composer.now();
  }

  /** Made when first asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  /**
   * Stages a message for the commit; its id is final.
   * @throws ErrandError `HANDLER_SETTLED`; LimitError `TOO_MANY_EFFECTS`, `EFFECTS_TOO_LARGE`; SchemaError, LimitError and InvalidValueError for what is wrong with the message
   */
  stage(definition: MessageDefinition, input: unknown, options?: StageOptions): string {
    this.assertRunning();
    if (this.staged.length >= EFFECTS_PER_MESSAGE) {
      throw new LimitError(
        'TOO_MANY_EFFECTS',
        `${this.self.type}/${this.envelope.subject}`,
        this.staged.length + 1,
        EFFECTS_PER_MESSAGE,
        'effects of one message',
      );
    }
    const encoded = definition.encode(input);
    this.#weigh(encoded.json);
    const { envelope, self } = this;
    const me = `${self.type}/${envelope.subject}`;
    const headers = {
      source: me,
      correlationId: envelope.correlationId,
      causationId: envelope.id,
      traceparent: envelope.traceparent,
      replyTo: definition.kind === 'command' && self.replies.has(definition.name) ? me : undefined,
    };
    const outgoing = this.composer.compose(definition, encoded, headers, options);
    this.staged.push(outgoing);
    return outgoing.messageId;
  }

  /** One more effect of this data. @throws LimitError `EFFECTS_TOO_LARGE` */
  #weigh(json: string): void {
    const limit = this.composer.sizes.effects;
    const most = this.#bytes + json.length * 3; // a UTF-16 unit is at most three bytes of UTF-8
    if (most <= limit) {
      this.#bytes = most;
      return;
    }
    // Counted only now: the estimate is enough for most attempts.
    let bytes = Buffer.byteLength(json);
    for (const effect of this.staged) bytes += Buffer.byteLength(effect.json);
    if (bytes > limit) {
      const place = `${this.self.type}/${this.envelope.subject}`;
      throw new LimitError('EFFECTS_TOO_LARGE', place, bytes, limit, "bytes in one message's effects");
    }
    this.#bytes = bytes;
  }

  forget(): void {
    this.assertRunning();
    this.forgotten = true;
  }

  /** The handler has returned, thrown, or run out of time: nothing more can be staged. */
  end(): void {
    this.#over = true;
  }

  /** Tells the handler to stop. */
  abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }

  get aborted(): boolean {
    return this.#abortReason !== undefined;
  }

  /** Whatever the handler still does counts for nothing. */
  abandon(reason: Error): void {
    this.abort(reason);
    this.onAbandon?.();
  }

  assertRunning(): void {
    if (!this.#over) return;
    const { type, subject } = this.envelope;
    throw new ErrandError(
      'HANDLER_SETTLED',
      `the handler of ${type} for ${this.self.type}/${subject} has settled: its context can stage nothing more`,
    );
  }
}
