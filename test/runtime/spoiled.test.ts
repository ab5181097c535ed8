/** A key that somebody has made another type by hand stops one thing: the actor key that it belongs to (issue 14, A2). */
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import type { ActorSystem, Signal } from '../../src/index.js';
import { Append, listActor } from '../support/shop.js';
import { onBoth, type Store } from '../support/stores.js';

void test;

const policy = (order: 'block' | 'park' = 'block') => [
  { name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['50ms' as const], order } }] },
];

/** Fails at each word that begins with `bad`. */
const list = (): ReturnType<typeof listActor> =>
  listActor((word) => {
    if (word.startsWith('bad')) throw new Error('down');
  });

const seen = (system: ActorSystem, kind: Signal['kind']): Promise<Signal> =>
  firstValueFrom(system.signals.pipe(filter((signal) => signal.kind === kind)));

async function asked({ system, pass }: Store, key: string, word: string): Promise<unknown> {
  const answer = system.ask(Append, { key, word }, { timeout: '40s' }).catch((error: { code: string }) => error.code);
  await pass('45s');
  return answer;
}

onBoth(
  'a state that is none makes letters of the messages of its key, until it is put right; nothing is written over it',
  { actors: [list()], shards: 1 },
  async (t, store) => {
    const { system, redis } = store;
    t.deepEqual(await asked(store, 'a', 'one'), { length: 1 });
    await redis('RPUSH', '{sut:0}:list:state:b', 'mine');
    t.is(await asked(store, 'b', 'lost'), 'DEAD_LETTERED');
    t.deepEqual(await asked(store, 'a', 'two'), { length: 2 });
    t.deepEqual(await redis('LRANGE', '{sut:0}:list:state:b', 0, -1), ['mine']);
    const { items } = await system.deadLetters.list();
    t.is(items.length, 1);
    t.like(items[0], { reason: 'REDIS_WRONG_TYPE', key: 'b', attempts: 0 });
    t.regex(items[0]?.error.message ?? '', /:list:state:b/);
    await t.throwsAsync(system.state(listActor(), 'b'), { code: 'REDIS_WRONG_TYPE' });
    await redis('DEL', '{sut:0}:list:state:b');
    t.deepEqual(await asked(store, 'b', 'first'), { length: 1 });
    await system.deadLetters.redrive({});
    await store.pass('2s');
    await system.idle();
    t.deepEqual(await system.state(listActor(), 'b'), { words: ['first', 'lost'] });
  },
);

onBoth(
  'a list of waiting messages that is none stops its key; the others of its partition go on, and so does it once the list is gone',
  { actors: [list()], supervisors: policy(), shards: 1 },
  async (t, store) => {
    const { system, redis, pass } = store;
    await redis('SET', '{sut:0}:list:aside:b', 'mine');
    const lost: Signal[] = [];
    system.signals.pipe(filter(({ kind }) => kind === 'partition-lost')).subscribe((signal) => lost.push(signal));
    const fault = seen(system, 'fault');
    t.is(await asked(store, 'b', 'bad'), 'DEAD_LETTERED');
    t.like(await fault, { code: 'REDIS_WRONG_TYPE' });
    t.is(lost.length, 1, 'the partition is read anew once, not again and again');
    t.is(await asked(store, 'b', 'behind it'), 'DEAD_LETTERED');
    t.deepEqual(await asked(store, 'a', 'one'), { length: 1 });
    t.is(await redis('GET', '{sut:0}:list:aside:b'), 'mine');
    t.deepEqual(
      (await system.deadLetters.list()).items.map(({ reason }) => reason),
      ['REDIS_WRONG_TYPE', 'REDIS_WRONG_TYPE'],
    );
    await redis('DEL', '{sut:0}:list:aside:b');
    t.deepEqual(await asked(store, 'b', 'good'), { length: 1 });
    const delayed = seen(system, 'retry-delayed');
    await system.tell(Append, { key: 'b', word: 'bad again' });
    await delayed;
    await pass('2s');
  },
);

onBoth(
  'a list that became none while its key waited stops that key, and no other, also for the next owner and for whoever cancels or redrives',
  { actors: [list()], supervisors: policy('park'), shards: 1 },
  async (t, store) => {
    const { system, redis, start, pass } = store;
    const parked = seen(system, 'parked');
    await system.tell(Append, { key: 'b', word: 'bad' });
    await pass('1s');
    await parked;
    await redis('DEL', '{sut:0}:list:aside:b');
    await redis('SET', '{sut:0}:list:aside:b', 'mine');
    const second = await start({ actors: [list()], supervisors: policy('park'), shards: 1 });
    await system.stop({ grace: 0 });
    const next = { ...store, system: second };
    await pass('15s');
    t.deepEqual(await asked(next, 'a', 'one'), { length: 1 });
    t.is(await asked(next, 'b', 'behind it'), 'DEAD_LETTERED');
    const { items } = await second.deadLetters.list();
    const letter = items.find(({ parked: waits }) => waits)?.id ?? '';
    await second.deadLetters.redrive(letter);
    await pass('2s');
    const { messageId } = await second.tell(Append, { key: 'a', word: 'unwanted' }, { delay: '1h' });
    const cancelled = second.cancel(messageId);
    await pass('2s');
    t.is(await cancelled, 'cancelled');
    t.deepEqual(await asked(next, 'a', 'two'), { length: 2 });
  },
);
