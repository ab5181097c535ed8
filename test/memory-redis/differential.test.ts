import test from 'ava';
import { asyncProperty, check } from 'fast-check';
import { createMemoryRedis, type MemoryRedis } from '../../src/memory-redis/index.js';
import { RawConnection, type RawReply } from '../support/raw-redis.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';
import { firstDifference, replies } from './agreement.js';
import { FOUND } from './found-sequences.js';
import { sequences } from './requests.js';

/** How many request sequences are tried; `npm run test:fuzz` sets more. */
const RUNS = Number(process.env['ERRAND_FUZZ_RUNS'] ?? 300);
/** `npm test` tries the same sequences each time: what new ones find is for `npm run test:fuzz`, not for whoever changes something else. */
const SEED = process.env['ERRAND_FUZZ_SEED'] ?? (process.env['ERRAND_FUZZ_RUNS'] === undefined ? '1' : undefined);
/** With a seed: the one sequence to try again, as a failure names it. */
const PATH = process.env['ERRAND_FUZZ_PATH'];
const LONGEST_SEQUENCE = 30;

/** What differs, the shortest sequence that shows it, ready for found-sequences.ts, and how to try it again. */
function report(seed: number, path: string | null, sequence: readonly (readonly string[])[], error: unknown): string {
  const lines = sequence.map((words) => `  ${JSON.stringify(words)},`).join('\n');
  const again = `ERRAND_FUZZ_SEED=${seed} ERRAND_FUZZ_PATH=${path} npm run test:fuzz`;
  return `${error instanceof Error ? error.message : String(error)}\n\n[\n${lines}\n]\n\n${again}`;
}

interface Pair {
  /** One runs its scripts in WebAssembly, one in JavaScript where it can. */
  readonly ours: readonly RawConnection[];
  readonly theirs: RawConnection;
}

async function withBoth(use: (pair: Pair) => Promise<void>): Promise<void> {
  const real = await startRedisServer({ args: ['--hz', '500'] });
  const memories = [createMemoryRedis({ compileScriptsFrom: Infinity }), createMemoryRedis({ compileScriptsFrom: 1 })];
  const open = async (memory: MemoryRedis): Promise<RawConnection> => RawConnection.open((await memory.listen(0)).port);
  const [theirs, ...ours] = await Promise.all([RawConnection.open(real.port), ...memories.map(open)]);
  try {
    await use({ ours, theirs });
  } finally {
    for (const connection of [theirs, ...ours]) connection.close();
    for (const memory of memories) await memory.close();
    await real.stop();
  }
}

async function differenceIn(sequence: readonly (readonly string[])[], { ours, theirs }: Pair): Promise<string | undefined> {
  const [expected, ...mine] = await Promise.all([theirs, ...ours].map((connection) => replies(connection, sequence)));
  for (const found of mine) {
    const difference = firstDifference(sequence, found, expected as RawReply[]);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

if (redisServerOnPath()) {
  test('generated requests get the same replies as from a real Redis', async (t) => {
    t.timeout(3_600_000);
    await withBoth(async (pair) => {
      const found = await check(
        asyncProperty(sequences(LONGEST_SEQUENCE), async (sequence) => {
          const difference = await differenceIn(sequence, pair);
          if (difference !== undefined) throw new Error(difference);
        }),
        { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }), ...(PATH === undefined ? {} : { path: PATH }) },
      );
      t.log(`${found.numRuns} sequences, seed ${found.seed}`);
      if (found.failed) t.fail(report(found.seed, found.counterexamplePath, found.counterexample?.[0] ?? [], found.errorInstance));
      else t.pass();
    });
  });

  test('sequences that were answered otherwise once are answered rightly', async (t) => {
    await withBoth(async (pair) => {
      for (const [name, sequence] of Object.entries(FOUND)) t.is(await differenceIn(sequence, pair), undefined, name);
    });
  });
} else {
  test.skip('generated requests get the same replies as from a real Redis', (t) => t.fail('there is no redis-server'));
}
