/** A broken dependency: its actor type's messages wait, one probe at a time, and none of them becomes a dead letter for it. */
import test from 'ava';
import { VirtualClock } from '../../src/message/virtual-clock.js';
import { Breaker } from '../../src/runtime/breaker.js';
import { Append, Declined, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

function stage(failures = 3) {
  const clock = new VirtualClock();
  const changes: string[] = [];
  const breaker = new Breaker({ failures, probeEvery: 100 }, clock, (open) => changes.push(open ? 'open' : 'closed'));
  const went: string[] = [];
  const go = (name: string): void => void breaker.turn().then((probe) => went.push(`${name} ${probe ? 'probes' : 'goes'}`));
  const fail = (...keys: string[]): void => keys.forEach((key) => breaker.failed(key, 'ship'));
  return { clock, breaker, changes, went, go, fail };
}

test('it opens when different keys fail in a row; one key alone opens nothing, and a success in between begins the row anew', (t) => {
  const { breaker, fail, changes } = stage();
  fail('a', 'a', 'a', 'a', 'b');
  breaker.succeeded('ship');
  fail('a', 'b');
  t.false(breaker.open);
  fail('c');
  t.true(breaker.open);
  breaker.succeeded('note');
  t.true(breaker.open, 'what has not failed says nothing about what has');
  t.deepEqual(changes, ['open']);
});

test('open, it lets one probe through at a time, a pause after the last one failed, until one succeeds', async (t) => {
  const { clock, breaker, went, go, fail, changes } = stage(1);
  fail('a');
  for (const name of ['one', 'two', 'three', 'four']) go(name);
  await clock.advance('99ms');
  t.deepEqual(went, []);
  await clock.advance('1ms');
  t.deepEqual(went, ['one probes']);
  await clock.advance('1s');
  t.deepEqual(went, ['one probes'], 'one at a time');
  fail('one');
  breaker.leave();
  await clock.advance('100ms');
  t.deepEqual(went, ['one probes', 'two probes']);
  breaker.leave();
  await clock.settle();
  t.deepEqual(went, ['one probes', 'two probes', 'three probes'], 'a probe that tells nothing costs no pause');
  breaker.succeeded('ship');
  breaker.leave();
  await clock.settle();
  t.deepEqual(went.at(-1), 'four goes');
  t.deepEqual(changes, ['open', 'closed']);
});

test('it can be turned off', (t) => {
  const { breaker, fail } = stage(0);
  fail('a', 'b', 'c', 'd');
  t.false(breaker.open);
});

const KEYS = Array.from({ length: 8 }, (_, i) => `k${i}`);

interface Outage {
  away: boolean;
  attempts: number[];
}

const policy = (breaker: { failures: number; probeEvery: `${number}ms` }) => [
  { name: 's', children: [{ actor: 'list', breaker, recoverability: { immediate: 1, delayed: ['20ms' as const, '20ms' as const] } }] },
];

onBoth(
  'an outage longer than all attempts makes no dead letters: messages wait without being tried, and go on when a probe succeeds',
  () => {
    const List = listActor((_word, ctx) => {
      List.attempts.push(ctx.attempt);
      if (List.away) throw new Error('no answer');
    }) as ReturnType<typeof listActor> & Outage;
    List.away = true;
    List.attempts = [];
    return { actors: [List], supervisors: policy({ failures: 5, probeEvery: '20ms' }) };
  },
  async (t, { system, pass }, options) => {
    const List = options.actors[0] as unknown as Outage;
    const seen: string[] = [];
    let probes = 0;
    const many = new Promise<void>((resolve) => {
      system.signals.subscribe(({ kind }) => {
        if (kind.startsWith('breaker')) seen.push(kind);
        if (kind === 'retry-delayed' && seen.length > 0 && (probes += 1) > 50) resolve();
      });
    });
    for (const key of KEYS) await system.tell(Append, { key, word: 'one' });
    await pass('5s');
    await many;
    t.is(system.supervisors.supervisors[0]?.children[0]?.breaker, 'open');
    t.true(List.attempts.length > 6 * KEYS.length, 'more often than they may be tried');
    t.true(Math.max(...List.attempts) <= 4, 'what fails meanwhile is not counted');
    List.away = false;
    const idle = system.idle();
    await pass('5s');
    await idle;
    for (const key of KEYS) t.deepEqual(await system.state(listActor(), key), { words: ['one'] });
    t.deepEqual((await system.deadLetters.list()).items, []);
    t.deepEqual(seen, ['breaker-opened', 'breaker-closed']);
    t.is(system.supervisors.supervisors[0]?.children[0]?.breaker, 'closed');
  },
);

onBoth(
  'what is refused for good is an answer: it opens no breaker',
  () => ({
    actors: [
      listActor(() => {
        throw new Declined();
      }),
    ],
    supervisors: policy({ failures: 2, probeEvery: '50ms' }),
  }),
  async (t, { system }) => {
    let opened = false;
    system.signals.subscribe(({ kind }) => {
      opened ||= kind === 'breaker-opened';
    });
    for (const key of KEYS) await system.tell(Append, { key, word: 'one' });
    await system.idle();
    t.false(opened);
  },
);
