import test from 'ava';
import { firstValueFrom, take, toArray } from 'rxjs';
import { CommandFailed } from '../../src/index.js';
import { Append, Appended, countActor, Declined, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

void test;

onBoth(
  'a command is handled by one actor, and its result comes back under its correlation id',
  { actors: [listActor()] },
  async (t, { system }) => {
    const results = firstValueFrom(system.results(Append));
    const receipt = await system.tell(Append, { key: 'a', word: 'one' }, { correlationId: 'c-1' });
    t.like(receipt, { correlationId: 'c-1', type: 'append', key: 'a', duplicate: false });
    const result = await results;
    t.like(result, { messageId: receipt.messageId, correlationId: 'c-1', type: 'append', key: 'a', status: 'completed' });
    t.deepEqual(result.status === 'completed' && result.value, { length: 1 });
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['one'] });
  },
);

onBoth(
  'ask resolves to the typed result, and rejects with the failure of a handler',
  {
    actors: [
      listActor((word) => {
        if (word === 'bad') throw new Declined();
      }),
    ],
  },
  async (t, { system }) => {
    const { length } = await system.ask(Append, { key: 'a', word: 'one' });
    t.is(length, 1);
    const failed = await t.throwsAsync(system.ask(Append, { key: 'a', word: 'bad' }), { instanceOf: CommandFailed });
    t.is(failed.code, 'DECLINED');
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['one'] }, 'a failed command changes nothing');
    t.deepEqual((await system.deadLetters.list()).items, [], 'a terminal error is no dead letter');
  },
);

onBoth('the commands of one key are handled in the order they were told', { actors: [listActor()] }, async (t, { system }) => {
  const words = Array.from({ length: 200 }, (_, i) => `w${i}`);
  await Promise.all(words.flatMap((word) => ['a', 'b', 'c'].map((key) => system.tell(Append, { key, word }))));
  await system.idle();
  for (const key of ['a', 'b', 'c']) t.deepEqual(await system.state(listActor(), key), { words });
});

onBoth(
  'the commands of one key are handled one at a time, those of many keys at once up to the limit',
  () => {
    let working = 0;
    let most = 0;
    const perKey = new Map<string, number>();
    const List = listActor(async (_word, ctx) => {
      working += 1;
      perKey.set(ctx.key, (perKey.get(ctx.key) ?? 0) + 1);
      if (perKey.get(ctx.key) !== 1) throw new Declined();
      most = Math.max(most, working);
      await new Promise((resolve) => setImmediate(resolve));
      perKey.set(ctx.key, 0);
      working -= 1;
      if (most > 3) throw new Declined();
    });
    return { actors: [List], supervisors: [{ name: 's', children: [{ actor: 'list', concurrency: 3 }] }] };
  },
  async (t, { system }) => {
    const failures: string[] = [];
    system.results(Append).subscribe((result) => result.status === 'failed' && failures.push(result.messageId));
    for (let i = 0; i < 10; i += 1) for (let key = 0; key < 8; key += 1) await system.tell(Append, { key: `k${key}`, word: `w${i}` });
    await system.idle();
    t.deepEqual(failures, []);
  },
);

onBoth(
  'a settled message has left the inbox, and what it did is one commit',
  { actors: [listActor()], shards: 1 },
  async (t, { system, redis }) => {
    await system.ask(Append, { key: 'a', word: 'one' });
    await system.ask(Append, { key: 'a', word: 'two' });
    t.is(await redis('XLEN', '{sut:0}:list:commands'), 0);
    t.is(await redis('XLEN', '{sut:0}:list:results'), 2);
    t.is(await redis('XLEN', '{sut:0}:event:appended'), 2);
    t.is(await redis('GET', '{sut:0}:list:state:a'), '2 {"words":["one","two"]}', 'the version counts the messages that made the state');
  },
);

onBoth(
  'what a handler staged is discarded when it fails, and done once when a retry succeeds',
  () => {
    const seen = new Map<string, number>();
    return {
      actors: [
        listActor((word, ctx) => {
          seen.set(word, ctx.attempt);
          if (word === 'flaky' && ctx.attempt < 3) throw new Error('not yet');
        }),
      ],
    };
  },
  async (t, { system }) => {
    const events = firstValueFrom(system.events(Appended).pipe(take(2), toArray()));
    await system.ask(Append, { key: 'a', word: 'steady' });
    await system.ask(Append, { key: 'a', word: 'flaky' });
    t.deepEqual(
      (await events).map(({ data }) => data.word),
      ['steady', 'flaky'],
    );
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['steady', 'flaky'] });
  },
);

onBoth(
  'a fact is taken in once by each subscriber, re-keyed where it says so',
  { actors: [listActor(), countActor()] },
  async (t, { system }) => {
    const words = Array.from({ length: 50 }, (_, i) => `w${i}`);
    await Promise.all(words.map((word, i) => system.publish(Appended, { key: `k${i}`, word })));
    await system.idle();
    const counted = await system.state(countActor(), 'all');
    t.deepEqual(counted?.words.toSorted(), words.toSorted());
  },
);

onBoth(
  'a new subscriber that begins at the start takes in what was there before it',
  { actors: [], shards: 4 },
  async (t, { system, start }) => {
    await Promise.all(['x', 'y', 'z'].map((word) => system.publish(Appended, { key: word, word })));
    const late = await start({ actors: [countActor('start')] });
    await late.idle();
    t.deepEqual((await late.state(countActor(), 'all'))?.words.toSorted(), ['x', 'y', 'z']);
  },
);

onBoth(
  'two subscribers of one event that stand at different places miss nothing and take nothing in twice',
  { actors: [countActor('start')], shards: 1 },
  async (t, { system, start }) => {
    const words = Array.from({ length: 300 }, (_, i) => `w${i}`);
    await Promise.all(words.slice(0, 200).map((word) => system.publish(Appended, { key: word, word })));
    await system.idle();
    await system.stop();
    class Late extends countActor('start') {
      static actorType = 'late';
      static subscriptions = { onAppended: { event: Appended, key: () => 'all', from: 'start' } };
    }
    const both = await start({ actors: [countActor('start'), Late], shards: 1 });
    await Promise.all(words.slice(200).map((word) => both.publish(Appended, { key: word, word })));
    await both.idle();
    for (const subscriber of [countActor(), Late]) t.deepEqual((await both.state(subscriber, 'all'))?.words.toSorted(), words.toSorted());
  },
);

onBoth('a new subscriber begins now, when it says nothing else', { actors: [], shards: 4 }, async (t, { system, start }) => {
  await system.publish(Appended, { key: 'x', word: 'before' });
  const late = await start({ actors: [countActor()] });
  await system.publish(Appended, { key: 'x', word: 'after' });
  await late.idle();
  t.deepEqual((await late.state(countActor(), 'all'))?.words, ['after']);
});
