/**
 * A node that finds a backlog: a producer of its own process fills the inboxes, then this one starts a node and works through them.
 * The node's process does nothing else, so its memory is the node's.
 */
import { fork } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { ActorSystem } from '../../dist/src/index.js';
import { inBursts, report, timed } from '../support/child.js';
import { committedTotals, counters } from '../support/counter.js';
import { commandAt, expectedTotals, wrongTotals } from '../support/work.js';

const SHARDS = 16;
const BURST = 8_000;

async function fill({ redis, name, n, keys }) {
  const { Add } = counters.counter;
  const client = await ActorSystem.start({ name, redis, shards: SHARDS, actors: [] });
  await inBursts(n, BURST, (i) => client.tell(Add, commandAt(i, keys)));
  await client.stop();
  return {};
}

function fillElsewhere(options) {
  return new Promise((resolve, reject) => {
    const child = fork(new URL(import.meta.url), [JSON.stringify({ ...options, fillOnly: true })], { stdio: 'ignore' });
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`filling ended with ${code}`))));
  });
}

async function drain({ redis, n, keys }) {
  const admin = new Redis(redis);
  const name = `drain-${process.pid}`;
  await fillElsewhere({ redis, name, n, keys });
  const { Counter } = counters.counter;
  const backlog = async () => {
    const pipeline = admin.pipeline();
    for (let shard = 0; shard < SHARDS; shard += 1) pipeline.xlen(`{${name}:${shard}}:counter:commands`);
    return (await pipeline.exec()).reduce((sum, [, length]) => sum + length, 0);
  };
  const faults = [];
  const before = await backlog();
  if (before !== n) faults.push(`${before} commands wait, expected ${n}`);
  const memory = [];
  let system;
  const answer = await timed(n, admin, async () => {
    system = await ActorSystem.start({ name, redis, actors: [Counter] });
    let left = n;
    while (left > 0) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      left = await backlog();
      memory.push({ done: (n - left) / n, rss: process.memoryUsage.rss() / 2 ** 20 });
    }
    await turn();
  });
  await system.stop();
  const expected = expectedTotals(n, keys);
  const found = await committedTotals(admin, { name, shards: SHARDS, type: 'counter', keys: [...expected.keys()] });
  faults.push(...wrongTotals(expected, found));
  await admin.flushall();
  const most = (from, to) => Math.max(0, ...memory.filter(({ done }) => done >= from && done <= to).map(({ rss }) => rss));
  return { ...answer, rss: most(0, 1), firstHalf: most(0, 0.5), secondHalf: most(0.5, 1), faults: faults.slice(0, 5) };
}

await report((options) => (options.fillOnly ? fill(options) : drain(options)));
