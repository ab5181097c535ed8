import test from 'ava';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import type { ActorSystem } from '../../src/index.js';
import { Append, Declined, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

void test;

const policy = (delayed: readonly `${number}ms`[], order: 'block' | 'park' | 'skip' = 'block', immediate = 0) => [
  { name: 's', children: [{ actor: 'list', recoverability: { immediate, delayed, order } }] },
];

onBoth(
  'a failing message is tried again after its delays, its key waits in order, and other keys go on',
  () => {
    let failures = 2;
    const List = listActor((word) => {
      if (word === 'flaky' && failures > 0) {
        failures -= 1;
        throw new Error('down');
      }
    });
    return { actors: [List], supervisors: policy(['20ms', '40ms']) };
  },
  async (t, { system, pass }) => {
    const delays = firstValueFrom(
      system.signals.pipe(
        filter(({ kind }) => kind === 'retry-delayed'),
        take(1),
      ),
    );
    for (const word of ['first', 'flaky', 'later', 'latest']) await system.tell(Append, { key: 'a', word });
    await delays;
    await system.ask(Append, { key: 'b', word: 'meanwhile' });
    await system.tell(Append, { key: 'a', word: 'last' });
    const idle = system.idle();
    await pass('1s');
    await idle;
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['first', 'flaky', 'later', 'latest', 'last'] });
    t.deepEqual((await system.deadLetters.list()).items, []);
  },
);

onBoth(
  'a failure is known by the code that it carries, if that can be shown, wherever it is told',
  () => {
    const codes: Record<string, unknown> = {
      sold: 'SOLD_OUT',
      state: '23505',
      odd: 'sold out',
      long: 'X'.repeat(65),
      number: 7,
      posing: 'CANCELLED',
    };
    const List = listActor((word) => {
      throw Object.assign(new Error(`${word} failed`), { code: codes[word] });
    });
    const child = { actor: 'list', recoverability: { immediate: 0, delayed: [] }, directives: { resume: ['SOLD_OUT', '23505'] } };
    return { actors: [List], supervisors: [{ name: 's', children: [child] }] };
  },
  async (t, { system }) => {
    const seen: unknown[] = [];
    system.signals.subscribe((signal) => signal.kind === 'attempt-failed' && seen.push(signal.code));
    for (const [word, code] of [
      ['sold', 'SOLD_OUT'],
      ['state', '23505'],
    ]) {
      await t.throwsAsync(system.ask(Append, { key: 'a', word: word as string }), { code: code as string, message: `${word} failed` });
    }
    for (const word of ['odd', 'long', 'number', 'posing'])
      await t.throwsAsync(system.ask(Append, { key: 'a', word }), { code: 'DEAD_LETTERED' });
    t.deepEqual(seen, ['SOLD_OUT', '23505', ...Array.from({ length: 4 }, () => 'HANDLER_FAILED')]);
    const { items } = await system.deadLetters.list();
    t.deepEqual(
      items.map(({ reason, error }) => [reason, error.code]),
      [
        ['HANDLER_FAILED', 'sold out'],
        ['HANDLER_FAILED', 'X'.repeat(65)],
        ['HANDLER_FAILED', undefined],
        ['HANDLER_FAILED', 'CANCELLED'],
      ],
    );
  },
);

onBoth(
  'a message that fails every time becomes a dead letter with its story, and its key goes on',
  () => ({
    actors: [
      listActor((word) => {
        if (word === 'poison') throw Object.assign(new RangeError('out of range'), { code: 'E_RANGE' });
      }),
    ],
    supervisors: policy(['10ms'], 'block', 1),
  }),
  async (t, { system, pass }) => {
    const { messageId } = await system.tell(Append, { key: 'a', word: 'poison' }, { correlationId: 'c-9', track: true });
    await system.tell(Append, { key: 'a', word: 'healthy' });
    const idle = system.idle();
    await pass('1s');
    await idle;
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['healthy'] });
    const { items } = await system.deadLetters.list({ actor: 'list' });
    t.is(items.length, 1);
    t.like(items[0], {
      actor: 'list',
      key: 'a',
      messageId,
      type: 'append',
      correlationId: 'c-9',
      reason: 'E_RANGE',
      attempts: 3,
      data: '{"key":"a","word":"poison"}',
    });
    t.like(items[0]?.error, { name: 'RangeError', code: 'E_RANGE', message: 'out of range' });
    t.regex(items[0]?.error.stack ?? '', /^RangeError\n {4}at /);
    t.notRegex(items[0]?.error.stack ?? '', /out of range|file:|\(\/|at \//, 'no message, no path of this machine');
    t.is(items[0]?.origin, system.name);
    t.like(items[0]?.history, [
      { attempt: 1, code: 'E_RANGE', message: 'out of range' },
      { attempt: 2 },
      { attempt: 3, node: items[0]?.node ?? '' },
    ]);
    for (const { at } of items[0]?.history ?? []) t.true(at.getTime() <= (items[0]?.at.getTime() ?? 0));
    t.deepEqual(await system.deadLetters.get(items[0]?.id ?? ''), items[0]);
    const failed = await t.throwsAsync(system.attach(Append, messageId));
    t.like(failed, { code: 'DEAD_LETTERED', messageId, correlationId: 'c-9' });
  },
);

