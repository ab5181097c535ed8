/**
 * A long run that watches memory and rate: a steady flow of commands over keys that come and go, in one process on a real Redis.
 *
 *   npm run bench:soak [-- <minutes>] [--rate <a second>]
 *
 * Prints a line every ten seconds. Exits 1 when an outcome was wrong, memory grew by more than half between the first and the last
 * third, or commands stayed behind.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { ActorSystem } from '../dist/src/index.js';
import { startRedisServer } from '../dist/test/support/redis-server.js';
import { committedTotals, counters } from './support/counter.js';
import { median } from './support/harness.js';
import { wrongTotals } from './support/work.js';

const TICK_MS = 100;
const LINE_MS = 10_000;
/** so many keys are told at a time; every second the window moves on by one in a hundred */
const WINDOW = 5_000;
const GROWTH = 1.5;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rate: { type: 'string', default: '2000' } } });
const minutes = Number(positionals[0] ?? 2);
const rate = Number(values.rate);
if (!(minutes > 0 && minutes <= 24 * 60) || !(rate > 0)) {
  console.error('usage: npm run bench:soak -- [minutes, up to a day] [--rate <commands a second>]');
  process.exit(2);
}

const redis = await startRedisServer();
const { Add, Counter } = counters.counter;
const passivating = { name: 'soak', children: [{ actor: 'counter', passivateAfter: '10s' }] };
const system = await ActorSystem.start({ name: 'soak', redis: redis.url, actors: [Counter], supervisors: [passivating] });
const admin = new Redis(redis.url);
const signals = [];
system.signals.subscribe(({ kind }) => kind !== 'started' && kind !== 'partition-acquired' && signals.push(kind));

const expected = new Map();
let told = 0;
let answered = 0;
system.results(Add).subscribe(() => {
  answered += 1;
});

const began = performance.now();
const end = began + minutes * 60_000;
const samples = [];
let line = began + LINE_MS;
let seen = { at: began, answered: 0 };
while (performance.now() < end) {
  const turn = performance.now();
  const seconds = (turn - began) / 1000;
  const first = Math.floor((seconds * WINDOW) / 100);
  const sent = [];
  for (let i = 0; i < (rate * TICK_MS) / 1000; i += 1) {
    const key = `s${first + (told % WINDOW)}`;
    expected.set(key, (expected.get(key) ?? 0) + 1);
    told += 1;
    sent.push(system.tell(Add, { key, amount: 1 }));
  }
  await Promise.all(sent);
  if (turn >= line) {
    const rss = process.memoryUsage.rss() / 2 ** 20;
    const perSecond = ((answered - seen.answered) / (turn - seen.at)) * 1000;
    samples.push({ rss, perSecond });
    const { activations } = system.supervisors.supervisors[0].children[0];
    console.log(
      `${seconds.toFixed(0)} s: ${perSecond.toFixed(0)} results a second, ${told - answered} behind, ${activations} activations, ${rss.toFixed(0)} MB`,
    );
    seen = { at: turn, answered };
    line += LINE_MS;
  }
  await pause(Math.max(0, turn + TICK_MS - performance.now()));
}
await system.idle({ timeout: '1m' });
const faults = [];
await pause(1_000);
if (answered !== told) faults.push(`${answered} results for ${told} commands`);
if (signals.length > 0) faults.push(`signals that should not be: ${[...new Set(signals)].join(', ')}`);
faults.push(
  ...wrongTotals(expected, await committedTotals(admin, { name: 'soak', shards: 16, type: 'counter', keys: [...expected.keys()] })),
);
const third = Math.floor(samples.length / 3);
if (third > 0) {
  const of = (part) => median(part.map(({ rss }) => rss));
  const growth = of(samples.slice(-third)) / of(samples.slice(0, third));
  console.log(`memory: × ${growth.toFixed(2)} from the first third to the last`);
  if (growth > GROWTH) faults.push(`memory grew by ${growth.toFixed(2)}`);
}
await system.stop();
admin.disconnect();
await redis.stop();
for (const fault of faults.slice(0, 5)) console.error(`WRONG: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
