/**
 * What the in-process Redis costs, beside a real one where there is one on PATH.
 *
 *   npm run build && node bench/memory-redis/main.js [--json]
 *
 * Prints for each store: single requests, pipelines, stream appends and reads, scripts; and how appends hold up as a stream grows.
 * The figures are best of three: the machine's other work only ever makes them worse.
 */
import { Redis } from 'ioredis';
import { createMemoryRedis } from '../../dist/src/memory-redis/index.js';
import { redisServerOnPath, startRedisServer } from '../../dist/test/support/redis-server.js';

const ROUNDS = 3;
const PIPELINE = 100;
const VALUE = 'x'.repeat(200);

async function rate(count, work) {
  await work(Math.ceil(count / 4));
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    await work(count);
    best = Math.max(best, (count / (performance.now() - started)) * 1000);
  }
  return Math.round(best);
}

async function pipelines(client, count, add) {
  for (let sent = 0; sent < count; sent += PIPELINE) {
    const pipeline = client.pipeline();
    for (let index = 0; index < PIPELINE; index += 1) add(pipeline, sent + index);
    await pipeline.exec();
  }
}

async function measure(client) {
  await client.flushall();
  const results = {};
  results['GET, one at a time'] = await rate(5000, async (count) => {
    for (let index = 0; index < count; index += 1) await client.get('key');
  });
  results['SET, pipelined'] = await rate(30_000, (count) => pipelines(client, count, (p, index) => p.set(`key ${index % 1000}`, VALUE)));
  results['HSET, pipelined'] = await rate(30_000, (count) =>
    pipelines(client, count, (p, index) => p.hset('hash', `f${index % 500}`, VALUE)),
  );
  results['XADD, pipelined'] = await rate(30_000, (count) =>
    pipelines(client, count, (p) => p.xadd('stream', 'MAXLEN', '~', '20000', '*', 'type', 'order', 'data', VALUE)),
  );
  results['XREAD, entries in 500s'] = await rate(20_000, async (count) => {
    let after = '0';
    for (let seen = 0; seen < count; ) {
      const reply = await client.xread('COUNT', 500, 'STREAMS', 'stream', after);
      if (reply === null) after = '0';
      else {
        seen += reply[0][1].length;
        after = reply[0][1].at(-1)[0];
      }
    }
  });
  const get = await client.script('LOAD', "return redis.call('GET', KEYS[1])");
  results['EVALSHA with one call, pipelined'] = await rate(20_000, (count) => pipelines(client, count, (p) => p.evalsha(get, 1, 'key')));
  const append = await client.script(
    'LOAD',
    "for i = 1, #ARGV, 4 do redis.call('XADD', KEYS[1], '*', unpack(ARGV, i, i + 3)) end return #ARGV",
  );
  const words = Array.from({ length: 200 }, () => ['type', 'order', 'data', VALUE]).flat();
  results['XADD by a script, 200 at once'] = await rate(40_000, async (count) => {
    for (let sent = 0; sent < count; sent += 200) await client.evalsha(append, 1, 'scripted', ...words);
    await client.del('scripted');
  });
  return results;
}

/** Appends a second of this process' own time to a stream that holds `entries` already: other processes do not count. */
async function appendRate(client, entries) {
  await client.del('growing');
  const append = (count) => pipelines(client, count, (p) => p.xadd('growing', '*', 'type', 'order', 'data', VALUE));
  await append(entries);
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    await append(10_000);
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, (10_000 / (user + system)) * 1e6);
  }
  return Math.round(best);
}

const memory = createMemoryRedis();
await memory.client().config('SET', 'maxmemory', '0');
const { port } = await memory.listen(0);
const stores = { 'in process': memory.client(), 'in process, over TCP': new Redis(port, '127.0.0.1') };
const real = redisServerOnPath() ? await startRedisServer() : undefined;
if (real !== undefined) stores['redis-server'] = new Redis(real.port, '127.0.0.1');

const figures = {};
for (const [name, client] of Object.entries(stores)) figures[name] = await measure(client);
const growth = { 20000: await appendRate(stores['in process'], 20_000), 200000: await appendRate(stores['in process'], 200_000) };
const ratio = growth[200000] / growth[20000];

if (process.argv.includes('--json')) console.log(JSON.stringify({ figures, growth, ratio }));
else {
  const names = Object.keys(figures);
  console.log(`${'a second'.padEnd(36)}${names.map((name) => name.padStart(22)).join('')}`);
  for (const what of Object.keys(figures[names[0]])) {
    console.log(`${what.padEnd(36)}${names.map((name) => figures[name][what].toLocaleString('en').padStart(22)).join('')}`);
  }
  console.log(
    `\nXADD into a stream of 20,000 entries: ${growth[20000].toLocaleString('en')} a second, of 200,000: ${growth[200000].toLocaleString('en')}; ratio ${ratio.toFixed(2)}`,
  );
}
for (const client of Object.values(stores)) client.disconnect();
await memory.close();
await real?.stop();
