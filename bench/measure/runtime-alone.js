/**
 * The runtime with the log replaced by nothing: entries are handed to partitions as the reader would hand them over, and commits are answered
 * at once. Envelopes are read, data validated, handlers called through nact's inboxes, state and results encoded, commits put together.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { behaviorOf } from '../../dist/src/api/actor-definition.js';
import { resolverFor } from '../../dist/src/api/container.js';
import { Keys } from '../../dist/src/log/keys.js';
import { systemClock } from '../../dist/src/message/clock.js';
import { definitionOf } from '../../dist/src/message/definition.js';
import { Ids } from '../../dist/src/message/ids.js';
import { systemRandom } from '../../dist/src/message/random.js';
import { Gate } from '../../dist/src/runtime/gate.js';
import { Host } from '../../dist/src/runtime/host.js';
import { Branch } from '../../dist/src/runtime/inbox.js';
import { silent } from '../../dist/src/runtime/logger.js';
import { Composer } from '../../dist/src/runtime/outgoing.js';
import { Partition } from '../../dist/src/runtime/partition.js';
import { Pulse } from '../../dist/src/runtime/pulse.js';
import { Signals } from '../../dist/src/runtime/signals.js';
import { defaultChildSettings } from '../../dist/src/runtime/supervision-settings.js';
import { report, timed } from '../support/child.js';
import { counters } from '../support/counter.js';
import { commandAt, expectedTotals, wrongTotals } from '../support/work.js';

const SHARDS = 16;
const PIECE = 500;
const nothing = () => undefined;

await report(async ({ n, warmup, keys }) => {
  const { Add, Counter } = counters.counter;
  const totals = new Map();
  let settled = 0;
  // Every commit holds when it is asked for; what it settles is counted as the results it writes.
  const committed = async (_command, args) => (args.length > 0 ? 'committed' : undefined);
  const link = { up: true, epoch: 1, call: committed, send: committed };
  const layout = new Keys('alone', SHARDS);
  const composer = new Composer(systemClock, new Ids(systemClock, systemRandom), layout);
  const deps = { node: 'alone', keys: layout, clock: systemClock, random: systemRandom, composer, link, logger: silent, gate: new Gate() };
  Object.assign(deps, {
    asks: { node: 'alone', settle: nothing },
    reader: { nudge: nothing },
    signals: new Signals(Date.now),
    pulse: new Pulse(),
  });
  class Counting extends Counter {
    add(data) {
      const result = super.add(data);
      totals.set(data.key, result.total);
      return result;
    }
  }
  const stateless = { ...behaviorOf(Counting, await resolverFor([Counting], undefined, undefined), silent) };
  const host = new Host(deps, stateless, defaultChildSettings('counter'), Branch.root('alone'), nothing);
  host.states.load = (wanting) => queueMicrotask(() => wanting.loaded(undefined));
  const lost = (_partition, reason, error) => {
    throw error ?? new Error(reason);
  };
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const partition = new Partition(host, shard, { nonce: 'nonce', unclean: false, fields: new Map() }, lost);
    host.partitions.set(shard, partition);
  }
  let entryTime = Date.now();
  const entriesOf = (count, prefix) => {
    const queues = Array.from({ length: SHARDS }, () => []);
    for (let i = 0; i < count; i += 1) {
      const outgoing = composer.compose(
        definitionOf(Add),
        definitionOf(Add).encode(commandAt(i, keys, prefix)),
        { source: 'alone' },
        undefined,
      );
      if (i % 100 === 0) entryTime += 1;
      queues[outgoing.shard].push({ id: `${entryTime}-${i % 100}`, fields: outgoing.fields });
    }
    return queues;
  };
  const run = async (queues, count) => {
    settled = 0;
    const at = queues.map(() => 0);
    while (settled < count) {
      let given = 0;
      for (const [shard, partition] of host.partitions) {
        const entries = queues[shard].slice(at[shard], at[shard] + Math.min(PIECE, partition.wanted()));
        at[shard] += entries.length;
        if (entries.length > 0) partition.deliver(entries);
      }
      given = at.reduce((sum, one) => sum + one, 0);
      settled = given - (host.settings.prefetch - host.free);
      await turn();
    }
  };
  await run(entriesOf(warmup, 'w'), warmup);
  const queues = entriesOf(n, 'k');
  const answer = await timed(n, undefined, () => run(queues, n));
  return { ...answer, faults: wrongTotals(expectedTotals(n, keys), totals).slice(0, 5) };
});
