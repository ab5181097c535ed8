import type { Redis } from 'ioredis';
import { type Clock, sleep, type Timer } from '../message/clock.js';
import { RedisError } from '../message/errors.js';
import { outside } from '../message/outside.js';
import { fraction, type Random } from '../message/random.js';
import { translate } from './redis-error.js';
import { type Answer, unexpected } from './reply.js';
import { ReplyTap, type Taken } from './reply-tap.js';
import { encodeRequest } from './request.js';
import { Silence } from './silence.js';
import type { Store } from './store.js';

/**
 * A `Link` is one purpose's way to Redis: at most one physical connection at a time, made anew on `Clock`'s time when it is lost.
 *
 * C1: a command is written at most once. With ioredis' defaults a reply lost after execution makes it run twice and report success,
 *     so its retries, resending and offline queue are all off; whoever may repeat a command does so knowingly.
 * C2: `epoch` counts physical connections. What was promised on one (the ownership of a partition) ends with it.
 * C3: no ioredis error leaves this file: a ReplyError holds the command's arguments, and with them payloads.
 * C4: what a link that is `patient` waits for is not asked for again and again for ever: after each silence it waits twice as long, until an
 *     answer comes. Redis may need longer than usual to make a reply of what others have written.
 */

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 2_000;
/** A connection that keeps silent gets at most so many times the usual limit. */
const MOST_PATIENCE = 16;

/** Redis is not there: nothing is said about the request itself. */
export function isAway(error: unknown): boolean {
  return error instanceof RedisError && (error.code === 'REDIS_NOT_CONNECTED' || error.code === 'REDIS_CONNECTION_LOST');
}

export type Argument = string | number;
/** What a command is given: texts, numbers, and what was packed. */
export type CommandArgument = Argument | Buffer;
/** A command's name and its arguments. */
export type Command = readonly [string, ...Argument[]];
type Parts = readonly (readonly CommandArgument[])[];

function fail(error: RedisError): never {
  throw error;
}

function refusedBy(thrown: unknown, [command, key]: Command = ['a pipeline']): RedisError {
  return translate(thrown, command, keyOf(command, key));
}

/** One physical connection. */
interface Connection {
  readonly redis: Redis;
  readonly silence: Silence;
  /** once somebody wants bytes from it */
  tap: ReplyTap | undefined;
}

/** Invariant C3. @param otherwise what comes of an error @param key that the command is about */
function awaited<T>(
  { silence }: Connection,
  answer: Promise<T>,
  command: string,
  otherwise: (error: RedisError) => T | Promise<T>,
  key?: string,
): Promise<T> {
  silence.sent();
  return answer.then(silence.pass, (thrown: unknown) => {
    silence.answered();
    return otherwise(translate(thrown, command, key));
  });
}

/** Most commands name their key first; of the others no argument is shown. */
const KEYLESS: ReadonlySet<string> = new Set(['CLIENT', 'INFO', 'TIME', 'MULTI', 'EXEC', 'XREAD', 'EVAL', 'EVALSHA', 'SELECT']);

function keyOf(command: string, argument: CommandArgument | undefined): string | undefined {
  return typeof argument === 'string' && !KEYLESS.has(command) ? argument : undefined;
}

export interface LinkOptions {
  readonly store: Store;
  /** the connection's name in `CLIENT LIST` */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  /** runs on each new physical connection, before anybody else may use it */
  readonly greet?: (redis: Redis) => Promise<void>;
  /** C4 */
  readonly patient?: boolean;
}

export class Link {
  #up: Connection | undefined;
  /** on its way to a connection */
  #connecting: Redis | undefined;
  #epoch = 0;
  /** times the usual limit that the next connection may keep silent (C4) */
  #patience = 1;
  #closed = new AbortController();
  #waiting = new Set<() => void>();
  readonly #onUp = new Set<() => void>();
  readonly #onDown = new Set<() => void>();
  readonly #onMessage = new Set<(channel: string, text: string) => void>();

  constructor(private readonly options: LinkOptions) {}

