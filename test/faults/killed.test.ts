/**
 * Redis is killed with -9 under load, again and again, each time followed by another kill. What a kill leaves half written at the end of the
 * append-only file comes back with the start after the next (docs/adr/0015).
 *
 * A kill seldom hits the very write, and more seldom on some disks than on others. So the replies are held back for a moment before each kill:
 * nobody has heard of what Redis writes from then on, and the file is cut somewhere in that. `FAULTS_KILLS` says how often;
 * `npm run test:chaos` does it 30 times.
 */
import { statSync } from 'node:fs';
import { endsInside, newestFile, tearInside } from '../support/append-only-log.js';
import { type FaultWorld, faultTest, SEED } from '../support/fault-world.js';
import { pause, until } from '../support/fleet.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const KILLS = Number(process.env['FAULTS_KILLS'] ?? 2);
const KEYS = 24;
/** Of each key, should the kills take that long. */
const MOST_WORDS = 100_000;
/** What one kill takes with all that follows it, ms. */
const A_KILL_MS = 12_000;

/** Kills Redis in the middle of what nobody has heard of. @returns whether half a transaction is left */
async function killInside({ server, below }: FaultWorld, proxy: TcpProxy): Promise<boolean> {
  for (const connection of proxy.connections()) connection.hold('down');
  const file = newestFile(server.dir);
  const { size } = statSync(file);
  await pause(20 + below(60));
  await server.crash();
  for (const connection of proxy.connections()) connection.cut(); // what is held back arrives nowhere
  if (newestFile(server.dir) === file) tearInside(file, size, below);
  return endsInside(newestFile(server.dir));
}

/** From now on so many words more are settled. */
function workedOn(world: FaultWorld, words: number): () => boolean {
  const { settled } = world;
  return () => world.settled >= settled + words;
}

for (const fill of [300, 3_000, 60_000]) {
  // issue 14, A1
  faultTest(
    `Redis is killed in the middle of writing messages of ${fill} characters, twice in a row: nothing is lost or done twice`,
    60_000 + KILLS * A_KILL_MS,
    async (world) => {
      const { t, server } = world;
      const proxy = await TcpProxy.start(server.port);
      t.teardown(() => proxy.stop());
      await world.startWorkers(2, proxy.url);
      await world.startClient({ redis: proxy.url });
      const phase = { telling: true };
      const telling = world.tell({ keys: KEYS, words: MOST_WORDS, during: 0, fill, ahead: 4 * KEYS, goOn: () => phase.telling });
      telling.catch(() => undefined);
      let torn = 0;
      for (let i = 0; i < KILLS; i += 1) {
        await until('words are being settled', 30_000, workedOn(world, 40));
        if (await killInside(world, proxy)) torn += 1;
        await server.restart();
        // Some of these find it rewriting its log, the others at work again.
        if (i % 3 === 2) await pause(world.below(300));
        else await until('words are settled again', 30_000, workedOn(world, 20));
        await server.crash();
        await server.restart();
      }
      phase.telling = false;
      await telling;
      await world.check();
      t.log(`seed ${SEED}: ${KILLS} kills left half a transaction ${torn} times; ${world.told} words`);
      t.true(torn > 0);
    },
  );
}
