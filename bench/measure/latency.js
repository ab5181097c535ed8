/**
 * One at a time on an idle system, taking turns: `ask` beside PING, an awaited `tell` beside an awaited XADD, or one commit of one message
 * (state, result and settlement in the script) beside PING.
 */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { ActorSystem } from '../../dist/src/index.js';
import { pack } from '../../dist/src/log/pack.js';
import { percentile, report } from '../support/child.js';
import { committedTotals, counters } from '../support/counter.js';
import { commandAt, expectedTotals, wrongTotals } from '../support/work.js';

const KEYS = 100;
const SHARDS = 16;
const WARMUP = 300;

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
  const commit = await client.script('LOAD', readFileSync(new URL('../../dist/src/log/lua/commit.lua', import.meta.url), 'utf8'));
  const tag = `{${name}:0}:counter`;
  const keys = [`${tag}:partition`, `${tag}:state:k1`, `${tag}:results`, `${tag}:commands`];
  const result = ['MAXLEN', '~', 100_000, '*', 'id', '0.1.result', 'data', '{"total":1}'];
  const writes = [1, 'SET', 2, '1 {"total":1}', result.length, 'XADD', 3, ...result, 3, 'XTRIM', 4, 'MINID', '=', '1-1'];
  const packed = pack(['mine', 0, ...writes]);
  await client.hset(keys[0], 'nonce', 'mine');
  const verbs = {
    commit: [() => client.evalsha(commit, keys.length, ...keys, packed), () => client.ping()],
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
    const length = await client.xlen(keys[2]);
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
