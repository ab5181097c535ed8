/**
 * What the in-process Redis costs, beside a real one where there is one on PATH.
 *
 *   npm run build && node bench/memory-redis/main.js [--json]
 *
 * Prints for each store: single requests, pipelines, stream appends and reads, scripts; and how appends and removals hold up as a stream
 * grows. Every figure is the median of several rounds; where the rounds lie far apart it says so: something else was running.
 * A figure below its target is shown as such and is no failure; a wrong outcome is one.
 */
import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { createMemoryRedis } from '../../dist/src/memory-redis/index.js';
import { redisServerOnPath, startRedisServer } from '../../dist/test/support/redis-server.js';

const ROUNDS = 5;
const PIPELINE = 100;
const VALUE = 'x'.repeat(200);
/** Appends to a stream of 200,000 entries, against one of 20,000. */
const GROWTH_TARGET = 0.6;
/** When the middle rounds lie further apart than this part of their median, the figure is noisy. */
const NOISY = 0.2;

/** The median of several rounds, and how far the middle ones lie apart. */
async function rounds(work) {
  await work();
  const all = [];
  for (let round = 0; round < ROUNDS; round += 1) all.push(await work());
  all.sort((a, b) => a - b);
  const median = all[Math.floor(ROUNDS / 2)];
  return { median: Math.round(median), noisy: (all[ROUNDS - 2] - all[1]) / median > NOISY };
}

function rate(count, work) {
  return rounds(async () => {
    const started = performance.now();
    await work(count);
    return (count / (performance.now() - started)) * 1000;
  });
}

async function pipelines(client, count, add) {
  for (let sent = 0; sent < count; sent += PIPELINE) {
    const pipeline = client.pipeline();
    for (let index = 0; index < PIPELINE; index += 1) add(pipeline, sent + index);
    for (const [error] of await pipeline.exec()) assert.equal(error, null);
  }
}

async function measure(client) {
  await client.flushall();
  const results = {};
  results['GET, one at a time'] = await rate(3000, async (count) => {
    for (let index = 0; index < count; index += 1) await client.get('key');
  });
  results['SET, pipelined'] = await rate(20_000, (count) => pipelines(client, count, (p, index) => p.set(`key ${index % 1000}`, VALUE)));
  assert.equal(await client.dbsize(), 1000);
  results['HSET, pipelined'] = await rate(20_000, (count) =>
    pipelines(client, count, (p, index) => p.hset('hash', `f${index % 500}`, VALUE)),
  );
  assert.equal(await client.hlen('hash'), 500);
  results['XADD, pipelined'] = await rate(20_000, (count) =>
    pipelines(client, count, (p) => p.xadd('stream', 'MAXLEN', '~', '20000', '*', 'type', 'order', 'data', VALUE)),
  );
  const length = await client.xlen('stream');
  assert.ok(length >= 20_000 && length <= 20_200, `${length} entries`);
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
  const nothing = await client.script('LOAD', 'return 1');
  results['EVALSHA without a call, pipelined'] = await rate(20_000, (count) => pipelines(client, count, (p) => p.evalsha(nothing, 0)));
  const get = await client.script('LOAD', "return redis.call('GET', KEYS[1])");
  results['EVALSHA with one call, pipelined'] = await rate(20_000, (count) => pipelines(client, count, (p) => p.evalsha(get, 1, 'key 1')));
  assert.equal(await client.evalsha(get, 1, 'key 1'), VALUE);
  const append = await client.script(
    'LOAD',
    "for i = 1, #ARGV, 4 do redis.call('XADD', KEYS[1], '*', unpack(ARGV, i, i + 3)) end return #ARGV",
  );
  const words = Array.from({ length: 200 }, () => ['type', 'order', 'data', VALUE]).flat();
  results['XADD by a script, 200 at once'] = await rate(20_000, async (count) => {
    for (let sent = 0; sent < count; sent += 200) await client.evalsha(append, 1, 'scripted', ...words);
    assert.equal(await client.xlen('scripted'), count);
    await client.del('scripted');
  });
  return results;
}

/** Operations a second of this process' own time: other processes do not count. */
async function ownRate(count, work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (count / (user + system)) * 1e6;
}

