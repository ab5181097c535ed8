import { Duplex } from 'node:stream';
import type { SocketLike } from '../../src/memory-redis/connector.js';
import type { Engine } from '../../src/memory-redis/engine.js';
import { Session, type Transport } from '../../src/memory-redis/session.js';
import type { Clock } from '../../src/message/clock.js';
import type { Chance } from './chance.js';

/** What a wire asks of the node at its near end. */
export interface NearEnd {
  readonly name: string;
  /** Runs it when the node can: now, or once it is no longer frozen; never when it is dead. */
  whenAwake(run: () => void): void;
}

export interface WireWorld {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly chance: Chance;
  /** how long the next bytes are on their way, ms */
  delay(near: NearEnd): number;
  /** bytes reached the near end */
  arrived(wire: Wire, bytes: Buffer): void;
}

/** A connection that died silently is found out after this at most: stands for the socket timeout of a real one. */
const FOUND_OUT_MS = 1_500;

type Direction = 'up' | 'down';

/**
 * One connection between a node and Redis: a real ioredis client at one end, a real session of the in-process Redis at the other, and bytes
 * that take time, arrive in order, and may be lost from some moment on.
 */
export class Wire extends Duplex implements SocketLike {
  readonly remoteAddress = 'simulated';
  readonly session: Session;
  readonly #lost = { up: false, down: false };
  /** when what was sent last arrives */
  readonly #until = { up: 0, down: 0 };
  readonly #underWay = { up: 0, down: 0 };
  /** sent, and not arrived */
  #rising: Buffer[] = [];
  #cutAt: Direction | undefined;
  #over = false;

  constructor(
    private readonly world: WireWorld,
    readonly near: NearEnd,
    /** what its client calls itself */
    readonly purpose: string,
  ) {
    super({ decodeStrings: false, allowHalfOpen: false });
    const far: Transport = {
      address: `${near.name}:${(world.engine.connectionsSeen += 1)}`,
      localAddress: 'wire:0',
      backlog: 0,
      send: (chunks) => this.#down(Buffer.concat(chunks)),
      end: () => this.#closedByRedis(),
      destroy: () => this.#closedByRedis(),
    };
    this.session = new Session(world.engine, far);
  }

  get over(): boolean {
    return this.#over;
  }

  // ---- the near end ----------------------------------------------------------------------------------------------------------------

  override _read(): void {
    // Replies are pushed when there are any.
  }

  override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
    if (done !== undefined || typeof encoding === 'function' || this.writableEnded || this.destroyed)
      return super.write(chunk, encoding as BufferEncoding, done as undefined);
    this.#up(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk as string, encoding as BufferEncoding | undefined));
    return true;
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#up(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#hangUp();
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#hangUp();
    done(error);
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

  /** Redis sees the end after all that was sent before it. */
  #hangUp(): void {
    if (this.#over) return;
    this.#over = true;
    if (!this.#lost.up) this.#later('up', () => this.session.disconnected());
  }

  // ---- on the way ------------------------------------------------------------------------------------------------------------------

  #up(bytes: Buffer): void {
    if (this.#lost.up) return;
    if (this.#cutAt === 'up') return this.cut(bytes.subarray(0, this.world.chance.below(bytes.length + 1)));
    this.#rising.push(bytes);
    this.#later('up', () => {
      if (this.#lost.up) return;
      this.#rising.shift();
      this.session.receive(bytes);
    });
  }

  #down(bytes: Buffer): void {
    if (this.#lost.down) return;
    if (this.#cutAt === 'down') return this.cut();
    this.#later('down', () => {
      if (this.#lost.down) return;
      this.near.whenAwake(() => {
        if (this.destroyed || this.readableEnded || this.#over) return;
        this.world.arrived(this, bytes);
        this.push(bytes);
      });
    });
  }

  /** In order, after what is on its way already. */
  #later(direction: Direction, run: () => void): void {
    const { clock } = this.world;
    const now = clock.monotonic();
    const at = Math.max(now + this.world.delay(this.near), this.#until[direction]);
    if (at <= now && this.#underWay[direction] === 0) return run();
    this.#until[direction] = at;
    this.#underWay[direction] += 1;
    clock.after(at - now, () => {
      this.#underWay[direction] -= 1;
      run();
    });
  }

  #closedByRedis(): void {
    if (this.#lost.down) return;
    this.#later('down', () => {
      if (!this.#lost.down) this.near.whenAwake(() => this.destroy());
    });
  }

  // ---- faults ----------------------------------------------------------------------------------------------------------------------

  /** From now on bytes in this direction are lost, without a word; both ends find out some time later. */
  blackHole(direction: Direction | 'both'): void {
    if (direction !== 'down') this.#lost.up = true;
    if (direction !== 'up') this.#lost.down = true;
    const { clock, chance } = this.world;
    clock.after(chance.between(1, FOUND_OUT_MS), () => this.session.disconnected());
    clock.after(chance.between(1, FOUND_OUT_MS), () => this.near.whenAwake(() => this.destroy()));
  }

  /** The connection breaks with the next bytes in this direction: on the way up a part of them may still arrive. */
  cutAtNext(direction: Direction): void {
    this.#cutAt = direction;
  }

  /** The connection breaks. @param last reaches Redis behind what is on its way; when left out, only a part of that does */
  cut(last?: Buffer): void {
    if (this.#over) return;
    const { clock, chance } = this.world;
    const rising = Buffer.concat(this.#rising);
    const arrives = last === undefined ? rising.subarray(0, chance.below(rising.length + 1)) : Buffer.concat([rising, last]);
    if (arrives.length > 0 && !this.#lost.up) this.session.receive(arrives);
    this.#lost.up = this.#lost.down = true;
    clock.after(1, () => this.session.disconnected()); // what it has received is worked on before
    clock.after(chance.yes(0.7) ? 0 : chance.below(50), () => this.near.whenAwake(() => this.destroy()));
  }

  /** The node is gone: what it sent may still arrive; Redis notices now or later. */
  orphan(): void {
    const { clock, chance } = this.world;
    if (chance.yes(0.5)) this.#lost.up = true;
    this.#lost.down = true;
    clock.after(chance.yes(0.7) ? 1 + chance.below(20) : FOUND_OUT_MS, () => this.session.disconnected());
  }
}
