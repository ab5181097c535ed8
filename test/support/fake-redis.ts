import { type AddressInfo, createServer, type Socket } from 'node:net';

/** Something that listens where a Redis should, and answers what it is told to: for servers that are too old, still loading, or strange. */
export interface FakeRedis {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** @param answer the reply as RESP to one command (`['INFO']`), names in upper case; undefined closes the connection */
export async function startFakeRedis(answer: (command: readonly string[]) => string | undefined): Promise<FakeRedis> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let next = parse(text); next !== undefined; next = parse(text)) {
        text = next.rest;
        const [name = '', ...args] = next.command;
        const reply = answer([name.toUpperCase(), ...args]);
        if (reply === undefined) socket.destroy();
        else socket.write(reply);
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  };
  return { url: `redis://127.0.0.1:${port}`, stop };
}

/** The first whole command of the text, and what follows it. */
function parse(text: string): { command: string[]; rest: string } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  const command: string[] = [];
  let at = head[0].length;
  for (let i = 0; i < Number(head[1]); i += 1) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return undefined;
    at += size[0].length;
    const length = Number(size[1]);
    if (text.length < at + length + 2) return undefined;
    command.push(text.slice(at, at + length));
    at += length + 2;
  }
  return { command, rest: text.slice(at) };
}

export const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
