/** @moleculer/channels over Redis Streams: the handler increments the state and appends the result in one pipeline. */
import { createRequire } from 'node:module';
import { Middleware } from '@moleculer/channels';
import { Redis } from 'ioredis';
import { inBursts, report, timed } from '../support/child.js';
import { Checker, commandAt, wrongTotals } from '../support/work.js';

const { ServiceBroker } = createRequire(import.meta.url)('moleculer');

await report(async ({ redis, n, warmup, keys, batch = 500 }) => {
  const name = `moleculer-${process.pid}`;
  const channel = `${name}.add`;
  const results = `${name}:results`;
  const [worker, observer, admin] = [1, 2, 3].map(() => new Redis(redis, { protocol: 2 }));
  const broker = new ServiceBroker({
    logger: false,
    nodeID: name,
    middlewares: [Middleware({ adapter: { type: 'Redis', options: { redis: { url: redis, protocol: 2 }, maxInFlight: batch } } })],
  });
  broker.createService({
    name: 'counter',
    channels: {
      [channel]: {
        group: 'workers',
        async handler({ id, key, amount }) {
          // The total is known once INCRBY has answered: a second round trip carries the result.
          const total = await worker.incrby(`${name}:state:${key}`, amount);
          await worker.xadd(results, '*', 'id', id, 'key', key, 'data', JSON.stringify({ total }));
        },
      },
    },
  });
  await broker.start();
  let checker;
  const loop = { over: false };
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
    await inBursts(count, batch, (i) => broker.sendToChannel(channel, { id: `${prefix}-${i}`, ...commandAt(i, keys, prefix) }));
    await checker.done;
  };
  const observing = observe();
  await run(warmup, 'w');
  const answer = await timed(n, admin, () => run(n, 'k'));
  loop.over = true;
  await observing;
  const faults = checker.faults();
  const stored = await admin.mget([...checker.expected.keys()].map((key) => `${name}:state:${key}`));
  faults.push(...wrongTotals(checker.expected, new Map([...checker.expected.keys()].map((key, i) => [key, Number(stored[i])]))));
  return { ...answer, faults: faults.slice(0, 5) };
});
