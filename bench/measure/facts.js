/** Facts that several actor types subscribe to: from `publish` until every subscriber has committed them. */
import { Redis } from 'ioredis';
import { ActorSystem } from '../../dist/src/index.js';
import { inBursts, report, timed } from '../support/child.js';
import { Counted, committedTotals, subscribers } from '../support/counter.js';
import { commandAt, expectedTotals, wrongTotals } from '../support/work.js';

const SHARDS = 16;

await report(async ({ redis, n, warmup, keys, count, inFlight = 4_000 }) => {
  const admin = new Redis(redis);
  const name = `facts-${process.pid}`;
  let handled = 0;
  let target = 0;
  let resolve;
  const actors = subscribers(count, () => {
    handled += 1;
    if (handled === target) resolve();
  });
  const system = await ActorSystem.start({ name, redis, shards: SHARDS, actors });
  const run = async (facts, prefix) => {
    handled = 0;
    target = facts * count;
    const all = new Promise((done) => {
      resolve = done;
    });
    await inBursts(facts, inFlight, (i) => system.publish(Counted, commandAt(i, keys, prefix)));
    await all;
  };
  await run(warmup, 'w');
  const answer = await timed(n * count, admin, () => run(n, 'k'));
  await system.idle();
  const expected = expectedTotals(n, keys);
  const faults = [];
  if (handled !== target) faults.push(`${handled} deliveries, expected ${target}`);
  for (const { actorType } of actors) {
    const found = await committedTotals(admin, { name, shards: SHARDS, type: actorType, keys: [...expected.keys()] });
    faults.push(...wrongTotals(expected, found).map((fault) => `${actorType}: ${fault}`));
  }
  await system.stop();
  return { ...answer, faults: faults.slice(0, 5) };
});
