/** errand with everything on: idempotent append, order per key, fenced atomic commit, results observed on the second stream. */
import { Redis } from 'ioredis';
import { ActorSystem } from '../../dist/src/index.js';
import { createMemoryRedis } from '../../dist/src/memory-redis/index.js';
import { inBursts, report, timed } from '../support/child.js';
import { committedTotals, counters } from '../support/counter.js';
import { Checker, commandAt, wrongTotals } from '../support/work.js';

const ENTRY = ['id', '0.0198c2a0-0000-7000-8000-000000000000.result', 'type', 'old', 'data', '{"total":12345}'];

/** Entries of earlier work, spread over the result streams. */
async function store(client, name, shards, entries) {
  for (let stored = 0; stored < entries; stored += 1_000) {
    const pipeline = client.pipeline();
    for (let i = 0; i < 1_000; i += 1) pipeline.xadd(`{${name}:${i % shards}}:counter:results`, '*', ...ENTRY);
    await pipeline.exec();
  }
}

/**
 * @param redis an address, or 'memory:'
 * @param stored entries that an in-process Redis holds beforehand
 */
await report(async ({ redis, n, warmup, keys, actor = 'counter', inFlight = 1_000, shards = 16, stored = 0 }) => {
  const memory = redis === 'memory:' ? createMemoryRedis() : undefined;
  const admin = memory?.client() ?? new Redis(redis);
  if (memory !== undefined) await admin.config('SET', 'maxmemory', '0');
  const name = `bench-${process.pid}`;
  if (stored > 0) await store(admin, name, shards, stored);
  const { Add, Counter } = counters[actor];
  const system = await ActorSystem.start({ name, redis: memory ?? redis, shards, actors: [Counter] });
  let checker;
  const results = system.results(Add).subscribe({
    next: ({ messageId, key, status, value }) => status === 'completed' && checker.see(messageId, key, value.total),
  });
  const run = async (count, prefix) => {
    checker = new Checker(count, keys, prefix);
    await inBursts(count, inFlight, (i) => system.tell(Add, commandAt(i, keys, prefix)));
    await checker.done;
    return checker;
  };
  await run(warmup, 'w');
  const answer = await timed(n, memory === undefined ? admin : undefined, () => run(n, 'k'));
  const faults = checker.faults();
  await system.idle();
  const names = [...checker.expected.keys()];
  faults.push(...wrongTotals(checker.expected, await committedTotals(admin, { name, shards, type: Counter.actorType, keys: names })));
  results.unsubscribe();
  await system.stop();
  return { ...answer, faults: faults.slice(0, 5) };
});
