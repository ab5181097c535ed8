import { type Clock, sleep } from '../message/clock.js';
import { RedisError } from '../message/errors.js';
import { READ_BLOCK_MS, READ_BYTES, READ_BYTES_MOST, READ_ENTRIES } from '../message/limits.js';
import { SIZES } from '../message/sizes.js';
import type { Argument, Link } from './connection.js';
import { compareIds, type Entry } from './entry.js';
import { LargeEntries } from './large-entries.js';
import { isForbidden, translate } from './redis-error.js';
import type { Taken } from './reply-tap.js';
import { readEntriesReply, readStreamReply } from './stream-reply.js';

/**
 * One plain XREAD for all streams of its sources, on a connection used for nothing else. Reading takes nothing away.
 *
 * R1: a source that wants nothing (its inbox is full) is left out, and put in again when it says so (`nudge`).
 * R2: what a read brings is delivered only to sources that are still there, at the position the read was made from:
 *     a reply to a read made before a source was replaced is dropped.
 * R3: several sources may follow one stream, each at a position of its own. A reply names streams, not positions, so each stream is asked
 *     for once, from the position furthest back, and each source is given what lies after its own.
 * R4: a reply stays below READ_BYTES_MOST even if every entry is suddenly as large as entries may be. A stream that gave fewer entries than
 *     it was asked for was at its end a moment ago; the others may hold any number, and share what a reply may bring in the worst case.
 * R5: an entry that is too large is asked for once by each owner: what a reply brought of it to a source that was gone is kept for the next.
 */

export interface Source {
  readonly stream: string;
  /** Read what comes after this id. */
  position(): string;
  /** How many entries it would take now; 0 leaves it out. */
  wanted(): number;
  /** Takes the entries, in order; moves `position` on. */
  deliver(entries: readonly Entry[]): void;
}

/** A read that failed is tried again after this. */
const PAUSE_MS = 100;
/** After a read of so few the next one waits some turns: until they are handled, as on an idle system it would stand in their commit's way. */
const FEW_ENTRIES = 16;
/** How long a read blocks where nobody may call it back: no new source waits longer for its first read. */
const UNCALLED_BLOCK_MS = 200;
/** At most between two requests for a read that does not come back. */
const CALL_BACK_MAX_MS = 100;

export class Reader {
  readonly #sources = new Set<Source>();
  /** several of them follow one stream */
  #shared = false;
  /** the read under way */
  #read: Read | undefined;
  /** what the last read was made of; most are made of the same, as nobody came, went or was full */
  #last: Request = requestOf([], new Set());
  readonly #large = new LargeEntries();
  /** where among streams that may hold many the next read begins, when they are too many for one */
  #turn = 0;
  #sleeper: (() => void) | undefined;
  #connectionId = '';
  /** Redis does not let this user call a blocked read back, as managed services have it */
  #uncalled = false;
  #averageBytes = 512;
  /** entries in one reply, were all as large as they may be */
  readonly #mostAtOnce: number;
  #running: Promise<void> | undefined;
  readonly #stopped = new AbortController();

  /**
   * @param link for the blocking reads alone
   * @param control another connection, on which a blocked read is called back
   */
  constructor(
    private readonly link: Link,
    private readonly control: Link,
    private readonly clock: Clock,
    private readonly onFault: (error: Error) => void,
    /** of the event loop, after a read of few entries; more of them gather in the meantime */
    private readonly turns = 1,
    /** most bytes of one entry */
    private readonly entryBytes = SIZES.entry,
  ) {
    this.#mostAtOnce = Math.max(1, Math.floor(READ_BYTES_MOST / entryBytes));
  }

