import test from 'ava';
import { Redis } from 'ioredis';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';

test('a client writes and reads, in RESP3 and in RESP2', async (t) => {
  const redis = createMemoryRedis();
  for (const protocol of [3, 2] as const) {
    const client = redis.client({ protocol });
    t.is(await client.set('key', 'zwölf €'), 'OK');
    t.is(await client.get('key'), 'zwölf €');
    await client.hset('hash', { a: '1', b: '2' });
    t.deepEqual(await client.hgetall('hash'), { a: '1', b: '2' });
    t.deepEqual(await client.zadd('zset', 1.5, 'x'), protocol === 3 ? 1 : 0);
    t.is(await client.zscore('zset', 'x'), '1.5');
    t.is(await client.get('nothing'), null);
    t.deepEqual(await client.multi().incr('n').get('n').exec(), [
      [null, protocol === 3 ? 1 : 2],
      [null, protocol === 3 ? '1' : '2'],
    ]);
  }
  await redis.close();
});

test("a client of one's own takes connectorOptions", async (t) => {
  const redis = createMemoryRedis();
  const client = new Redis({ lazyConnect: true, ...redis.connectorOptions() });
  await client.connect();
  await client.set('a', '1');
  t.is(await redis.client().get('a'), '1');
  client.disconnect();
  await redis.close();
});

test('values are binary-safe and requests may come in pieces', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  const value = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) % 256));
  await client.set('b', value);
  t.deepEqual(await client.getBuffer('b'), value);
  await redis.close();
});

test('a blocked read is woken by an append, and times out on the injected clock', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const [reader, writer] = [redis.client(), redis.client()];
  const woken = reader.xread('BLOCK', 1000, 'STREAMS', 'a', 'b', '$', '$');
  await clock.settle();
  await writer.xadd('b', '*', 'field', 'value');
  t.deepEqual(await woken, [['b', [[`${clock.now()}-0`, ['field', 'value']]]]]);
  const late = reader.xread('BLOCK', 1000, 'STREAMS', 'b', '$');
  let over = false;
  void late.finally(() => {
    over = true;
  });
  await clock.advance(999);
  t.false(over);
  await clock.advance(1);
  t.is(await late, null);
  await redis.close();
});

test('keys expire on the injected clock', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const client = redis.client();
  await client.set('a', '1', 'PX', 1000);
  await clock.advance(400);
  t.is(await client.pttl('a'), 600);
  await clock.advance(600);
  t.is(await client.get('a'), null);
  t.is(await client.dbsize(), 0);
  await redis.close();
});

test('scripts run the same commands, keep their line numbers and are told apart by their flags', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  t.deepEqual(await client.eval("redis.call('SET', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), #ARGV}", 1, 'k', 'v', 'w'), [
    'v',
    2,
  ]);
  const sha = (await client.script('LOAD', '#!lua flags=allow-oom\nreturn redis.call("XLEN", KEYS[1])')) as string;
  t.is(await client.evalsha(sha, 1, 'stream'), 0);
  await t.throwsAsync(client.evalsha('0'.repeat(40), 0), { message: 'NOSCRIPT No matching script. Please use EVAL.' });
  await t.throwsAsync(client.eval('\n\nreturn redis.call("NOPE")', 0), {
    message: /^ERR Unknown Redis command called from script script: \w{40}, on @user_script:3\.$/,
  });
  await t.throwsAsync(client.eval('#!lua flags=no-writes\nredis.call("SET", "a", "b")', 0), {
    message: /^ERR Write commands are not allowed from read-only scripts\./,
  });
  await client.config('SET', 'maxmemory', '1');
  await t.throwsAsync(client.set('a', 'b'), { message: "OOM command not allowed when used memory > 'maxmemory'." });
  await t.throwsAsync(client.eval('#!lua\nreturn 1', 0), { message: "OOM command not allowed when used memory > 'maxmemory'." });
  t.is(await client.eval('#!lua flags=allow-oom\nreturn redis.call("SET", KEYS[1], "b").ok', 1, 'a'), 'OK');
  await redis.close();
});

