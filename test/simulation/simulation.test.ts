/**
 * Nothing lost, nothing twice, nothing out of order, under every fault of the design's model, drawn from seeds: see simulation.ts.
 * `SIMULATION_SEEDS=2000` runs more seeds (`npm run test:chaos` does), `SIMULATION_FIRST` begins elsewhere, `SIMULATION_SEED=n` runs that one alone.
 */
import test from 'ava';
import { CLIENT_REQUESTS, NODE_REQUESTS } from '../../src/log/rights.js';
import { numbers, report, simulate } from './report.js';
import { Simulation } from './simulation.js';

const one = process.env['SIMULATION_SEED'];
const first = Number(one ?? process.env['SIMULATION_FIRST'] ?? 1);
const count = one === undefined ? Number(process.env['SIMULATION_SEEDS'] ?? 200) : 1;

/** In so many seeds there is some of each. */
const ENOUGH = 200;
const EXPECTED = [
  'letter',
  'redrive',
  'letter of a parked message',
  'redrive of a parked message',
  'parked message that was put away',
  'event that was given up',
  'command that was cancelled',
  'command that would have waited for hours and was cancelled',
  'wish before anybody has hosted an actor type',
  'command that expired',
  'signal actor-restarted',
  'node that stopped itself',
  'node that a message killed',
  'poisonous message that was given up',
];

/** What stands for each kind of key in the requests by which rights are looked for. */
const KINDS: Readonly<Record<string, string>> = { inbox: 'commands', waiting: 'aside', aside: 'aside list', wake: '' };

/** Every right that is looked for, as the store names what is used; and what errand does without where it is forbidden. */
const ASKED: ReadonlySet<string> = new Set([
  ...[...CLIENT_REQUESTS, ...NODE_REQUESTS].map((request) => {
    const place = /\{(\w+)\}/.exec(request)?.[1] ?? '';
    return `${request.split(' ')[0] ?? ''} ${KINDS[place] ?? place}`.trim();
  }),
  ...['CLIENT|ID', 'CLIENT|SETNAME', 'CLIENT|SETINFO', 'CLIENT|UNBLOCK', 'INFO', 'BGREWRITEAOF', 'SCRIPT|LOAD', 'HELLO'],
]);

test.serial('nothing is lost, nothing done twice, nothing out of order, whatever happens to nodes, network and Redis', async (t) => {
  t.timeout(3_600_000);
  const begun = performance.now();
  const { failed, seeds, commits, commands, healed, faults, counts, used } = await simulate(numbers(first, count));
  if (failed !== undefined) t.fail(report(failed));
  const each = Math.round((performance.now() - begun) / seeds);
  t.log(
    `${seeds} seeds from ${first}, ${each} ms each: ${commands} commands, ${commits} commits; settled at most ${healed} ms after the last fault`,
  );
  t.log([...faults].map(([name, times]) => `${times} × ${name}`).join(', '));
  t.log(String(counts));
  t.true(commits > 0, 'something was done');
  const unasked = [...used].filter((command) => !ASKED.has(command) && !command.startsWith('EVAL')).sort();
  t.deepEqual(unasked, [], 'the Redis user is asked for every right that is used (src/log/rights.ts; issue 14, A2)');
  if (seeds >= ENOUGH) for (const what of EXPECTED) t.true(counts.of(what) > 0, `there was no ${what}`);
});

test.serial('two runs of one seed come to the same history', async (t) => {
  for (const seed of numbers(first, one === undefined ? 10 : 1)) {
    const [a, b] = [await new Simulation(seed).run(), await new Simulation(seed).run()];
    t.is(a.hash, b.hash, `seed ${seed}: ${a.history.save(`seed-${seed}-a`)} differs from ${b.history.save(`seed-${seed}-b`)}`);
  }
});
