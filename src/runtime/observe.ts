import { Observable } from 'rxjs/internal/Observable';
import type { Link } from '../log/connection.js';
import { type Entry, FIRST, timeOf } from '../log/entry.js';
import type { Keys } from '../log/keys.js';
import { type From, type Position, positionsOf, startingIds } from '../log/position.js';
import { Reader, type Source } from '../log/reader.js';
import { dealingWith } from '../log/redis-error.js';
import { newestIds } from '../log/system-record.js';
import { type Clock, sleep } from '../message/clock.js';
import type { MessageDefinition } from '../message/definition.js';
import { type Envelope, fromFields } from '../message/envelope.js';
import { asError, ErrandError } from '../message/errors.js';
import { READ_ENTRIES } from '../message/limits.js';
import { outside } from '../message/outside.js';
import { failureOf } from './decode.js';
import { tooLarge } from './letters.js';

/** What results and facts have in common. */
export interface ObservedMeta {
  readonly messageId: string;
  readonly correlationId: string;
  readonly causationId?: string | undefined;
  readonly key: string;
  readonly at: Date;
  /** give it as `from` to go on after this message */
  readonly position: Position;
}

export type ObservedResult = ObservedMeta & { readonly type: string } & (
    | { readonly status: 'completed'; readonly value: unknown }
    | { readonly status: 'failed'; readonly error: { readonly code: string; readonly message: string } }
  );

export type ObservedEvent = ObservedMeta & { readonly type: string; readonly data: unknown };

/** What an entry is to an observer; undefined when it is another's. */
type See<T> = (envelope: Envelope, at: Date, position: Position) => T | undefined;

/** How long an observer that begins waits for a Redis that is away. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 100;
/** A read for each single result would cost as much as the result; see Reader. */
const TURNS = 8;

/**
 * What users watch: results and facts, as rxjs Observables, read from the log on a connection of their own.
 *
 * O1: an observer that begins `'now'` sees all that this system sends after `subscribe()`: appends wait until its position is known (`positioned`).
 */
export class Observatory {
  readonly #reader: Reader;
  #opened: Promise<void> | undefined;
  #positioning = 0;
  #positioned: Promise<void> | undefined;
  #release: () => void = () => undefined;
  readonly #observers = new Set<{ complete(): void }>();
  #stopped = false;

  constructor(
    private readonly keys: Keys,
    private readonly control: Link,
    private readonly clock: Clock,
    readerLink: (greet: Reader['greeting']) => Link,
    private readonly onFault: (where: string, error: Error) => void,
    entryBytes: number,
  ) {
    let reader: Reader;
    const own = readerLink((redis) => reader.greeting(redis));
    this.readLink = own;
    reader = new Reader(own, control, clock, (error) => onFault('observers', error), TURNS, entryBytes);
    this.#reader = reader;
  }

  private readonly readLink: Link;

  /** Invariant O1: await this before an append. Undefined when nobody's position is being looked up. */
  get positioned(): Promise<void> | undefined {
    return this.#positioned;
  }

  /** @throws InvalidValueError `INVALID_POSITION` */
  results(definition: MessageDefinition, from: From): Observable<ObservedResult> {
    const { keys } = this;
    const to = definition.to ?? '';
    return this.#observe(
      (shard) => keys.results(to, shard),
      from,
      `from of results(${definition.name})`,
      (envelope, at, position) => {
        if (envelope.type !== definition.name) return undefined;
        const { type, correlationId, subject: key } = envelope;
        const messageId = envelope.causationId ?? envelope.id;
        if (envelope.status === 'failed') {
          return { messageId, correlationId, key, at, position, type, status: 'failed', error: failureOf(envelope.data) };
        }
        const value = definition.decodeResult(envelope.data);
        return { messageId, correlationId, key, at, position, type, status: 'completed', value };
      },
    );
  }

  /** @throws InvalidValueError `INVALID_POSITION` */
  events(definition: MessageDefinition, from: From): Observable<ObservedEvent> {
    const { keys } = this;
    return this.#observe(
      (shard) => keys.event(definition.name, shard),
      from,
      `from of events(${definition.name})`,
      (envelope, at, position) => {
        if (envelope.type !== definition.name) return undefined;
        const { type, id: messageId, correlationId, causationId, subject: key } = envelope;
        const data = definition.decode(envelope.data);
        return { messageId, correlationId, key, at, position, causationId, type, data };
      },
    );
  }

  #observe<T>(stream: (shard: number) => string, from: From, place: string, see: See<T>): Observable<T> {
    const { shards } = this.keys;
    startingIds(from, shards, place); // a bad `from` is the caller's fault, and told at once
    return new Observable<T>((observer) => {
      if (this.#stopped) return observer.error(new ErrandError('STOPPED', 'the system was stopped'));
      const streams = Array.from({ length: shards }, (_, shard) => stream(shard));
      const ids: string[] = [];
      const sources: Source[] = [];
      let over = false;
      this.#observers.add(observer);
      void this.#begin(streams, startingIds(from, shards, place)).then(
        (begin) => {
          if (over) return;
          ids.push(...begin);
          streams.forEach((name, shard) => {
            const deliver = (entries: readonly Entry[]): void => {
              const position = positionsOf(ids, shard);
              for (const entry of entries) {
                ids[shard] = entry.id;
                if (!over) this.#see(entry, position, see, observer);
              }
            };
            const source = { stream: name, position: () => ids[shard] ?? FIRST, wanted: () => READ_ENTRIES, deliver };
            sources.push(source);
            this.#reader.add(source);
          });
        },
        (error: unknown) => observer.error(error),
      );
      return () => {
        over = true;
        this.#observers.delete(observer);
        for (const source of sources) this.#reader.remove(source);
      };
    });
  }

  #see<T>(entry: Entry, position: (id: string) => Position, see: See<T>, observer: { next(value: T): void }): void {
    let seen: T | undefined;
    try {
      if (entry.oversize !== undefined) throw tooLarge(entry.oversize);
      const envelope = fromFields(entry.fields);
      if ('fault' in envelope) throw new ErrandError('NO_ENVELOPE', envelope.fault);
      seen = see(envelope, new Date(timeOf(entry.id)), position(entry.id));
    } catch (thrown) {
      return this.onFault(`entry ${entry.id}, seen by an observer`, asError(thrown));
    }
    if (seen !== undefined) observer.next(seen);
  }

  async #begin(streams: readonly string[], known: readonly string[] | undefined): Promise<readonly string[]> {
    this.#positioning += 1;
    this.#positioned ??= new Promise((resolve) => {
      this.#release = resolve;
    });
    const { clock, control } = this;
    const end = clock.monotonic() + PATIENCE_MS;
    try {
      for (;;) {
        try {
          this.#opened ??= this.#open();
          await this.#opened;
          return known ?? (await newestIds(control, streams));
        } catch (error) {
          const left = end - clock.monotonic();
          if (!dealingWith(error).wait || left <= 0 || this.#stopped) throw error;
          await sleep(clock, PAUSE_MS); // a lost connection is waited out here as everywhere
          await control.untilUp(left);
        }
      }
    } finally {
      this.#positioning -= 1;
      if (this.#positioning === 0) {
        this.#positioned = undefined;
        this.#release();
      }
    }
  }

  async #open(): Promise<void> {
    try {
      await this.readLink.open();
    } catch (error) {
      this.#opened = undefined; // the next observer tries again
      throw error;
    }
    outside(() => this.#reader.start());
  }

  /** Completes every observable. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const observer of this.#observers) observer.complete();
    await this.#reader.stop();
  }
}
