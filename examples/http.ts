/** An HTTP request that tells a command, and another one that attaches to its result, from any process and after a crash. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Actor, ActorSystem, AskTimeoutError, actor, CommandFailed, command, type DataOf, handles } from 'errand';
import { z } from 'zod';

const Render = command('render', {
  to: 'renderer',
  key: (d) => d.page,
  data: z.object({ page: z.string() }),
  result: z.object({ bytes: z.number() }),
});

@actor('renderer')
class Renderer extends Actor {
  @handles(Render)
  render({ page }: DataOf<typeof Render>) {
    return { bytes: page.length * 100 };
  }
}

const system = await ActorSystem.start({ name: 'web', redis: 'memory:', actors: [Renderer] });

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const handle = async (): Promise<void> => {
    if (request.method === 'POST') {
      // Once tell resolves, the command is in the log. `track` keeps its answer for a day.
      const { messageId } = await system.tell(Render, { page: url.searchParams.get('page') ?? '' }, { track: true });
      return answer(202, { result: `/results/${messageId}` });
    }
    const messageId = url.pathname.slice('/results/'.length);
    try {
      return answer(200, await system.attach(Render, messageId, { timeout: '5s' }));
    } catch (error) {
      if (error instanceof AskTimeoutError) return answer(202, { status: 'not done yet; ask again' });
      if (error instanceof CommandFailed) return answer(422, { code: error.code, message: error.message });
      throw error;
    }
  };
  handle().catch((error: { code?: string }) => answer(error.code === 'INVALID_DATA' ? 400 : 503, { code: error.code }));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const accepted = await fetch(`${base}/render?page=home`, { method: 'POST' });
const { result } = (await accepted.json()) as { result: string };
console.log(accepted.status, (await fetch(base + result)).status, await (await fetch(base + result)).json());

server.close();
server.closeAllConnections();
await system.stop();

// Prints:
// 202 200 { bytes: 400 }
