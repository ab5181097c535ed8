import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import { Append, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

void test;

onBoth('a commit under a superseded nonce changes nothing', { actors: [listActor()], shards: 1 }, async (t, { system, redis, pass }) => {
  await system.ask(Append, { key: 'a', word: 'one' });
  const lost = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'partition-lost')));
  const again = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'partition-acquired')));
  // Somebody else has become the owner, and lets go at once.
  await redis('HSET', '{sut:0}:list:partition', 'nonce', 'somebody', 'until', 0);
  const asked = system.ask(Append, { key: 'a', word: 'two' });
  t.like(await lost, { kind: 'partition-lost', actor: 'list', shard: 0, reason: 'fenced' });
  t.is(await redis('GET', '{sut:0}:list:state:a'), '1 {"words":["one"]}');
  await pass('1s');
  await again;
  t.deepEqual(await asked, { length: 2 });
  t.deepEqual(await system.state(listActor(), 'a'), { words: ['one', 'two'] });
  t.is(await redis('XLEN', '{sut:0}:list:results'), 2);
});

onBoth(
  'what is lost with its connection is read again from the start, and done once',
  { actors: [listActor()], shards: 2 },
  async (t, { system, redis, pass }) => {
    await system.ask(Append, { key: 'a', word: 'one' });
    const lost = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'disconnected')));
    const clients = String(await redis('CLIENT', 'LIST'));
    for (const line of clients.split('\n').filter((one) => one.includes('name=errand:') && one.includes(':control'))) {
      const id = /id=(\d+)/.exec(line)?.[1] ?? '';
      const mine = /name=errand:([^:]+):/.exec(line)?.[1];
      if (mine === 'sut' || mine === system.name) await redis('CLIENT', 'KILL', 'ID', id);
    }
    await lost;
    const asked = system.ask(Append, { key: 'a', word: 'two' });
    await pass('2s');
    t.deepEqual(await asked, { length: 2 });
    t.is(await redis('XLEN', '{sut:0}:list:commands'), 0);
    t.is(await redis('XLEN', '{sut:1}:list:commands'), 0);
  },
);

onBoth('the same idempotency key is accepted once; with other data it is a conflict', { actors: [listActor()] }, async (t, { system }) => {
  const first = await system.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'k' });
  const second = await system.tell(Append, { word: 'one', key: 'a' }, { idempotencyKey: 'k' });
  t.is(second.messageId, first.messageId);
  t.deepEqual([first.duplicate, second.duplicate], [false, true]);
  await t.throwsAsync(system.tell(Append, { key: 'a', word: 'two' }, { idempotencyKey: 'k' }), { code: 'IDEMPOTENCY_CONFLICT' });
  t.deepEqual(await system.attach(Append, first.messageId), { length: 1 });
  const late = await system.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'k' });
  t.true(late.duplicate, 'also after it was settled');
  await system.idle();
  t.deepEqual(await system.state(listActor(), 'a'), { words: ['one'] });
});

onBoth(
  'a commit that Redis refuses is tried again less and less often, and the rest of the system goes on',
  { actors: [listActor()], shards: 1 },
  async (t, { system, redis, pass, kind }) => {
    await redis('SET', '{sut:0}:list:results', 'not a stream');
    const refused = firstValueFrom(system.signals.pipe(filter(({ kind: what }) => what === 'partition-lost')));
    const asked = system.ask(Append, { key: 'a', word: 'one' });
    t.regex(((await refused) as { reason: string }).reason, /^commit refused: .*another type.*:list:results/);
    let lost = 0;
    system.signals.pipe(filter(({ kind: what }) => what === 'partition-lost')).subscribe(() => (lost += 1));
    await pass('20s');
    if (kind === 'memory') t.true(lost >= 4 && lost <= 9, `${lost} times in 20 s`);
    await redis('DEL', '{sut:0}:list:results');
    await pass('30s');
    // issue 14, A2: none of the tries has written anything
    t.deepEqual(await asked, { length: 1 });
    await system.idle();
    t.is(await redis('XLEN', '{sut:0}:list:results'), 1);
  },
);

onBoth(
  'a list of waiting messages that was deleted by hand is given up, and its key goes on',
  {
    actors: [
      listActor((word) => {
        if (word === 'bad') throw new Error('down');
      }),
    ],
    supervisors: [{ name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['50ms'] } }] }],
    shards: 1,
  },
  async (t, { system, redis, pass }) => {
    const delayed = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'retry-delayed')));
    await system.tell(Append, { key: 'a', word: 'bad' });
    await delayed;
    const asked = system.ask(Append, { key: 'b', word: 'other' });
    await asked; // and with it what was to be set aside
    await redis('DEL', '{sut:0}:list:aside:a');
    const idle = system.idle();
    await pass('5s');
    await idle;
    t.deepEqual(await system.ask(Append, { key: 'a', word: 'next' }), { length: 1 });
  },
);