  /** Connects; afterwards it reconnects by itself. @throws RedisError `REDIS_UNREACHABLE`, `REDIS_AUTH`, … */
  async open(): Promise<void> {
    await outside(() => this.#connect());
  }

  /** How long a blocking read on it may take to return, ms. */
  get readBlock(): number {
    return this.options.store.readBlock;
  }

  get up(): boolean {
    return this.#up !== undefined;
  }

  /** Invariant C2. */
  get epoch(): number {
    return this.#epoch;
  }

  onUp(listener: () => void): void {
    this.#onUp.add(listener);
  }
  onDown(listener: () => void): void {
    this.#onDown.add(listener);
  }
  onMessage(listener: (channel: string, text: string) => void): void {
    this.#onMessage.add(listener);
  }

  /** Resolves to true once connected, to false after `ms` without. */
  async untilUp(ms: number): Promise<boolean> {
    if (this.up || this.#closed.signal.aborted) return this.up;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting.add(resolve);
      timer = this.options.clock.after(ms, () => {
        this.#waiting.delete(resolve);
        resolve();
      });
    });
    timer?.cancel();
    return this.up;
  }

  /**
   * One command, written at most once.
   * @throws RedisError `REDIS_NOT_CONNECTED` (not written), `REDIS_CONNECTION_LOST` (nobody knows), or what Redis said
   */
  call(command: string, args: readonly CommandArgument[] = []): Promise<unknown> {
    const up = this.#up;
    if (up === undefined) return this.#away();
    return awaited(up, up.redis.call(command, args as CommandArgument[]), command, fail, keyOf(command, args[0]));
  }

  /**
   * As `call`, but the request is written past ioredis' encoder, which is given the bytes: for scripts and reads, whose arguments may be many.
   * @param parts all of them together are the arguments
   * @param otherwise what comes of an error; by default it is thrown
   * @param name of the request, in errors
   */
  send(command: string, parts: Parts, otherwise: (error: RedisError) => unknown = fail, name = command): Promise<unknown> {
    const up = this.#up;
    if (up === undefined) return this.#away();
    return awaited(up, this.#write(up, command, parts), name, otherwise);
  }

  #write({ redis }: Connection, command: string, parts: Parts): Promise<unknown> {
    return redis.sendCommand(new this.options.store.Written(command, encodeRequest(command, parts))) as Promise<unknown>;
  }

