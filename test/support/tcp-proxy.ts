import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';

/**
 * A network that can fail, between a system and its Redis: per connection and direction, bytes pass, come late, are held back or are lost;
 * a connection is cut at once, or after so many more bytes.
 */

/** `up`: what the system says; `down`: what Redis answers. */
export type Direction = 'up' | 'down';

class Pipe {
  /** ms that each byte is on its way */
  delay = 0;
  /** nothing arrives until it is released */
  held = false;
  /** what is sent is gone; neither side learns so, nor that the other one has closed */
  lost = false;
  /** bytes that still pass; with the last one the connection is cut */
  budget = Number.POSITIVE_INFINITY;
  /** bytes that were lost */
  dropped = 0;
  #queue: { readonly due: number; readonly bytes: Buffer }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    private readonly to: Socket,
    private readonly cut: () => void,
  ) {}

  take(bytes: Buffer): void {
    if (this.lost) {
      this.dropped += bytes.length;
      return;
    }
    this.#queue.push({ due: performance.now() + this.delay, bytes });
    this.pump();
  }

  /** what has not arrived yet */
  get waiting(): string {
    return this.#queue.map(({ bytes }) => bytes.toString('latin1')).join('');
  }

  /** The sender has closed: what is under way still arrives, then the receiver learns so. */
  end(): void {
    this.#ended = true;
    this.pump();
  }

  pump(): void {
    clearTimeout(this.#timer);
    if (this.held || this.lost) return;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait);
        return;
      }
      this.#queue.shift();
      const bytes = next.bytes.subarray(0, this.budget);
      this.budget -= bytes.length;
      this.to.write(bytes);
      if (this.budget === 0) {
        this.to.end(this.cut);
        return;
      }
    }
    if (this.#ended) this.to.end();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }
}

export class ProxiedConnection {
  readonly up: Pipe;
  readonly down: Pipe;
  /** what the system uses it for: `control`, `append`, `read`, `observe`, `wake`; empty until it has said so */
  purpose = '';
  closed = false;
  /** the system has closed its side */
  givenUp = false;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly onClosed: (connection: ProxiedConnection) => void,
  ) {
    this.up = new Pipe(server, () => this.cut());
    this.down = new Pipe(client, () => this.cut());
    client.on('data', (bytes) => {
      if (this.purpose === '') this.purpose = /errand:[^:\r]+:(\w+)\r/.exec(bytes.toString('latin1'))?.[1] ?? '';
      this.up.take(bytes);
    });
    server.on('data', (bytes) => this.down.take(bytes));
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined); // 'close' follows
    }
    const end = (): void => {
      this.givenUp = true;
      this.up.end();
    };
    client.on('end', end);
    client.on('close', end);
    server.on('close', () => this.down.end());
    let open = 2;
    const close = (): void => {
      open -= 1;
      if (open > 0) return;
      this.closed = true;
      this.up.stop();
      this.down.stop();
      this.onClosed(this);
    };
    client.on('close', close);
    server.on('close', close);
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }

  /** As if a cable were pulled: nothing arrives on either side, and nobody is told. */
  blackHole(): void {
    this.up.lost = true;
    this.down.lost = true;
  }

  hold(...directions: Direction[]): void {
    for (const direction of directions) this[direction].held = true;
  }

  release(): void {
    for (const pipe of [this.up, this.down]) {
      pipe.held = false;
      pipe.pump();
    }
  }
}

export class TcpProxy {
  readonly #connections = new Set<ProxiedConnection>();
  /** what happens to a connection as soon as it is made */
  onConnection: (connection: ProxiedConnection) => void = () => undefined;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(port: number): Promise<TcpProxy> {
    let proxy: TcpProxy | undefined;
    const server = createServer({ allowHalfOpen: true }, (client) => {
      const upstream = createConnection({ port, host: '127.0.0.1' });
      const connection = new ProxiedConnection(client, upstream, (closed) => proxy?.remove(closed));
      proxy?.add(connection);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    proxy = new TcpProxy(server, `redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return proxy;
  }

  private add(connection: ProxiedConnection): void {
    this.#connections.add(connection);
    this.onConnection(connection);
  }

  private remove(connection: ProxiedConnection): void {
    this.#connections.delete(connection);
  }

  /** Those that are open, oldest first. */
  connections(purpose?: string): ProxiedConnection[] {
    return [...this.#connections].filter((connection) => purpose === undefined || connection.purpose === purpose);
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.server.close(resolve);
    });
    for (const connection of this.#connections) connection.cut();
    await closed;
  }
}
