/** What happens when somebody wipes the data under a running system: nothing is claimed about what was there, and the nodes heal. */
import test from 'ava';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { startTestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { Append, Appended, countActor, listActor } from '../support/shop.js';

test('wiped data is signalled by every node, and what is sent afterwards is handled', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const raw = redis.client();
  const wiped: string[] = [];
  const errors: string[] = [];
  const start = async (name: string, seed: number) => {
    const nothing = () => undefined;
    const logger = { debug: nothing, info: nothing, warn: nothing, error: (_: object, text: string) => void errors.push(text) };
    const options = { name: 'sut', shards: 3, lease: '3s', actors: [listActor(), countActor()], redis, clock, seed, logger };
    const { system } = await startTestSystem(options as unknown as TestSystemOptions & { actors: [] });
    system.signals.subscribe(({ kind }) => kind === 'wiped' && wiped.push(name));
    return system;
  };
  const first = await start('first', 1);
  const second = await start('second', 2);
  await first.tell(Append, { key: 'a', word: 'before' });
  await first.publish(Appended, { key: 'z', word: 'fact before' });
  await first.tell(Append, { key: 'b', word: 'later' }, { delay: '1h' });
  await clock.advance('1s');

  await raw.call('FLUSHALL');
  const early = first.tell(Append, { key: 'a', word: 'early' }); // before anybody has noticed
  const fact = first.publish(Appended, { key: 'z', word: 'early fact' });
  await Promise.all([early, fact]);
  await clock.advance('10s');
  t.deepEqual(wiped.sort(), ['first', 'second'], 'each says so once');
  t.is(errors.filter((text) => /sut was wiped/.test(text)).length, 2);
  t.deepEqual(await second.ask(Append, { key: 'a', word: 'after' }), { length: 2 });
  const idle = second.idle();
  await clock.advance('1s');
  await idle;
  t.deepEqual(await second.state(listActor(), 'a'), { words: ['early', 'after'] });
  const facts = (await second.state(countActor(), 'all'))?.words ?? [];
  t.deepEqual(facts.toSorted(), ['after', 'early', 'early fact'], 'none of the facts since is missed, none of those before comes back');
  t.is(await raw.call('HGET', 'sut:system', 'shards'), '3');

  const third = await startTestSystem({ name: 'sut', actors: [], redis, clock, seed: 3 } as unknown as TestSystemOptions & { actors: [] });
  t.is(third.system.shards, 3, 'who comes later finds the system as it was');
  for (const system of [third.system, first, second]) await system.stop({ grace: 0 });
  raw.disconnect();
  await redis.close();
});