  #away(): Promise<never> {
    return Promise.reject(new RedisError('REDIS_NOT_CONNECTED', `not connected to ${this.options.store.place}`));
  }

  /**
   * As `call`, for a command that answers an array (or nothing), on a link on which nothing else is under way: the reply's bytes.
   * @param limit most bytes of one entry's values; of a larger entry only the beginning is kept
   * @returns undefined when Redis answered nothing
   */
  bytes(command: string, parts: Parts, limit: number): Promise<Taken | undefined> {
    const up = this.#up;
    if (up === undefined) return this.#away();
    up.tap ??= new ReplyTap(up.redis.stream);
    const { tap, silence } = up;
    tap.expect(limit);
    silence.sent();
    return this.#write(up, command, parts).then(
      () => {
        silence.answered();
        this.#patience = 1;
        return tap.taken();
      },
      (thrown: unknown) => {
        silence.answered();
        throw translate(thrown, command);
      },
    );
  }

  /**
   * Several commands in one write.
   * @returns their replies
   * @throws RedisError as `call`, when Redis refuses any of them; the others are done all the same
   */
  async pipeline(commands: readonly Command[]): Promise<unknown[]> {
    return (await this.answers(commands)).map((answer) => (answer.kind === 'reply' ? answer.reply : fail(answer.error)));
  }

  /**
   * Several commands in one write, each of which Redis may refuse by itself.
   * @throws RedisError `REDIS_NOT_CONNECTED`, `REDIS_CONNECTION_LOST`
   */
  async answers(commands: readonly Command[]): Promise<Answer[]> {
    const up = this.#up;
    if (up === undefined) return this.#away();
    if (commands.length === 0) return [];
    const pipe = up.redis.pipeline();
    for (const [command, ...args] of commands) pipe.call(command, ...args);
    const replies = await awaited(up, pipe.exec(), 'a pipeline', fail);
    if (replies === null) throw new RedisError('REDIS_CONNECTION_LOST', 'the connection was lost while a pipeline was unanswered');
    return replies.map(([error, reply], i): Answer => {
      if (error === null) return { kind: 'reply', reply };
      const translated = refusedBy(error, commands[i]);
      if (translated.code === 'REDIS_CONNECTION_LOST') throw translated;
      return { kind: 'refused', error: translated };
    });
  }

  /**
   * Several commands in one transaction (`MULTI`, `EXEC`).
   * @returns their replies
   * @throws RedisError as `call`, when Redis refuses any of them
   */
  async transaction(commands: readonly Command[]): Promise<unknown[]> {
    const answers = await this.answers([['MULTI'], ...commands, ['EXEC']]);
    // A command that is refused before `EXEC` says why; `EXEC` itself then says only that nothing was done.
    for (const answer of answers) if (answer.kind === 'refused') throw answer.error;
    const last = answers.at(-1);
    const replies = last?.kind === 'reply' ? last.reply : undefined;
    if (!Array.isArray(replies) || replies.length !== commands.length) return unexpected(replies, 'EXEC', 'an array of its replies');
    return replies.map((reply: unknown, i) => (reply instanceof Error ? fail(refusedBy(reply, commands[i])) : reply));
  }

  async subscribe(channel: string): Promise<void> {
    const up = this.#up;
    if (up === undefined) return this.#away();
    await awaited(up, up.redis.subscribe(channel), 'SUBSCRIBE', fail);
  }

  /** Gives the physical connection up, as if it had been lost. */
  drop(): void {
    this.#up?.redis.disconnect();
  }

  close(): void {
    this.#closed.abort();
    const up = this.#up;
    this.#up = undefined;
    up?.redis.disconnect();
    this.#connecting?.disconnect();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  async #connect(): Promise<void> {
    const { store, name, greet } = this.options;
    const redis = store.client(name);
    this.#connecting = redis;
    let reason: Error | undefined;
    redis.on('error', (error: Error) => {
      reason = error;
    });
    try {
      await redis.connect();
      await greet?.(redis);
      if (this.#closed.signal.aborted) throw new Error('closed meanwhile');
    } catch (thrown) {
      redis.disconnect();
      // A fault of our own (a script's file is missing) is not Redis'.
      if (redis.status === 'ready' && thrown instanceof Error && thrown.name !== 'ReplyError' && !(thrown instanceof RedisError))
        throw thrown;
      const cause = reason ?? thrown;
      const translated = translate(cause, 'connect');
      if (translated.code !== 'REDIS_CONNECTION_LOST') throw translated;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RedisError('REDIS_UNREACHABLE', `cannot connect to ${store.place}: ${why}`);
    }
    this.#connecting = undefined;
    if (redis.status !== 'ready') throw new RedisError('REDIS_UNREACHABLE', `the connection to ${store.place} was lost at once`);
    // Until here ioredis has watched; all that was sent is answered, so that its watch is off.
    const { socketTimeout } = redis.options;
    const limit = socketTimeout === undefined ? undefined : socketTimeout * this.#patience;
    const silence = new Silence(redis.stream, limit, this.options.clock, () => {
      if (this.options.patient === true) this.#patience = Math.min(this.#patience * 2, MOST_PATIENCE);
    });
    delete redis.options.socketTimeout;
    this.#up = { redis, silence, tap: undefined };
    this.#epoch += 1;
    redis.on('message', (channel: string, text: string) => {
      for (const listener of this.#onMessage) listener(channel, text);
    });
    redis.once('end', () => {
      if (this.#up?.redis !== redis) return;
      this.#up = undefined;
      for (const listener of this.#onDown) listener();
      void this.#reconnect();
    });
    for (const listener of this.#onUp) listener();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  async #reconnect(): Promise<void> {
    const { clock, random } = this.options;
    for (let delay = RECONNECT_MIN_MS; !this.#closed.signal.aborted; delay = Math.min(delay * 2, RECONNECT_MAX_MS)) {
      await sleep(clock, delay * (0.5 + fraction(random) / 2), this.#closed.signal);
      if (this.#closed.signal.aborted) return;
      try {
        return await this.#connect();
      } catch {
        // Still away; whoever waits has a time limit of its own.
      }
    }
  }
}
