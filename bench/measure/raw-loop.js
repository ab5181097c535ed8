/**
 * The loop that one would write by hand: pipelines of XADD, XREADGROUP, then SET + XADD of the result + XACK in a pipeline, XREAD of the
 * results. No order per key between consumers, no fence, no retry, no deduplication, no validation.
 */
import { Redis } from 'ioredis';
import { report, timed } from '../support/child.js';
import { Checker, commandAt, wrongTotals } from '../support/work.js';

const GROUP = 'workers';

await report(async ({ redis, n, warmup, keys, batch = 500 }) => {
  const name = `raw-${process.pid}`;
  const commands = `${name}:commands`;
  const results = `${name}:results`;
  const connect = () => new Redis(redis, { protocol: 2 });
  const [producer, worker, reader, observer, admin] = [connect(), connect(), connect(), connect(), connect()];
  await admin.xgroup('CREATE', commands, GROUP, '$', 'MKSTREAM');
  const totals = new Map();
  let checker;
  const loop = { over: false };

  const work = async () => {
    while (!loop.over) {
      const reply = await reader.xreadgroup('GROUP', GROUP, 'one', 'COUNT', batch, 'BLOCK', 1000, 'STREAMS', commands, '>');
      if (reply === null) continue;
      const pipeline = worker.pipeline();
      for (const [entry, fields] of reply[0][1]) {
        const [, id, , key, , data] = fields;
        const total = (totals.get(key) ?? 0) + JSON.parse(data).amount;
        totals.set(key, total);
        const json = JSON.stringify({ total });
        pipeline.set(`${name}:state:${key}`, json);
        pipeline.xadd(results, '*', 'id', id, 'key', key, 'data', json);
        pipeline.xack(commands, GROUP, entry);
      }
      await pipeline.exec();
    }
  };
  const observe = async () => {
    let after = '0';
    while (!loop.over) {
      const reply = await observer.xread('COUNT', batch, 'BLOCK', 1000, 'STREAMS', results, after);
      if (reply === null) continue;
      for (const [entry, fields] of reply[0][1]) {
        after = entry;
        checker.see(fields[1], fields[3], JSON.parse(fields[5]).total);
      }
    }
  };
  const run = async (count, prefix) => {
    checker = new Checker(count, keys, prefix);
    for (let at = 0; at < count; at += batch) {
      const pipeline = producer.pipeline();
      for (let i = at; i < Math.min(count, at + batch); i += 1) {
        const command = commandAt(i, keys, prefix);
        pipeline.xadd(commands, '*', 'id', `${prefix}-${i}`, 'key', command.key, 'data', JSON.stringify(command));
      }
      await pipeline.exec();
    }
    await checker.done;
  };
  const loops = [work(), observe()];
  await run(warmup, 'w');
  const answer = await timed(n, admin, () => run(n, 'k'));
  loop.over = true;
  await Promise.all(loops);
  const faults = checker.faults();
  const stored = await admin.mget([...checker.expected.keys()].map((key) => `${name}:state:${key}`));
  const found = new Map([...checker.expected.keys()].map((key, i) => [key, stored[i] === null ? undefined : JSON.parse(stored[i]).total]));
  faults.push(...wrongTotals(checker.expected, found));
  await admin.del(commands, results);
  return { ...answer, faults: faults.slice(0, 5) };
});