  /** Greets each new connection of `link`: its number is needed to call a blocked read back. */
  readonly greeting = async (redis: { call(command: string, ...args: string[]): Promise<unknown> }): Promise<void> => {
    try {
      this.#connectionId = String(await redis.call('CLIENT', 'ID'));
      this.#uncalled = false;
    } catch (thrown) {
      const error = translate(thrown, 'CLIENT ID');
      if (!isForbidden(error)) throw error;
      this.#uncalled = true;
    }
  };

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#sources.clear();
    this.#sleeper?.();
    this.link.close();
    await this.#running;
  }

  /** @param goesOn nobody else has had what the source reads since this node read it last (R5) */
  add(source: Source, goesOn = false): void {
    if (!goesOn) this.#large.forget(source.stream);
    this.#sources.add(source);
    this.#count();
    this.nudge(source);
  }

  remove(source: Source): void {
    this.#sources.delete(source);
    this.#count();
  }

  #count(): void {
    this.#shared = new Set([...this.#sources].map(({ stream }) => stream)).size < this.#sources.size;
  }

  /** `source` wants entries again: if the read under way was made without it, that read is called back. */
  nudge(source: Source): void {
    this.#sleeper?.();
    const read = this.#read;
    if (read !== undefined && !read.asked.includes(source)) void this.#callBack(read);
  }

  #calling: Read | undefined;

  async #callBack(read: Read): Promise<void> {
    if (this.#calling === read || this.#uncalled) return;
    this.#calling = read;
    // The request may overtake the read it is meant for, on the other connection: until the read is back, ask again. Soon, and then ever
    // less often: a read whose connection has died silently does not come back for seconds.
    for (let wait = 0; this.#read === read && this.link.up; wait = Math.min(wait * 2 + 1, CALL_BACK_MAX_MS)) {
      if (!this.control.up && !(await this.control.untilUp(this.link.readBlock))) return; // the read has come back by itself
      try {
        if ((await this.control.call('CLIENT', ['UNBLOCK', this.#connectionId])) === 1) return;
      } catch (error) {
        if (isForbidden(error)) this.#uncalled = true; // the reads that follow come back soon by themselves
        if (this.#uncalled) return;
        // Perhaps it was not done: it is asked for again, once there is a connection.
      }
      if (wait === 0) await new Promise((resolve) => setImmediate(resolve));
      else await sleep(this.clock, wait, this.#stopped.signal);
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      if (!this.link.up) {
        await this.link.untilUp(READ_BLOCK_MS);
        continue;
      }
      const least = this.#choose();
      if (this.#last.asked.length === 0) {
        await new Promise<void>((resolve) => {
          this.#sleeper = resolve;
        });
        this.#sleeper = undefined;
        continue;
      }
      try {
        const large = this.#large.none ? undefined : this.#nextLarge();
        const entries = large === undefined ? await this.#ask(this.#fitting(), least) : await this.#askUpTo(large, least);
        if (entries === 0 || entries > FEW_ENTRIES) continue;
        for (let left = this.turns; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        if (signal.aborted) return;
        this.#last.mayHoldMany.fill(true); // much may have come since
        if (!(error instanceof RedisError)) this.onFault(error as Error);
        else if (error.code !== 'REDIS_CONNECTION_LOST' && error.code !== 'REDIS_NOT_CONNECTED') this.onFault(error);
        await sleep(this.clock, PAUSE_MS, signal);
      }
    }
  }

  /** A source before one of the entries that need not be read again (R5). */
  #nextLarge(): { source: Source; entry: Entry } | undefined {
    for (const source of this.#last.asked) {
      const entry = this.#large.after(source.stream, source.position());
      if (entry !== undefined) return { source, entry };
    }
    return undefined;
  }

  /** R5: what stands before the entry, then the entry itself as it was read. Returns how many were delivered. */
  async #askUpTo({ source, entry }: { source: Source; entry: Entry }, most: number): Promise<number> {
    const { stream } = source;
    const position = source.position();
    const count = Math.min(most, this.#mostAtOnce);
    const parts = [[stream, `(${position}`, `(${entry.id}`, 'COUNT', count]];
    const reply = await this.link.bytes('XRANGE', parts, this.entryBytes);
    const read = reply === undefined ? [] : readEntriesReply(reply.bytes, reply.cuts);
    if (read.length < count) read.push(entry);
    if (!this.#sources.has(source) || source.position() !== position) return 0; // R2
    source.deliver(read);
    return read.length;
  }

  /** Whom the next read is for (R1), in `#last`. Returns how many entries the one with the least room wants. */
  #choose(): number {
    const { asked } = this.#last;
    let same = true;
    let chosen = 0;
    let least = READ_ENTRIES;
    for (const source of this.#sources) {
      const wanted = source.wanted();
      if (wanted <= 0) continue;
      if (asked[chosen] !== source) same = false;
      chosen += 1;
      least = Math.min(least, wanted);
    }
    if (!same || chosen !== asked.length) this.#last = this.#requestAnew();
    return least;
  }

  /** Of a source that comes, or comes back, it is not known how much it holds. */
  #requestAnew(): Request {
    const { asked, mayHoldMany } = this.#last;
    const drained = new Set(asked.filter((_, i) => mayHoldMany[i] === false));
    return requestOf(
      [...this.#sources].filter((source) => source.wanted() > 0),
      drained,
    );
  }

  /** R4: the whole request, or that part of it whose reply is bounded even with one entry of each stream. */
  #fitting(): Request {
    const { asked, mayHoldMany } = this.#last;
    let many = 0;
    for (const one of mayHoldMany) if (one) many += 1;
    this.#last.many = many;
    if (many <= this.#mostAtOnce) return this.#last;
    const full = asked.filter((_, i) => mayHoldMany[i]);
    this.#turn %= full.length;
    const next = [...full.slice(this.#turn), ...full.slice(0, this.#turn)].slice(0, this.#mostAtOnce);
    this.#turn += this.#mostAtOnce;
    const part = requestOf(next, new Set());
    part.many = next.length;
    part.options.splice(BLOCK_AT - 1, 2); // the others must not wait for these
    return part;
  }

  /** What a read has told of the streams that were asked. @param count as many were asked for */
  #learn(request: Request, byStream: ReadonlyMap<string, readonly Entry[]>, count: number): void {
    const { asked, streams, mayHoldMany } = request;
    for (let i = 0; i < streams.length; i += 1) {
      const read = byStream.get(streams[i] as string);
      mayHoldMany[i] = read !== undefined && read.length >= count;
    }
    if (request === this.#last) return;
    const last = this.#last;
    asked.forEach((source, i) => {
      const at = last.asked.indexOf(source);
      if (at >= 0) last.mayHoldMany[at] = mayHoldMany[i] === true;
    });
  }

  /** @param most entries of each stream. Returns how many came. */
  async #ask(request: Request, most: number): Promise<number> {
    const { asked, positions, streams, options, many } = request;
    for (let i = 0; i < asked.length; i += 1) positions[i] = (asked[i] as Source).position();
    const back = this.#shared ? furthestBack(asked, positions) : undefined; // R3
    const average = Math.floor(READ_BYTES / (this.#averageBytes * asked.length));
    const count = Math.max(1, Math.min(most, average, Math.floor(this.#mostAtOnce / Math.max(1, many))));
    options[COUNT_AT] = count;
    if (options.length > BLOCK_AT)
      options[BLOCK_AT] = this.#uncalled ? Math.min(UNCALLED_BLOCK_MS, this.link.readBlock) : this.link.readBlock;
    const parts = back === undefined ? [options, streams, positions] : [options, [...back.keys()], [...back.values()]];
    this.#read = { asked };
    let reply: Taken | undefined;
    try {
      reply = await this.link.bytes('XREAD', parts, this.entryBytes);
    } finally {
      this.#read = undefined;
    }
    const byStream = reply === undefined ? NOTHING : readStreamReply(reply.bytes, reply.cuts);
    this.#learn(request, byStream, count);
    let entries = 0;
    for (const read of byStream.values()) entries += read.length;
    for (let i = 0; i < asked.length; i += 1) {
      const source = asked[i] as Source;
      const read = byStream.get(source.stream);
      const position = positions[i] as string;
      if (read === undefined) continue;
      if (!this.#sources.has(source) || source.position() !== position) {
        this.#large.keep(source.stream, read); // R2, R5
        continue;
      }
      const first = back?.get(source.stream) ?? position;
      const news = first === position ? read : read.filter(({ id }) => compareIds(id, position) > 0); // R3
      if (news.length > 0) source.deliver(news);
    }
    if (entries > 0 && reply !== undefined) this.#averageBytes = Math.max(64, this.#averageBytes * 0.8 + (reply.size / entries) * 0.2);
    return entries;
  }
}

const NOTHING: ReadonlyMap<string, readonly Entry[]> = new Map();

/** One read, and for whom it is made. */
interface Read {
  readonly asked: readonly Source[];
}

/** A read's arguments. The lists are used again by the reads that follow, as one at a time is under way. */
interface Request {
  readonly asked: readonly Source[];
  /** of each of them, when the read was made */
  readonly positions: string[];
  readonly streams: readonly string[];
  /** R4: of each of them; false for one that was read to its end by the last read */
  readonly mayHoldMany: boolean[];
  /** how many of them */
  many: number;
  readonly options: Argument[];
}

const COUNT_AT = 1;
const BLOCK_AT = 3;

function requestOf(asked: readonly Source[], drained: ReadonlySet<Source>): Request {
  return {
    asked,
    positions: [],
    streams: asked.map(({ stream }) => stream),
    mayHoldMany: asked.map((source) => !drained.has(source)),
    many: 0,
    options: ['COUNT', 0, 'BLOCK', 0, 'STREAMS'],
  };
}

/** Each stream once, with the position furthest back of those that follow it. */
function furthestBack(sources: readonly Source[], positions: readonly string[]): Map<string, string> {
  const streams = new Map<string, string>();
  sources.forEach(({ stream }, i) => {
    const position = positions[i] as string;
    const first = streams.get(stream);
    if (first === undefined || compareIds(position, first) < 0) streams.set(stream, position);
  });
  return streams;
}
