/**
 * Workers killed, paused past their lease and disconnected at random, all in one run. `npm run test:chaos` runs it for longer:
 * `FAULTS_SECONDS=25` with 4,000 words over 24 keys; `FAULTS_SEED` draws other faults.
 */
import { faultTest, LEASE_MS, SEED, TAKEN_OVER_MS } from '../support/fault-world.js';
import { pause, until, type Worker } from '../support/fleet.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const seconds = Number(process.env['FAULTS_SECONDS'] ?? 6);
const KEYS = 24;
/** As many as 4,000 in 25 s. */
const WORDS = Math.ceil((seconds * 160) / KEYS);

faultTest(
  `everything at once for ${seconds} s: work goes on, and each key holds its words in order`,
  seconds * 1_000 + 120_000,
  async (world) => {
    const { t, workers, server } = world;
    const proxy = await TcpProxy.start(server.port);
    t.teardown(() => proxy.stop());
    await Promise.all([1, 2, 3].map(() => world.startWorker(proxy.url)));
    await world.startClient({ redis: proxy.url });
    const begun = performance.now();
    const told = world.tell({ keys: KEYS, words: WORDS, during: seconds * 900 });
    told.catch(() => undefined);

    const takeOvers: number[] = [];
    const pending: Promise<unknown>[] = [];
    const counts = { killed: 0, paused: 0, disconnected: 0 };
    let frozen: Worker | undefined;
    /** Notes when a killed worker's partitions have new owners. */
    const watch = async (victim: Worker, killed: number): Promise<void> => {
      const orphaned = (await world.ownedBy(victim)).length > 0;
      await until('the partitions of a killed worker are owned again', 30_000, async () => (await world.ownedBy(victim)).length === 0);
      if (orphaned) takeOvers.push(Math.round(performance.now() - killed));
    };
    const kill = async (): Promise<void> => {
      if (workers.length < 2) return;
      const [victim] = workers.splice(world.below(workers.length), 1);
      if (victim === undefined) return;
      counts.killed += 1;
      await victim.kill();
      pending.push(watch(victim, performance.now()), world.startWorker(proxy.url));
    };
    const freeze = async (): Promise<void> => {
      if (frozen !== undefined) return;
      const worker = world.oneOf(workers);
      counts.paused += 1;
      worker.freeze();
      frozen = worker;
      const thaw = async (): Promise<void> => {
        await pause(LEASE_MS + world.below(1_000)); // past its lease: that is the fault
        worker.thaw();
        frozen = undefined;
      };
      pending.push(thaw());
    };
    const disconnect = async (): Promise<void> => {
      for (const connection of proxy.connections()) {
        if (world.below(3) > 0) continue;
        counts.disconnected += 1;
        const how = world.below(3);
        if (how === 0) connection.cut();
        else if (how === 1) connection.up.budget = 1 + world.below(3_000);
        else connection.blackHole();
      }
    };

    const progress: number[] = [];
    while (performance.now() - begun < seconds * 1_000) {
      progress.push(await world.results());
      await pause(300 + world.below(600));
      await world.oneOf([kill, kill, freeze, disconnect, disconnect])();
    }
    await Promise.all(pending);
    await told;
    await world.check();
    const stood = progress.filter((settled, i) => settled === progress[i - 1]).length;
    t.log(
      `seed ${SEED}: ${world.told} words over ${KEYS} keys in ${Math.round((performance.now() - begun) / 100) / 10} s; ${JSON.stringify(counts)}`,
    );
    t.log(`results at each fault: ${progress.join(', ')}; it stood still between ${stood} of them`);
    t.log(
      `all partitions of a killed worker had new owners after ${takeOvers.join(', ')} ms; the bound is ${TAKEN_OVER_MS} ms while the others are well`,
    );
    t.true(progress.length === 1 || (progress.at(-1) ?? 0) > (progress[0] ?? 0), 'work went on meanwhile');
  },
);