onBoth(
  'under order: park the key waits behind its failed message until somebody decides',
  () => ({
    actors: [
      listActor((word) => {
        if (word === 'poison') throw new Error('no');
      }),
    ],
    supervisors: policy([], 'park'),
    shards: 1,
  }),
  async (t, { system, redis }) => {
    for (const word of ['one', 'poison', 'three']) await system.tell(Append, { key: 'a', word });
    await system.idle();
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['one'] });
    t.is(await redis('LLEN', '{sut:0}:list:aside:a'), 2, 'the parked message and the one behind it');
    t.like((await system.deadLetters.list()).items[0], { reason: 'PARKED_HANDLER_FAILED', key: 'a' });
  },
);

onBoth(
  'under order: skip the key goes on without its failed message at once',
  () => ({
    actors: [
      listActor((word) => {
        if (word === 'poison') throw new Error('no');
      }),
    ],
    supervisors: policy(['1000ms'], 'skip'),
  }),
  async (t, { system }) => {
    for (const word of ['one', 'poison', 'three']) await system.tell(Append, { key: 'a', word });
    await system.idle();
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['one', 'three'] });
    t.is((await system.deadLetters.list()).items.length, 1);
  },
);

onBoth(
  'attempts and waiting messages survive the node: the next one goes on where it stopped',
  () => ({ actors: [listActor(() => Promise.reject(new Error('down')))], supervisors: policy(['30ms', '30ms'], 'block') }),
  async (t, { system, start, pass }) => {
    const delayed = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'retry-delayed')));
    await system.tell(Append, { key: 'a', word: 'one' });
    await system.tell(Append, { key: 'a', word: 'two' });
    await delayed;
    await system.stop();
    const attempts: number[] = [];
    const next = await start({
      actors: [
        listActor((_word, ctx) => {
          attempts.push(ctx.attempt);
        }),
      ],
      supervisors: policy(['30ms', '30ms'], 'block'),
    });
    const idle = next.idle();
    await pass('1s');
    await idle;
    t.deepEqual(await next.state(listActor(), 'a'), { words: ['one', 'two'] });
    t.deepEqual(attempts, [2, 1]);
  },
);

onBoth(
  'a handler that never returns runs out of time, is told so by its signal, and its message is tried again',
  () => {
    const reasons: string[] = [];
    const List = listActor((word, ctx) => {
      if (word !== 'slow' || ctx.attempt > 1) return undefined;
      return new Promise(() => ctx.signal.addEventListener('abort', () => reasons.push((ctx.signal.reason as { code: string }).code)));
    });
    return {
      actors: [List],
      supervisors: [{ name: 's', children: [{ actor: 'list', attemptTimeout: '50ms' as const }] }],
      reasons,
    } as never;
  },
  async (t, { system, pass }) => {
    const failed = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'attempt-failed')));
    const asked = system.ask(Append, { key: 'a', word: 'slow' });
    await pass('60ms');
    t.like(await failed, { kind: 'attempt-failed', code: 'ATTEMPT_TIMEOUT', attempt: 1 });
    t.deepEqual(await asked, { length: 1 });
  },
);

onBoth('a delayed message is handled when it is due, and not before', { actors: [listActor()] }, async (t, { system, pass, clock }) => {
  const seen = firstValueFrom(system.results(Append).pipe(filter((result) => result.status === 'completed' && result.value.length === 2)));
  await system.tell(Append, { key: 'a', word: 'later' }, { delay: '80ms' });
  await system.tell(Append, { key: 'a', word: 'now' });
  await system.idle();
  if (clock !== undefined) t.deepEqual(await system.state(listActor(), 'a'), { words: ['now'] });
  await pass('100ms');
  await seen;
  const words = (await system.state(listActor(), 'a'))?.words;
  t.deepEqual(clock === undefined ? words?.toSorted() : words, clock === undefined ? ['later', 'now'] : ['now', 'later']);
});

onBoth(
  'a message that was not handled in time ends as EXPIRED',
  () => ({
    actors: [
      listActor(async (word, ctx) => {
        if (word === 'first' && ctx.attempt === 1) throw new Error('busy');
      }),
    ],
    supervisors: policy(['60ms']),
  }),
  async (t, { system, pass }) => {
    const expired = firstValueFrom(system.results(Append).pipe(filter(({ status }) => status === 'failed')));
    await system.tell(Append, { key: 'a', word: 'first' });
    await system.tell(Append, { key: 'a', word: 'second' }, { expiresIn: '20ms' });
    const idle = system.idle();
    await pass('1s');
    await idle;
    const result = await expired;
    t.is(result.status === 'failed' && result.error.code, 'EXPIRED');
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['first'] });
  },
);

