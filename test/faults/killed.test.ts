/**
 * Redis is killed with -9 under load, again and again, each time followed by another start: what a kill leaves half written at the end of the
 * append-only file comes back with the start after the next (docs/adr/0013). `FAULTS_KILLS` says how often; `npm run test:chaos` does it 30 times.
 */
import { endsInside, newestFile } from '../support/append-only-log.js';
import { faultTest, SEED } from '../support/fault-world.js';
import { pause, until } from '../support/fleet.js';

const KILLS = Number(process.env['FAULTS_KILLS'] ?? 3);
const KEYS = 24;
/** Of each key, should the kills take that long. */
const MOST_WORDS = 100_000;
/** What one kill takes with all that follows it, ms. */
const A_KILL_MS = 8_000;

for (const fill of [300, 3_000, 60_000]) {
  // issue 14, A1
  faultTest(
    `Redis is killed under load of ${fill} characters a message, and starts again twice each time: nothing is lost or done twice`,
    60_000 + KILLS * A_KILL_MS,
    async (world) => {
      const { t, server } = world;
      await world.startWorkers(2);
      await world.startClient();
      const phase = { telling: true };
      const telling = world.tell({ keys: KEYS, words: MOST_WORDS, during: 0, fill, ahead: 4 * KEYS, goOn: () => phase.telling });
      telling.catch(() => undefined);
      let torn = 0;
      for (let i = 0; i < KILLS; i += 1) {
        const { settled } = world;
        await until('words are being settled', 30_000, () => world.settled > settled + 40);
        await pause(world.below(150)); // where in its work it dies is chance
        await server.crash();
        if (endsInside(newestFile(server.dir))) torn += 1;
        await server.restart();
        await pause(world.below(400)); // some of these find it rewriting its log
        await server.crash();
        await server.restart();
      }
      phase.telling = false;
      await telling;
      await world.check();
      t.log(`seed ${SEED}: ${KILLS} kills left half a transaction ${torn} times; ${world.told} words`);
    },
  );
}
