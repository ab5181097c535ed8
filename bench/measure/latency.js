/**
 * One at a time on an idle system, taking turns: `ask` beside PING, an awaited `tell` beside an awaited XADD, or one commit of one message
 * (state, result and settlement in the script) beside PING.
 */
import { Redis } from 'ioredis';
import { ActorSystem } from '../../dist/src/index.js';
import { CommitBatch } from '../../dist/src/log/commit.js';
import { Keys } from '../../dist/src/log/keys.js';
import { scripts } from '../../dist/src/log/scripts.js';
import { percentile, report } from '../support/child.js';
import { committedTotals, counters } from '../support/counter.js';
import { commandAt, expectedTotals, wrongTotals } from '../support/work.js';

const KEYS = 100;
const SHARDS = 16;
const WARMUP = 2_000; // until its code is compiled

async function times(first, second, n) {
  const taken = [[], []];
  for (let i = -WARMUP; i < n; i += 1) {
    for (const [which, work] of [first, second].entries()) {
      const began = performance.now();
      await work(i + WARMUP);
      if (i >= 0) taken[which].push((performance.now() - began) * 1000);
    }
  }
  return taken;
}

await report(async ({ redis, n, verb }) => {
  const client = new Redis(redis, { protocol: 2 });
  const name = `latency-${process.pid}`;
  const { Add, Counter } = counters.counter;
  const system = await ActorSystem.start({ name, redis, shards: SHARDS, actors: verb === 'ask' ? [Counter] : [] });
  const layout = new Keys(name, SHARDS);
  const batch = new CommitBatch(layout.partition('counter', 0));
  batch.write('SET', layout.state('counter', 0, 'k1'), '1 {"total":1}');
  batch.append(layout.results('counter', 0), ['id', '0.1.result', 'data', '{"total":1}'], 100_000);
  batch.write('XTRIM', layout.inbox('counter', 0), 'MINID', '=', '1-1');
  const { keys, conditions, writes } = batch.arguments('mine');
  const commit = await client.script('LOAD', scripts().commit.source);
  await client.hset(keys[0], 'nonce', 'mine');
  const verbs = {
    commit: [() => client.evalsha(commit, keys.length, ...keys, ...conditions, ...writes), () => client.ping()],
    ask: [(i) => system.ask(Add, commandAt(i, KEYS)), () => client.ping()],
    tell: [
      (i) => system.tell(Add, commandAt(i, KEYS)),
      (i) => {
        const command = commandAt(i, KEYS);
        return client.xadd(`${name}:plain`, '*', 'id', `k-${i}`, 'key', command.key, 'data', JSON.stringify(command));
      },
    ],
  };
  const [ours, theirs] = await times(...verbs[verb], n);
  const all = n + WARMUP;
  const faults = [];
  if (verb === 'ask') {
    const expected = expectedTotals(all, KEYS);
    const found = await committedTotals(client, { name, shards: SHARDS, type: 'counter', keys: [...expected.keys()] });
    faults.push(...wrongTotals(expected, found));
  } else if (verb === 'commit') {
    const length = await client.xlen(layout.results('counter', 0));
    if (length !== all) faults.push(`${length} results were committed, expected ${all}`);
  } else {
    let stored = 0;
    for (let shard = 0; shard < SHARDS; shard += 1) stored += await client.xlen(`{${name}:${shard}}:counter:commands`);
    if (stored !== all) faults.push(`${stored} commands stand in the inboxes, expected ${all}`);
  }
  await system.stop();
  await client.flushall();
  const summary = (taken) => ({ p50: percentile(taken, 0.5), p99: percentile(taken, 0.99), mean: taken.reduce((a, b) => a + b) / n });
  return { ours: summary(ours), theirs: summary(theirs), faults };
});
