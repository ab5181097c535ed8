import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { createMemoryRedis, type MemoryRedis } from '../../src/memory-redis/index.js';
import { encode } from '../support/raw-redis.js';

const MIB = 1024 * 1024;

async function open(redis: MemoryRedis): Promise<() => Promise<Socket>> {
  const { port } = await redis.listen(0);
  return async () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  };
}

/** Resolves when the server has broken the connection off. */
function cutOff(socket: Socket): Promise<unknown> {
  socket.resume();
  return new Promise((resolve) => (socket.closed ? resolve(undefined) : socket.once('close', resolve)));
}

test('words of no bytes at all count as what they cost', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await client.config('SET', 'client-query-buffer-limit', '4mb');
  const socket = await (await open(redis))();
  socket.write(`*2000000000\r\n${'$0\r\n\r\n'.repeat(200_000)}`); // 1.2 MB on the wire
  await t.notThrowsAsync(cutOff(socket));
  t.is(await client.ping(), 'PONG');
  await redis.close();
});

test('many connections that hold little each are limited together, and the largest goes first', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await client.config('SET', 'maxmemory-clients', '16mb');
  const another = await open(redis);
  const [small, ...large] = await Promise.all(Array.from({ length: 9 }, another));
  small?.write(`*2\r\n$4\r\nECHO\r\n$1000\r\n${'x'.repeat(500)}`);
  for (const socket of large) socket.write(`*2\r\n$4\r\nECHO\r\n$4000000\r\n${'x'.repeat(3_000_000)}`);
  await Promise.race(large.map(cutOff));
  t.is(await client.ping(), 'PONG');
  const answered = once(small as Socket, 'data');
  small?.write(`${'x'.repeat(500)}\r\n`);
  t.is(String((await answered)[0]).slice(0, 7), '$1000\r\n');
  await redis.close();
});

test('a reply beyond all measure ends its connection', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await client.config('SET', 'maxmemory-clients', '32mb');
  await client.set('a', 'x'.repeat(MIB));
  await client.hset('h', 'f', 'x'.repeat(MIB));
  const another = await open(redis);
  const requests = {
    'one value many times': encode(['MGET', ...Array.from({ length: 100_000 }, () => 'a')]),
    'a transaction of many reads': Buffer.concat([
      encode(['MULTI']),
      ...Array.from({ length: 5000 }, () => encode(['GET', 'a'])),
      encode(['EXEC']),
    ]),
    'repetitions of an element': encode(['HRANDFIELD', 'h', '-900000', 'WITHVALUES']),
  };
  for (const [name, request] of Object.entries(requests)) {
    const socket = await another();
    socket.write(request);
    await t.notThrowsAsync(cutOff(socket), name);
    t.is(await client.ping(), 'PONG', name);
  }
  await t.throwsAsync(client.eval('return #redis.call("MGET", unpack(ARGV))', 0, ...Array.from({ length: 5000 }, () => 'a')), {
    message: /^ERR the reply is too large for a script/,
  });
  await redis.close();
});

test('subscribers that take no messages are dropped, all of them together too', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await client.config('SET', 'maxmemory-clients', '48mb');
  const another = await open(redis);
  const subscribers = await Promise.all(Array.from({ length: 40 }, another));
  for (const socket of subscribers) {
    socket.write('SUBSCRIBE a\r\n');
    await once(socket, 'data');
    socket.pause();
  }
  const message = 'x'.repeat(MIB);
  let reached = 0;
  for (let round = 0; round < 60; round += 1) reached = await client.publish('a', message);
  t.true(reached < 40, `${reached} subscribers are left`);
  t.is(await client.ping(), 'PONG');
  for (const socket of subscribers) socket.destroy();
  await redis.close();
});

test('names watched and waited for are counted, and many of them cost no more than their number', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  const names = Array.from({ length: 100_000 }, (_, index) => `name ${index}`);
  t.is(await client.watch(...names), 'OK');
  t.is(await client.unwatch(), 'OK');
  await client.config('SET', 'client-query-buffer-limit', '4mb');
  const another = await open(redis);
  for (const words of [
    ['WATCH', ...names],
    ['BLPOP', ...names, '0'],
    ['SUBSCRIBE', ...names],
  ]) {
    const socket = await another();
    socket.write(encode(words));
    await t.notThrowsAsync(cutOff(socket), words[0]);
  }
  t.is(await client.ping(), 'PONG');
  await redis.close();
});

test('a web page that has a browser speak to the port gets nothing done', async (t) => {
  const redis = createMemoryRedis();
  const another = await open(redis);
  for (const request of ['POST / HTTP/1.1\r\nSET a 1\r\n', 'GET / HTTP/1.1\r\nHost: here\r\n\r\nSET a 1\r\n']) {
    const socket = await another();
    socket.write(request);
    await t.notThrowsAsync(cutOff(socket));
  }
  t.is(await redis.client().get('a'), null);
  await redis.close();
});

test('a pattern that would match for ever is given up', async (t) => {
  const redis = createMemoryRedis();
  const [client, subscriber] = [redis.client(), redis.client()];
  const pattern = `*${'a'.repeat(20_000)}b`;
  const key = 'a'.repeat(200_000);
  await client.set(key, '1');
  await client.hset('h', key, '1');
  for (const request of [() => client.keys(pattern), () => client.scan(0, 'MATCH', pattern), () => client.hscan('h', 0, 'MATCH', pattern)])
    await t.throwsAsync(request, { message: 'ERR the pattern takes too long to match' });
  await subscriber.psubscribe(pattern);
  t.is(await client.publish(key, 'x'), 0);
  t.is(await client.publish(`${'a'.repeat(20_000)}b`, 'x'), 1);
  await redis.close();
});

test('what copies the data does not go far beyond maxmemory', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await client.config('SET', 'maxmemory', '8mb');
  const members = Array.from({ length: 50_000 }, (_, index) => `member ${index}`);
  await client.sadd('s', ...members);
  const refused = { message: "OOM command not allowed when used memory > 'maxmemory'." };
  await client.copy('s', 'again');
  await t.throwsAsync(client.copy('s', 'once more'), refused);
  await t.throwsAsync(client.sunionstore('union', 's', 'again'), refused);
  await client.del('again');
  await t.throwsAsync(client.setrange('a', 400_000_000, 'x'), refused);
  await t.throwsAsync(client.setbit('a', 4_294_967_295, '1'), refused);
  await redis.close();
});

// Alone: the others of this file hold memory of their own while they run.
test.serial('a value that grows by a byte at a time takes no more than its length', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  const append = (count: number): Promise<unknown> => client.eval(`for _ = 1, ${count} do redis.call('APPEND', 'a', 'x') end`, 0);
  await append(1);
  const before = heapInUse();
  for (let round = 0; round < 10; round += 1) await append(100_000);
  const grown = heapInUse() - before;
  t.is(await client.strlen('a'), 1_000_001);
  t.true(grown < 8 * MIB, `${grown} bytes`);
  t.is(await client.get('a'), 'x'.repeat(1_000_001));
  await redis.close();
});

function heapInUse(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
