import { createServer, type Server, type Socket } from 'node:net';
import type { Engine } from './engine.js';
import { Session } from './session.js';

/** An open port; `close` ends it and its connections. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** Opens a port on loopback through which other processes reach this engine. */
export async function listen(engine: Engine, port: number): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    attach(engine, socket);
  });
  await bind(server, port);
  const address = server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  let closed: Promise<void> | undefined;
  return {
    host: LOOPBACK,
    port: bound,
    url: `redis://${LOOPBACK}:${bound}`,
    close: () => {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
      return closed;
    },
  };
}

function bind(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function attach(engine: Engine, socket: Socket): void {
  engine.connectionsSeen += 1;
  // A broken connection is nobody's fault here; 'close' follows.
  socket.on('error', () => socket.destroy());
  socket.setNoDelay(true);
  if (engine.down) {
    socket.destroy();
    return;
  }
  if (engine.sessions.size >= engine.settings.maxClients) {
    socket.end('-ERR max number of clients reached\r\n');
    return;
  }
  const session = new Session(engine, {
    address: `${socket.remoteAddress}:${socket.remotePort}`,
    localAddress: `${socket.localAddress}:${socket.localPort}`,
    send(chunks) {
      if (socket.destroyed) return;
      socket.cork();
      for (const chunk of chunks) socket.write(chunk);
      socket.uncork();
    },
    get backlog() {
      return socket.writableLength;
    },
    end: () => socket.end(),
    destroy: () => socket.resetAndDestroy(),
  });
  socket.on('data', (chunk) => session.receive(chunk));
  socket.on('drain', () => engine.schedule(session));
  socket.on('close', () => session.disconnected());
}
