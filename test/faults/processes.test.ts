/** Workers that die, and workers that stand still and come back. */
import { faultTest, LEASE_MS, TAKEN_OVER_MS } from '../support/fault-world.js';
import { pause, until } from '../support/fleet.js';

faultTest('workers are killed at random: nothing is lost, done twice or out of order', 60_000, async (world) => {
  const { t, workers } = world;
  await world.startWorkers(3);
  await world.startClient();
  const telling = world.tell({ keys: 12, words: 50, during: 6_000 });
  telling.catch(() => undefined);
  const takeOvers: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    await pause(200 + world.below(600)); // where in its work the worker dies is chance
    const [victim] = workers.splice(world.below(workers.length), 1);
    if (victim === undefined) break;
    await victim.kill();
    const killed = performance.now();
    const orphaned = (await world.ownedBy(victim)).length > 0;
    await world.startWorker();
    await until('the partitions of the killed worker are owned again', 20_000, async () => (await world.ownedBy(victim)).length === 0);
    if (orphaned) takeOvers.push(Math.round(performance.now() - killed));
  }
  await telling;
  await world.check();
  t.log(`all partitions of a killed worker had new owners after ${takeOvers.join(', ')} ms; the bound is ${TAKEN_OVER_MS} ms`);
});

faultTest('a worker stands still for longer than its lease and comes back: it changes nothing', 60_000, async (world) => {
  const { t } = world;
  await world.startWorkers(2);
  await world.startClient();
  const telling = world.tell({ keys: 12, words: 60, during: 7_000 });
  telling.catch(() => undefined);
  for (let i = 0; i < 2; i += 1) {
    const zombie = await world.anOwner();
    const settled = world.settled;
    await until('words are being settled', 20_000, () => world.settled > settled);
    zombie.freeze();
    const held = await world.ownedBy(zombie);
    const stopped = performance.now();
    await until('others own what it held', 20_000, async () => (await world.ownedBy(zombie)).length === 0);
    t.true(performance.now() - stopped > LEASE_MS / 2, 'nobody took over while the lease was good');
    const heard = zombie.signals.length;
    zombie.thaw();
    // Not of each: what it was just acquiring, or handing over, it never says that it lost.
    await until('it has learned that it lost what it held', 20_000, () =>
      zombie.signals.slice(heard).some((signal) => signal.kind === 'partition-lost' && held.includes(signal.shard)),
    );
  }
  await telling;
  await world.check();
});
