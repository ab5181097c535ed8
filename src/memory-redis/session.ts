import type { Timer } from '../message/clock.js';
import type { Args } from './args.js';
import { Client } from './client-state.js';
import type { CommandSpec } from './command-table.js';
import type { Engine } from './engine.js';
import type { Fault } from './faults.js';
import { CommandError, NO_REPLY, type Reply } from './reply.js';
import { ProtocolError, RequestParser } from './resp-parser.js';
import { TooMuchOutput } from './resp-writer.js';

/** Where a connection's bytes go. */
export interface Transport {
  /** Who is at the other end, for CLIENT LIST. */
  readonly address: string;
  readonly localAddress: string;
  /** Bytes sent that the other end has not taken yet. When it has taken them, the transport schedules the session. */
  readonly backlog: number;
  send(chunks: readonly Buffer[]): void;
  /** Ends the connection once what was sent has gone out. */
  end(): void;
  /** Breaks the connection off. */
  destroy(): void;
}

/** A client that does not take its replies is not worked for any more until it has: the replies would fill the memory. */
const MOST_BACKLOG_BYTES = 16 * 1024 * 1024;
/** Published messages cannot wait: a subscriber that is this far behind is dropped (Redis: client-output-buffer-limit pubsub). */
const MOST_PUBSUB_BACKLOG_BYTES = 32 * 1024 * 1024;
/** Replies are handed over when there are this many bytes of them, and otherwise at the end of the turn. */
const FLUSH_BYTES = 1024 * 1024;

/**
 * One connection: bytes in, requests to the engine one after the other, replies out in the same order.
 * While a command blocks, or waits for the script engine to be loaded, the requests behind it wait in the parser.
 */
export class Session extends Client {
  readonly #parser: RequestParser;
  readonly #output: Buffer[] = [];
  #outputBytes = 0;
  /** How much of what it holds has been counted. */
  countedBytes = 0;
  #input: (Buffer | string)[] = [];
  #inputBytes = 0;
  #waiting = false;
  /** What CLIENT PAUSE holds back. */
  #heldBack: { readonly args: Args; readonly timer: Timer } | undefined;
  #muted = false;
  #closing = false;
  #closed = false;
  override readonly address: string;
  override readonly localAddress: string;

  constructor(
    engine: Engine,
    private readonly transport: Transport,
  ) {
    super(engine);
    this.address = transport.address;
    this.localAddress = transport.localAddress;
    this.#parser = new RequestParser(engine.limits);
    engine.sessions.set(this.id, this);
  }

  get closed(): boolean {
    return this.#closed || this.#closing;
  }

  /** What it has sent that has not been worked on, or is kept: unfinished requests, the queue after MULTI, names watched, heard and waited for. */
  get heldOfRequests(): number {
    return this.#inputBytes + this.#parser.held + this.heldBytes;
  }

  /** All it holds beside the data: with the replies that it has not taken. */
  get held(): number {
    return this.heldOfRequests + this.#unsent;
  }

