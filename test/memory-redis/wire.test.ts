import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';

const execute = promisify(execFile);

/** What is still to come on a machine this slow has gone wrong. */
const LIMIT_MS = 10_000;
/** Two servers that agree, and have said nothing for so long, have nothing more to say. */
const QUIET_MS = 100;

interface Said {
  answer: string;
  closed: boolean;
  /** when it last said something */
  at: number;
}

/** Bytes to a server; what it answers is in `said` as it comes. */
async function speak(port: number, chunks: readonly (string | Buffer)[]): Promise<{ said: Said; socket: Socket }> {
  const socket: Socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  const said: Said = { answer: '', closed: false, at: Date.now() };
  socket.on('data', (data) => {
    said.answer += data.toString('latin1');
    said.at = Date.now();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    said.closed = true;
    said.at = Date.now();
  });
  for (const chunk of chunks) {
    if (!socket.destroyed) socket.write(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
    await pause(chunks.length > 20 ? 0 : 5);
  }
  return { said, socket };
}

/** Speaks to a server until it has said what is waited for. */
async function talk(port: number, chunk: string | readonly (string | Buffer)[], enough: (said: Said) => boolean): Promise<Said> {
  const { said, socket } = await speak(port, typeof chunk === 'string' ? [chunk] : chunk);
  for (const end = Date.now() + LIMIT_MS; !enough(said) && Date.now() < end; ) await pause(10);
  socket.destroy();
  return said;
}

const CONVERSATIONS: Readonly<Record<string, readonly (string | Buffer)[]>> = {
  'a request in one piece': ['*1\r\n$4\r\nPING\r\n'],
  'a request byte by byte': '*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n'.split(''),
  'several requests in one piece, the last one broken off': ['*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\n*1\r\n$4\r\nPI'],
  'inline requests': ['PING\r\n', 'SET  a   "x y\\x41\\n"\nGET a\r\n', '\r\n', "ECHO 'it\\'s'\r\n"],
  'an empty array': ['*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n'],
  'an empty bulk string': ['*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n'],
  'a count that is no number': ['*abc\r\n'],
  'a count that is too large': ['*2147483648\r\n'],
  'an empty count': ['*\r\n'],
  'a bulk string without its mark': ['*1\r\nPING\r\n'],
  'a length that is no number': ['*1\r\n$abc\r\n'],
  'a length that is negative': ['*1\r\n$-1\r\n'],
  'a length that is too large': ['*1\r\n$536870913\r\n'],
  'a count that goes on for ever': [`*${'1'.repeat(70_000)}`],
  'a length that goes on for ever': [`*1\r\n$${'1'.repeat(70_000)}`],
  'an inline request that goes on for ever': ['x'.repeat(70_000)],
  'quotes that are not closed': ['SET a "b\r\n'],
  'quotes that are followed by more': ['SET a "b"c\r\n'],
  'an unknown command': ['*3\r\n$3\r\nFOO\r\n$3\r\nbar\r\n$3\r\nb\r\nz\r\n'],
  'a value of every byte': [
    Buffer.concat([
      Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$256\r\n'),
      Buffer.from(Array.from({ length: 256 }, (_, index) => index)),
      Buffer.from('\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'),
    ]),
  ],
  RESP3: [
    'HELLO 3 SETNAME me\r\nCLIENT GETNAME\r\nHSET h a 1\r\nHGETALL h\r\nGET none\r\nZADD z 1.5 m\r\nZSCORE z m\r\nSADD s 1\r\nSMEMBERS s\r\nLPOP none 2\r\n',
  ],
  'a protocol that there is not': ['HELLO 4\r\nHELLO\r\nHELLO 3 AUTH a b\r\nHELLO 2 FOO\r\n'],
  'a channel listened to in RESP2': ['SUBSCRIBE a b\r\nPING\r\nPING hi\r\nGET a\r\nUNSUBSCRIBE a\r\nUNSUBSCRIBE\r\nPING\r\n'],
  'a channel listened to in RESP3': ['HELLO 3\r\nSUBSCRIBE a\r\nPUBLISH a hello\r\nGET x\r\nUNSUBSCRIBE\r\n'],
  'QUIT with requests behind it': ['PING\r\nQUIT\r\nPING\r\n'],
  RESET: ['MULTI\r\nSELECT 3\r\nRESET\r\nPING\r\n'],
  'waiting in a transaction': ['MULTI\r\nBLPOP none 0\r\nXREAD BLOCK 0 STREAMS none $\r\nEXEC\r\n'],
  'requests behind one that waits': ['BLPOP none 0.02\r\nPING\r\n'],
};

/** Server identity differs, and is not what this is about. */
const comparable = (answer: string): string => answer.replace(/(\$2\r\nid\r\n):\d+/g, '$1:?');

async function sameConversation(t: ExecutionContext, ports: readonly number[], name: string): Promise<void> {
  const both = await Promise.all(ports.map((port) => speak(port, CONVERSATIONS[name] ?? [])));
  const [ours, theirs] = both.map(({ said }) => said) as [Said, Said];
  const agree = (): boolean => comparable(ours.answer) === comparable(theirs.answer) && ours.closed === theirs.closed;
  const heard = (): boolean => (theirs.answer !== '' || theirs.closed) && Date.now() - Math.max(ours.at, theirs.at) > QUIET_MS;
  for (const end = Date.now() + LIMIT_MS; !(agree() && heard()) && Date.now() < end; ) await pause(10);
  for (const { socket } of both) socket.destroy();
  t.is(comparable(ours.answer), comparable(theirs.answer), name);
  t.is(ours.closed, theirs.closed, `${name}: closed`);
}

if (redisServerOnPath()) {
  test('the wire is spoken as a real Redis speaks it, mistakes included', async (t) => {
    const real = await startRedisServer({ args: ['--hz', '100'] });
    const redis = createMemoryRedis();
    const { port } = await redis.listen(0);
    try {
      for (const name of Object.keys(CONVERSATIONS)) await sameConversation(t, [port, real.port], name);
    } finally {
      await redis.close();
      await real.stop();
    }
  });
}

test('a large value may come in many pieces', async (t) => {
  const redis = createMemoryRedis();
  const { port } = await redis.listen(0);
  const size = 8 * 1024 * 1024;
  const bytes = Buffer.concat([Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${size}\r\n`), Buffer.alloc(size, 'x'), Buffer.from('\r\n')]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 100_000) pieces.push(bytes.subarray(at, at + 100_000));
  t.is((await talk(port, pieces, ({ answer }) => answer !== '')).answer, '+OK\r\n');
  t.is(await redis.client().strlen('a'), size);
  await redis.close();
});

if (redisServerOnPath()) {
  test("redis-cli and redis-benchmark work against the port, and so does another process' client", async (t) => {
    const redis = createMemoryRedis();
    const { port, url } = await redis.listen(0);
    const run = async (command: string, ...args: readonly string[]): Promise<string> =>
      (await execute(command, args, { encoding: 'utf8' })).stdout;
    t.is(await run('redis-cli', '-p', String(port), 'SET', 'a', 'b c'), 'OK\n');
    t.is(await run('redis-cli', '-u', url, '-3', 'HSET', 'h', 'f', 'v'), '1\n');
    t.is(await run('redis-cli', '-u', url, 'EVAL', 'return {KEYS[1], redis.call("GET", "a")}', '1', 'k'), 'k\nb c\n');
    t.regex(await run('redis-cli', '-p', String(port), '--bigkeys'), /Sampled 2 keys/);
    const tests = 'ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange,mset';
    const results = await run('redis-benchmark', '-p', String(port), '-n', '500', '-c', '10', '-P', '8', '--csv', '-t', tests);
    t.true(results.split('\n').length > 15, results);
    const script = `import('ioredis').then(async ({ Redis }) => { const c = new Redis('${url}'); console.log(await c.get('a')); c.disconnect(); })`;
    t.is(await run(process.execPath, '-e', script), 'b c\n');
    await redis.close();
  });
}

test('noise does not disturb the others', async (t) => {
  const redis = createMemoryRedis();
  const { port } = await redis.listen(0);
  const client = redis.client();
  let seed = 1;
  const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31);
  for (let round = 0; round < 30; round += 1) {
    const noise = Buffer.from(Array.from({ length: next() % 3000 }, () => next() % 256));
    const marks = Buffer.from(`*${next() % 5}\r\n$${next() % 9}\r\n`);
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(round % 2 === 0 ? noise : Buffer.concat([marks, noise]));
    t.is(await client.echo(`round ${round}`), `round ${round}`);
  }
  await redis.close();
});

test('a connection that holds too much unfinished has to go', async (t) => {
  const redis = createMemoryRedis();
  const { port } = await redis.listen(0);
  await redis.client().config('SET', 'client-query-buffer-limit', '1mb');
  const { closed } = await talk(port, `*2\r\n$4\r\nECHO\r\n$3000000\r\n${'x'.repeat(2_000_000)}`, (said) => said.closed);
  t.true(closed);
  t.is(await redis.client().ping(), 'PONG');
  await redis.close();
});

test('a client that takes no replies is not worked for without end', async (t) => {
  const redis = createMemoryRedis();
  const { port } = await redis.listen(0);
  const client = redis.client();
  await client.set('a', 'x'.repeat(1024 * 1024));
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.on('error', () => undefined);
  socket.write('GET a\r\n'.repeat(2000));
  for (let turn = 0; turn < 200; turn += 1) await client.ping();
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  t.true(before < 300 * 1024 * 1024, `${before} bytes`);
  const done = Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]);
  t.true(done < 1500, `${done} commands`);
  socket.destroy();
  await redis.close();
});

test('more clients than maxclients are turned away', async (t) => {
  const redis = createMemoryRedis();
  const { port } = await redis.listen(0);
  const client = redis.client();
  await client.config('SET', 'maxclients', '2');
  const first = connect(port, '127.0.0.1');
  await once(first, 'connect');
  const { answer, closed } = await talk(port, 'PING\r\n', (said) => said.closed);
  t.deepEqual({ answer, closed }, { answer: '-ERR max number of clients reached\r\n', closed: true });
  first.destroy();
  await redis.close();
});

test('a watch, a queue or subscriptions beyond all measure end the connection, not the process', async (t) => {
  const redis = createMemoryRedis();
  const { port } = await redis.listen(0);
  await redis.client().config('SET', 'client-query-buffer-limit', '1mb');
  const value = 'x'.repeat(50_000);
  const queue = Array.from({ length: 40 }, () => `*3\r\n$3\r\nSET\r\n$1\r\na\r\n$50000\r\n${value}\r\n`);
  t.true((await talk(port, ['MULTI\r\n', ...queue], ({ closed }) => closed)).closed);
  const channels = Array.from(
    { length: 40 },
    (_, index) => `*2\r\n$9\r\nSUBSCRIBE\r\n$50005\r\n${value}${String(index).padStart(5, '0')}\r\n`,
  );
  t.true((await talk(port, channels, ({ closed }) => closed)).closed);
  await redis.close();
});
