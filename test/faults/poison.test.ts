/** A message that kills the process that handles it. */
import { faultTest } from '../support/fault-world.js';
import { until } from '../support/fleet.js';

faultTest(
  'a message that kills its process becomes a dead letter, and every other message is handled, in order',
  120_000,
  async (world) => {
    const { t, workers } = world;
    await world.startWorkers(2);
    await world.startClient();
    await world.tell({ keys: 12, words: 3, during: 0 });
    const deadly = await world.tellDeadly('k3');
    const telling = world.tell({ keys: 12, words: 20, during: 3_000 }, world.client, 'l');
    telling.catch(() => undefined);
    let deaths = 0;
    await until('the deadly message is a dead letter', 100_000, async () => {
      for (const worker of workers.filter(({ over }) => over)) {
        workers.splice(workers.indexOf(worker), 1);
        deaths += 1;
        await world.startWorker();
      }
      return (await world.client.deadLetters.list()).items.some(({ messageId }) => messageId === deadly);
    });
    await telling;
    await world.check();
    // Three under suspicion, three alone; a worker that stood still for too long is suspected like one that died.
    t.true(deaths >= 3 && deaths <= 6, `${deaths} deaths`);
  },
);
