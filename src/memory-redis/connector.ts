import { Duplex } from 'node:stream';
import { AbstractConnector } from 'ioredis';
import type { Engine } from './engine.js';
import { Session, type Transport } from './session.js';

/** ioredis treats a connection as a socket; these parts of one mean nothing here. */
export interface SocketLike {
  setNoDelay(): this;
  setKeepAlive(): this;
  setTimeout(): this;
}

/** The client's end of an in-memory connection. Whatever is written to it is answered in a later turn of the event loop. */
export class MemoryConnection extends Duplex implements Transport, SocketLike {
  readonly #session: Session;
  readonly #engine: Engine;
  #stalled = false;
  readonly address: string;
  readonly localAddress = 'memory:0';
  readonly remoteAddress = 'memory';

  constructor(engine: Engine) {
    super({ decodeStrings: false, allowHalfOpen: false });
    this.address = `memory:${(engine.connectionsSeen += 1)}`;
    this.#engine = engine;
    this.#session = new Session(engine, this);
  }

  override _read(): void {
    // Replies are pushed when there are any. Being asked for more says that those pushed so far have been taken.
    if (this.#stalled) {
      this.#stalled = false;
      this.#engine.schedule(this.#session);
    }
  }

  get backlog(): number {
    return this.readableLength;
  }

  /**
   * Takes the bytes at once, without the queue and the ticks of a stream that can be full: this one never is.
   * ioredis writes each command by itself, so that they would cost more than the commands.
   */
  override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
    const callback = typeof encoding === 'function' ? encoding : done;
    const usual = encoding === undefined || encoding === 'utf8' || encoding === 'utf-8';
    const plain = Buffer.isBuffer(chunk) || (typeof chunk === 'string' && usual);
    if (!plain || callback !== undefined || this.writableEnded || this.destroyed)
      return super.write(chunk, encoding as BufferEncoding, done as undefined);
    this.#session.receive(chunk);
    return true;
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#session.receive(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#session.disconnected();
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#session.disconnected();
    done(error);
  }

  send(chunks: readonly Buffer[]): void {
    for (const chunk of chunks) if (!this.push(chunk)) this.#stalled = true;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }
}

type NetStream = Awaited<ReturnType<AbstractConnector['connect']>>;

/** The connector class that makes ioredis talk to this engine. */
export function connectorFor(engine: Engine): new (options: unknown) => AbstractConnector {
  return class MemoryConnector extends AbstractConnector {
    constructor(options: unknown) {
      super((options as { disconnectTimeout?: number }).disconnectTimeout ?? 2000);
    }

    // ioredis expects the connection later than now, as a socket's would be.
    override connect(): Promise<NetStream> {
      this.connecting = true;
      return new Promise((resolve, reject) => {
        process.nextTick(() => {
          if (!this.connecting || engine.closed) return reject(new Error('Connection is closed.'));
          const connection = new MemoryConnection(engine);
          this.stream = connection as unknown as NetStream;
          if (engine.down) {
            // As a socket that was refused: ioredis asks its retryStrategy.
            this.firstError = Object.assign(new Error('connect ECONNREFUSED memory'), { code: 'ECONNREFUSED' });
            connection.destroy();
          }
          resolve(this.stream);
        });
      });
    }
  };
}
