/** BullMQ: addBulk, a Worker, results through QueueEvents. The counter's state is one INCRBY, as nothing keeps a key's jobs in order. */
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { report, timed } from '../support/child.js';
import { Checker, commandAt, wrongTotals } from '../support/work.js';

await report(async ({ redis, n, warmup, keys, concurrency, batch = 500 }) => {
  const { hostname: host, port } = new URL(redis);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const name = `bull-${process.pid}`;
  const admin = new Redis(redis);
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } });
  const events = new QueueEvents(name, { connection });
  const add = async ({ data: { key, amount } }) => ({ key, total: await admin.incrby(`${name}:state:${key}`, amount) });
  const worker = new Worker(name, add, { connection, concurrency });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
  let checker;
  events.on('completed', ({ jobId, returnvalue }) => {
    const { key, total } = typeof returnvalue === 'string' ? JSON.parse(returnvalue) : returnvalue;
    checker.see(jobId, key, total);
  });
  const run = async (count, prefix) => {
    checker = new Checker(count, keys, prefix);
    for (let at = 0; at < count; at += batch) {
      const size = Math.min(batch, count - at);
      await queue.addBulk(Array.from({ length: size }, (_, i) => ({ name: 'add', data: commandAt(at + i, keys, prefix) })));
    }
    await checker.done;
  };
  await run(warmup, 'w');
  const answer = await timed(n, admin, () => run(n, 'k'));
  const faults = checker.faults();
  const stored = await admin.mget([...checker.expected.keys()].map((key) => `${name}:state:${key}`));
  faults.push(...wrongTotals(checker.expected, new Map([...checker.expected.keys()].map((key, i) => [key, Number(stored[i])]))));
  await worker.close(true);
  return { ...answer, faults: faults.slice(0, 5) };
});