test('scripts can be held to the keys that they declare', async (t) => {
  const strict = createMemoryRedis({ declaredKeysOnly: true });
  const client = strict.client();
  const refused = { message: /^ERR Script attempted to access a key that is not among its KEYS: 'b'/ };
  t.is(await client.eval('return redis.call("SET", KEYS[1], "1").ok', 1, 'a'), 'OK');
  await t.throwsAsync(client.eval('return redis.call("GET", "b")', 1, 'a'), refused);
  await t.throwsAsync(client.eval('return redis.call("MGET", KEYS[1], "b")', 1, 'a'), refused);
  await t.throwsAsync(client.eval('return redis.call("XREAD", "STREAMS", KEYS[1], "b", "0", "0")', 1, 'a'), refused);
  await t.throwsAsync(client.eval('return redis.call("ZUNIONSTORE", KEYS[1], 2, KEYS[1], "b")', 1, 'a'), refused);
  t.is(await client.eval('return redis.call("PUBLISH", "b", "1")', 1, 'a'), 0);
  await strict.close();
  const usual = createMemoryRedis();
  t.is(await usual.client().eval('return redis.call("GET", "b")', 1, 'a'), null);
  await usual.close();
});

test('a script that does not end is ended', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await t.throwsAsync(client.eval('while true do end', 0), { message: /^ERR the script ran too long/ });
  t.is(await client.ping(), 'PONG');
  await redis.close();
});

test('the port speaks to clients outside', async (t) => {
  const redis = createMemoryRedis();
  const listening = await redis.listen(0);
  const outside = new Redis(listening.url);
  await outside.set('a', '1');
  t.is(await redis.client().get('a'), '1');
  t.is(listening.url, `redis://127.0.0.1:${listening.port}`);
  outside.disconnect();
  await redis.close();
});

test('published messages reach channels and patterns', async (t) => {
  const redis = createMemoryRedis();
  const [subscriber, publisher] = [redis.client(), redis.client()];
  const seen: string[][] = [];
  subscriber.on('message', (channel, message) => seen.push([channel, message]));
  subscriber.on('pmessage', (pattern, channel, message) => seen.push([pattern, channel, message]));
  t.is(await subscriber.subscribe('a'), 1);
  t.is(await subscriber.psubscribe('b*'), 2);
  t.is(await publisher.publish('a', '1'), 1);
  t.is(await publisher.publish('bc', '2'), 1);
  t.is(await publisher.publish('c', '3'), 0);
  t.deepEqual(seen, [
    ['a', '1'],
    ['b*', 'bc', '2'],
  ]);
  await redis.close();
});

test('SORT reads numbers as C does, and refuses what is none', async (t) => {
  const redis = createMemoryRedis();
  const client = redis.client();
  await client.rpush('numbers', 'inf', '0x10', ' 7', '-inf', '', '1e3', '.5', '+5', '007');
  t.deepEqual(await client.sort('numbers'), ['-inf', '', '.5', '+5', ' 7', '007', '0x10', '1e3', 'inf']);
  for (const word of ['nan', '7 ', '0x', '1e400', '-1e400', '1e-400', '1e-320', 'seven']) {
    await client.rpush('one', word);
    await t.throwsAsync(client.sort('one'), { message: "ERR One or more scores can't be converted into double" }, word);
    await client.del('one');
  }
  await redis.close();
});

test('CLIENT LIST says since when a client is there, how long it has been idle, and where it connected to', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const { port } = await redis.listen(0);
  const [asking, idle] = [redis.client(), new Redis(port)];
  await Promise.all([asking.ping(), idle.client('SETNAME', 'idler')]);
  await clock.advance('2s');
  await idle.ping();
  await clock.advance('5s');
  const line =
    String(await asking.client('LIST'))
      .split('\n')
      .find((one) => one.includes('name=idler')) ?? '';
  t.true(line.includes(` laddr=127.0.0.1:${port} `), line);
  t.true(line.includes(' age=7 idle=5 '), line);
  t.is(await asking.client('KILL', 'LADDR', `127.0.0.1:${port}`), 1);
  idle.disconnect();
  await redis.close();
});

test('a watched key whose time is over undoes the transaction, though nobody has asked for it since', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const client = redis.client();
  await client.set('a', '1', 'PX', 20);
  await client.watch('a');
  await clock.advance(30);
  t.is(await client.multi().ping().exec(), null);
  await redis.close();
});

test('a watched key that changes undoes the transaction', async (t) => {
  const redis = createMemoryRedis();
  const [one, other] = [redis.client(), redis.client()];
  await one.watch('a');
  await other.set('a', '2');
  t.is(await one.multi().set('a', '1').exec(), null);
  t.is(await one.get('a'), '2');
  await redis.close();
});