/** Appends to a stream that holds `entries` and more, and removals from its front and its middle. */
async function growth(client, entries) {
  const [appended, removed] = [10_000, 2000];
  await client.del('growing');
  const cursor = { append: 1, front: 1, middle: 1 + entries / 2 };
  const append = (count) => pipelines(client, count, (p) => p.xadd('growing', `${cursor.append++}-1`, 'type', 'order', 'data', VALUE));
  const remove = (where) => pipelines(client, removed, (p) => p.xdel('growing', `${cursor[where]++}-1`));
  await append(entries);
  const rates = { append: [], front: [], middle: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    rates.append.push(await ownRate(appended, () => append(appended)));
    rates.front.push(await ownRate(removed, () => remove('front')));
    rates.middle.push(await ownRate(removed, () => remove('middle')));
  }
  assert.equal(await client.xlen('growing'), entries + ROUNDS * (appended - 2 * removed));
  const bytes = Number(await client.memory('USAGE', 'growing'));
  await client.xtrim('growing', 'MAXLEN', 0);
  const bytesWhenEmpty = Number(await client.memory('USAGE', 'growing'));
  assert.ok(bytesWhenEmpty < bytes / 100, `${bytesWhenEmpty} of ${bytes} bytes are still held by an empty stream`);
  const median = (all) => Math.round(all.sort((a, b) => a - b)[Math.floor(all.length / 2)]);
  return { append: median(rates.append), front: median(rates.front), middle: median(rates.middle), bytes, bytesWhenEmpty };
}

const memory = createMemoryRedis();
await memory.client().config('SET', 'maxmemory', '0');
const { port } = await memory.listen(0);
const stores = { 'in process': memory.client(), 'in process, over TCP': new Redis(port, '127.0.0.1') };
const real = redisServerOnPath() ? await startRedisServer() : undefined;
if (real !== undefined) stores['redis-server'] = new Redis(real.port, '127.0.0.1');

const figures = {};
for (const [name, client] of Object.entries(stores)) figures[name] = await measure(client);
const grown = { 20000: await growth(stores['in process'], 20_000), 200000: await growth(stores['in process'], 200_000) };
const ratios = Object.fromEntries(['append', 'front', 'middle'].map((what) => [what, grown[200000][what] / grown[20000][what]]));

if (process.argv.includes('--json')) console.log(JSON.stringify({ figures, grown, ratios }));
else report();
for (const client of Object.values(stores)) client.disconnect();
await memory.close();
await real?.stop();

function report() {
  const names = Object.keys(figures);
  const show = ({ median, noisy }) => `${median.toLocaleString('en')}${noisy ? ' ~' : '  '}`;
  console.log(`${'a second'.padEnd(36)}${names.map((name) => name.padStart(22)).join('')}${'in process / server'.padStart(22)}`);
  for (const what of Object.keys(figures[names[0]])) {
    const beside = figures['redis-server'] && (figures['in process'][what].median / figures['redis-server'][what].median).toFixed(2);
    console.log(`${what.padEnd(36)}${names.map((name) => show(figures[name][what]).padStart(22)).join('')}${(beside ?? '').padStart(22)}`);
  }
  console.log('~ the rounds lie far apart: something else was running\n');
  console.log('a second of own time, with entries    20,000     200,000   ratio   target');
  for (const [what, name] of [
    ['append', 'XADD'],
    ['front', 'XDEL at the front'],
    ['middle', 'XDEL in the middle'],
  ]) {
    const verdict = ratios[what] >= GROWTH_TARGET ? 'met' : 'missed';
    const [few, many] = [20000, 200000].map((entries) => grown[entries][what].toLocaleString('en'));
    console.log(
      `${name.padEnd(34)}${few.padStart(10)}${many.padStart(12)}${ratios[what].toFixed(2).padStart(8)}   ${GROWTH_TARGET} ${verdict}`,
    );
  }
  const { bytes, bytesWhenEmpty } = grown[200000];
  console.log(`memory of a stream of about 200,000 entries: ${bytes.toLocaleString('en')} bytes; when they have gone: ${bytesWhenEmpty}`);
}
