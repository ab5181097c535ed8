import test from 'ava';
import { Redis } from 'ioredis';
import { ActorSystem } from '../../src/index.js';
import { openStore, type RedisTarget } from '../../src/log/store.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { systemClock } from '../../src/message/clock.js';
import { Append, listActor } from '../support/shop.js';

/** As a client of another copy of ioredis: of no class that is known here. */
const foreign = (options: object) => ({ options, duplicate: () => undefined });

const places: readonly [what: string, target: RedisTarget, place: string][] = [
  ['an address', 'redis://user:secret@there:7000/2', 'redis://there:7000'],
  ['options', { host: 'there' }, 'redis://there:6379'],
  ['an address in the place of a path', { path: 'redis://user:secret@there:7000' }, '…@there:7000'],
  ['a path', { path: '/run/redis.sock' }, '/run/redis.sock'],
  ['sentinels', { sentinels: [{ host: 'one' }, { host: 'two' }], name: 'main' }, 'main of 2 sentinels'],
  ['a client', new Redis({ host: 'there', port: 7000, lazyConnect: true }), 'redis://there:7000'],
  ["another copy's client", foreign({ host: 'there', port: 7000 }), 'redis://there:7000'],
];
for (const [what, target, place] of places) {
  test(`a store by ${what} says where it is`, async (t) => {
    t.is((await openStore(target, systemClock)).place, place);
  });
}

test("a system runs on the options of another copy's client", async (t) => {
  const redis = createMemoryRedis();
  const { options } = redis.client();
  const system = await ActorSystem.start({ name: 'foreign', redis: foreign(options), shards: 1, actors: [listActor() as never] });
  t.deepEqual(await system.ask(Append, { key: 'a', word: 'one' }), { length: 1 });
  await system.stop();
  await redis.close();
});