  get #unsent(): number {
    return this.#outputBytes + this.transport.backlog;
  }

  override charge(bytes: number): void {
    super.charge(bytes);
    this.engine.connectionMemory.count(this);
  }

  /** Takes what came in; it is worked on in a later turn of the event loop. Texts are gathered, and made bytes of in one go. */
  receive(chunk: Buffer | string): void {
    if (this.closed || this.#muted) return;
    const last = this.#input.length - 1;
    if (typeof chunk === 'string' && typeof this.#input[last] === 'string') this.#input[last] += chunk;
    else this.#input.push(chunk);
    this.#inputBytes += chunk.length;
    this.engine.schedule(this);
    this.engine.connectionMemory.count(this);
  }

  /** Works on what has come in. Only the engine calls this. */
  process(): void {
    if (this.#heldBack !== undefined && !this.#waiting && !this.closed) {
      const { args } = this.#heldBack;
      this.#heldBack = undefined;
      this.#perform(args);
    }
    while (this.blocked === undefined && !this.#waiting && !this.#muted && !this.closed) {
      if (this.transport.backlog > MOST_BACKLOG_BYTES) return;
      const args = this.#next();
      if (args === undefined) return;
      this.#request(args);
      if (this.engine.unsentBytes > FLUSH_BYTES) this.engine.flushNow(this);
    }
  }

  #next(): Args | undefined {
    try {
      for (;;) {
        const args = this.#parser.next();
        if (args !== undefined) return args;
        const chunk = this.#input.shift();
        if (chunk === undefined) return undefined;
        this.#inputBytes -= chunk.length;
        this.#parser.feed(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.write(new CommandError(`ERR Protocol error: ${error.message}`));
      this.close();
      return undefined;
    }
  }

  #request(args: Args): void {
    const { faults } = this.engine;
    const fault = faults.active ? faults.take(this, args) : undefined;
    if (fault === undefined) this.#perform(args);
    else this.#suffer(fault, args);
  }

  #perform(args: Args): void {
    const { engine } = this;
    engine.tick();
    const spec = engine.table.find(args);
    if (spec === undefined && (args.is(0, 'POST') || args.is(0, 'HOST:'))) {
      // A web page that has its browser speak to this port: nothing of what it says is done.
      this.destroy();
      return;
    }
    if (spec !== undefined && engine.needsScripts(this, spec)) {
      this.#waitForScripts(spec, args.keep());
      return;
    }
    const pause = engine.pauseLeft(this, spec, args);
    if (pause > 0) this.#holdBack(pause, args.keep());
    else this.#answer(engine.execute(this, spec, args));
  }

  #suffer(fault: Fault, args: Args): void {
    if (typeof fault === 'object') {
      this.#later(fault.delay, args.keep());
      return;
    }
    if (fault === 'drop-reply' || fault === 'close-after') {
      // Replies to earlier requests are on their way already.
      this.engine.flushNow(this);
      this.#muted = true;
      this.#perform(args);
    }
    this.#muted = true;
    if (fault === 'close-before' || fault === 'close-after') this.destroy();
  }

  #holdBack(ms: number, args: Args): void {
    this.#waiting = true;
    this.#heldBack = { args, timer: this.engine.clock.after(ms, () => this.resume()) };
    this.engine.heldBack.add(this);
  }

  /** The request that CLIENT PAUSE held back is done in the next turn. */
  resume(): void {
    this.#heldBack?.timer.cancel();
    this.#waiting = false;
    this.engine.heldBack.delete(this);
    this.engine.schedule(this);
  }

  #later(ms: number, args: Args): void {
    this.#waiting = true;
    this.engine.clock.after(ms, () => {
      this.#waiting = false;
      if (this.closed) return;
      this.#perform(args);
      this.engine.schedule(this);
    });
  }

  #answer(reply: Reply): void {
    if (reply !== NO_REPLY) this.write(reply);
    this.engine.afterCommand();
  }

  #waitForScripts(spec: CommandSpec, args: Args): void {
    this.#waiting = true;
    const go = (failure?: CommandError): void => {
      this.#waiting = false;
      if (this.closed) return;
      this.engine.tick();
      this.#answer(failure ?? this.engine.execute(this, spec, args));
      this.engine.schedule(this);
    };
    this.engine.loadScripts().then(
      () => go(),
      (error: unknown) => go(new CommandError(`ERR the script engine could not be loaded: ${String(error)}`)),
    );
  }

  override deliver(reply: Reply): void {
    // One turn may deliver without end to a connection that cannot take anything before the next.
    this.engine.connectionMemory.count(this);
    if (this.#closed) return;
    if (this.subscriptions > 0 && this.#unsent > MOST_PUBSUB_BACKLOG_BYTES) {
      this.destroy();
      return;
    }
    this.write(reply);
    this.engine.flushLater(this);
  }

  write(reply: Reply): void {
    if (this.#muted) return;
    try {
      this.engine.writerFor(this).write(reply, this.protocol);
    } catch (error) {
      if (!(error instanceof TooMuchOutput)) throw error;
      this.destroy();
    }
  }

  /** Keeps what the shared writer has written for this connection until it is sent. */
  collect(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) {
      this.#output.push(chunk);
      this.#outputBytes += chunk.length;
    }
  }

  flush(): void {
    this.engine.collectOutput(this);
    if (this.#closed) return;
    if (this.#output.length > 0) {
      this.#outputBytes = 0;
      this.transport.send(this.#output.splice(0));
    }
    this.engine.connectionMemory.count(this);
    if (this.#closing) {
      this.disconnected();
      this.transport.end();
    }
  }

  override close(): void {
    if (this.closed) return;
    this.#closing = true;
    this.engine.flushLater(this);
  }

  /** Breaks the connection off; nothing more is sent. */
  destroy(): void {
    if (this.#closed) return;
    this.engine.collectOutput(this);
    this.disconnected();
    this.transport.destroy();
  }

  /** The connection is gone: whatever it waited for or held is let go. */
  disconnected(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#input = [];
    this.#output.length = this.#outputBytes = 0;
    this.#heldBack?.timer.cancel();
    this.blocked?.cancel();
    this.unwatchAll();
    this.transaction = undefined;
    this.engine.forget(this);
  }
}
