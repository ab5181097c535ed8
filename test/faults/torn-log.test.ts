/**
 * Redis is killed and the end of its append-only file is torn off, as when the machine loses power before the disk has it. Guarantee 1 is
 * not claimed then (docs/DESIGN.md, section 5); 2 to 4 hold on what survived.
 *
 * Redis 7.0.15 does not do its part alone: when the file breaks off inside a transaction, it drops that one from memory, but leaves its
 * `MULTI` and the whole commands behind it in the file (only where the file ends between two commands are they cut off). The next restart
 * runs those as a part of whatever transaction follows: half a commit comes back. A rewrite of the log after the first start removes them.
 */
import { tearOff } from '../support/append-only-log.js';
import { faultTest } from '../support/fault-world.js';
import { pause, until } from '../support/fleet.js';
import { Word } from '../support/words.js';

faultTest('the end of the log is torn off: what survived is in order, done once, and has one result each', 90_000, async (world) => {
  const { t, server } = world;
  await world.startWorkers(2);
  const client = await world.startClient();
  const accepted = new Map<string, string[]>();
  const phase = { telling: true };
  const tellAll = async (key: string): Promise<void> => {
    const list: string[] = [];
    accepted.set(key, list);
    for (let i = 0; phase.telling; i += 1) {
      const word = `${key}.${i}`;
      await client.tell(Word, { key, word, work: i % 5 }, { idempotencyKey: word });
      list.push(word);
      await pause(5 + world.below(10));
    }
  };
  const tellers = Promise.all(Array.from({ length: 12 }, (_, i) => tellAll(`k${i}`)));
  tellers.catch(() => undefined);
  let torn = 0;
  for (let i = 0; i < 3; i += 1) {
    const { settled } = world;
    await until('words are being settled', 30_000, () => world.settled > settled + 60);
    await server.crash();
    // Within a record, so that it ends as a torn write does.
    torn += tearOff(server.dir, 2_000 + world.below(20_000));
    await server.restart();
  }
  phase.telling = false;
  await tellers;
  await until('the inboxes are empty', 40_000, async () => (await world.backlog()) === 0);
  const { states, results, wrong } = await world.picture();
  t.true(torn > 0);
  t.deepEqual(wrong, [], 'nothing is left over');
  for (const [key, told] of accepted) {
    const { version, words } = states.get(key) ?? { version: 0, words: [] };
    t.is(version, words.length, `${key}: a version for each word`);
    t.is(new Set(words).size, words.length, `${key}: no word twice`);
    const order = words.map((word) => told.indexOf(word));
    t.true(
      order.every((at, i) => at >= 0 && (i === 0 || at > (order[i - 1] as number))),
      `${key}: nothing but what was told, in its order: ${words.join(', ')}`,
    );
    t.deepEqual(
      results.filter((result) => result.key === key).map(({ data }) => data),
      words.map((word, i) => JSON.stringify({ word, length: i + 1 })),
      `${key}: each word has its result, once, in the order of its commits, and of the state that its commit made`,
    );
  }
  const kept = [...states.values()].reduce((sum, { words }) => sum + words.length, 0);
  t.log(`${torn} bytes torn off in 3 crashes; ${kept} of ${[...accepted.values()].flat().length} accepted words survived`);
});
