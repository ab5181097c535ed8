import { Counts } from './counts.js';
import { type Outcome, Simulation } from './simulation.js';

/** Lines of a failing run's history that are printed; all of it goes to a file. */
const SHOWN = 60;

/** What to know of a run that failed, and how to see it again. */
export function report({ seed, violation, history, faults }: Outcome): string {
  return [
    `seed ${seed}: not so: ${violation?.check ?? ''}`,
    violation?.text ?? '',
    `faults: ${faults.join(', ')}`,
    `the whole history: ${history.save(`seed-${seed}`)}; its end:`,
    history.last(SHOWN),
    `again: npm run build && SIMULATION_SEED=${seed} npx ava dist/test/simulation/simulation.test.js`,
  ].join('\n');
}

export interface Summary {
  readonly seeds: number;
  readonly commits: number;
  readonly commands: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly counts: Counts;
  /** every command that was run, with the kind of its key */
  readonly used: ReadonlySet<string>;
  /** the longest virtual time from the last fault to the end of everything, ms */
  readonly healed: number;
  readonly failed: Outcome | undefined;
}

/** Runs one seed after the other, up to the first that fails. */
export async function simulate(seeds: Iterable<number>): Promise<Summary> {
  const faults = new Map<string, number>();
  const counts = new Counts();
  const used = new Set<string>();
  const sum = { seeds: 0, commits: 0, commands: 0, healed: 0 };
  for (const seed of seeds) {
    const outcome = await new Simulation(seed).run();
    sum.seeds += 1;
    sum.commits += outcome.commits;
    sum.commands += outcome.commands;
    sum.healed = Math.max(sum.healed, outcome.healed);
    for (const name of outcome.faults) faults.set(name, (faults.get(name) ?? 0) + 1);
    counts.addAll(outcome.counts);
    for (const command of outcome.used) used.add(command);
    if (outcome.violation !== undefined) return { ...sum, faults, counts, used, failed: outcome };
  }
  return { ...sum, faults, counts, used, failed: undefined };
}

export function* numbers(first: number, count: number): Generator<number> {
  for (let i = first; i < first + count; i += 1) yield i;
}
