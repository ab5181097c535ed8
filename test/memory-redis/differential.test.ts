import test from 'ava';
import { assert, asyncProperty } from 'fast-check';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { RawConnection } from '../support/raw-redis.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';
import { firstDifference, replies } from './agreement.js';
import { sequences } from './requests.js';

/** How many request sequences are tried; `npm run test:fuzz` sets more. */
const RUNS = Number(process.env['ERRAND_FUZZ_RUNS'] ?? 300);
/** `npm test` tries the same sequences each time: what new ones find is for `npm run test:fuzz`, not for whoever changes something else. */
const SEED = process.env['ERRAND_FUZZ_SEED'] ?? (process.env['ERRAND_FUZZ_RUNS'] === undefined ? '1' : undefined);
const LONGEST_SEQUENCE = 30;

if (redisServerOnPath()) {
  test('generated requests get the same replies as from a real Redis', async (t) => {
    t.timeout(3_600_000);
    const real = await startRedisServer({ args: ['--hz', '500'] });
    const memory = createMemoryRedis();
    const { port } = await memory.listen(0);
    const [ours, theirs] = await Promise.all([RawConnection.open(port), RawConnection.open(real.port)]);
    try {
      await assert(
        asyncProperty(sequences(LONGEST_SEQUENCE), async (sequence) => {
          const [mine, expected] = await Promise.all([replies(ours, sequence), replies(theirs, sequence)]);
          const difference = firstDifference(sequence, mine, expected);
          if (difference !== undefined) throw new Error(difference);
        }),
        { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
      );
      t.pass();
    } finally {
      ours.close();
      theirs.close();
      await memory.close();
      await real.stop();
    }
  });
} else {
  test.skip('generated requests get the same replies as from a real Redis', (t) => t.fail('there is no redis-server'));
}