onBoth(
  'an activation that was idle long enough leaves memory, and comes back with its state',
  () => ({ actors: [listActor()], supervisors: [{ name: 's', children: [{ actor: 'list', passivateAfter: '50ms' as const }] }] }),
  async (t, { system, pass, clock }) => {
    const activations = (): number | undefined => system.supervisors.supervisors[0]?.children[0]?.activations;
    await system.ask(Append, { key: 'a', word: 'one' });
    t.is(activations(), 1);
    await pass('200ms');
    if (clock !== undefined) t.is(activations(), 0);
    t.deepEqual(await system.ask(Append, { key: 'a', word: 'two' }), { length: 2 });
  },
);

onBoth(
  'a pipelined actor runs ahead of its commits, in order, and a failure in between costs nobody else anything',
  () => {
    let failures = 3;
    return {
      actors: [
        listActor(
          (word) => {
            if (word === 'w50' && failures > 0) {
              failures -= 1;
              throw new Error('stumble');
            }
            if (word === 'w70') throw new Declined();
          },
          { pipelined: true },
        ),
      ],
      supervisors: policy(['10ms'], 'block', 2),
    };
  },
  async (t, { system, pass }) => {
    const words = Array.from({ length: 100 }, (_, i) => `w${i}`);
    const results = firstValueFrom(system.results(Append).pipe(take(100), toArray()));
    await Promise.all(words.map((word) => system.tell(Append, { key: 'hot', word })));
    const idle = system.idle();
    await pass('1s');
    await idle;
    t.deepEqual(await system.state(listActor(), 'hot'), { words: words.filter((word) => word !== 'w70') });
    t.is(new Set((await results).map(({ messageId }) => messageId)).size, 100, 'one result each');
  },
);

onBoth(
  'a message that expires while its handler runs ends as EXPIRED, whatever the policy would do',
  () => ({
    actors: [
      listActor((word, ctx) =>
        word === 'slow' ? new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', reject)) : undefined,
      ),
    ],
    supervisors: policy([], 'park'),
  }),
  async (t, { system, pass }) => {
    const asked = system.ask(Append, { key: 'a', word: 'slow' }, { expiresIn: '50ms' });
    await system.tell(Append, { key: 'a', word: 'next' });
    const failed = t.throwsAsync(asked, { code: 'EXPIRED' });
    await pass('60ms');
    await failed;
    await system.idle();
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['next'] });
    t.deepEqual((await system.deadLetters.list()).items, []);
  },
);

/** The first attempt at the word 'bad' fails, and its key waits. */
const downOnce = () => ({
  actors: [listActor((word, ctx) => (word === 'bad' && ctx.attempt === 1 ? Promise.reject(new Error('down')) : undefined))],
  supervisors: policy(['3000ms']),
  shards: 1,
});

/** 'bad', and two words behind it, in the list of a key that waits. */
async function threeWait(system: ActorSystem): Promise<void> {
  const delayed = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'retry-delayed')));
  for (const word of ['bad', 'two', 'three']) await system.tell(Append, { key: 'a', word });
  await delayed;
}

onBoth(
  'what was changed by hand into fields that are no texts becomes a dead letter, wherever it waited',
  downOnce,
  async (t, { system, redis, pass }) => {
    await threeWait(system);
    for (const word of ['late', 'later']) await system.tell(Append, { key: 'b', word }, { delay: '2s' });
    await system.ask(Append, { key: 'c', word: 'other' });
    await redis('LSET', '{sut:0}:list:aside:a', 1, JSON.stringify(['1-1', 0, ['id', 'm', 'type', 7, 'subject', 'a', 'data', null]]));
    const waits = (await redis('HKEYS', '{sut:0}:list:scheduled')) as string[];
    const texts = (await redis('HVALS', '{sut:0}:list:scheduled')) as string[];
    const late = waits[texts.findIndex((text) => text.includes('late\\"'))] as string;
    await redis('HSET', '{sut:0}:list:scheduled', late, JSON.stringify(['id', 7, 'type', { a: 1 }, 'subject', null]));
    const idle = system.idle();
    await pass('4s');
    await idle;
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['bad', 'three'] });
    t.deepEqual(await system.state(listActor(), 'b'), { words: ['later'] });
    t.like((await system.deadLetters.list()).items, [{ reason: 'NO_ENVELOPE' }, { reason: 'NO_ENVELOPE' }]);
  },
);

onBoth(
  'what was changed by hand in a list of waiting messages becomes a dead letter in its turn, and the rest goes on in order',
  downOnce,
  async (t, { system, redis, pass }) => {
    await threeWait(system);
    await system.ask(Append, { key: 'b', word: 'other' });
    await redis('LSET', '{sut:0}:list:aside:a', 1, 'no JSON');
    const idle = system.idle();
    await pass('4s');
    await idle;
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['bad', 'three'] });
    t.like((await system.deadLetters.list()).items, [{ reason: 'NO_ENVELOPE' }]);
  },
);
