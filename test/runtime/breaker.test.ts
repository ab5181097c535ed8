/** A broken dependency: its actor type's messages wait, one probe at a time, and none of them becomes a dead letter for it. */
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { z } from 'zod';
import { Actor, actor, command, handles } from '../../src/index.js';
import { ErrandError } from '../../src/message/errors.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';
import { Breaker, isProgrammingError } from '../../src/runtime/breaker.js';
import { Append, Declined, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

function stage(failures = 3) {
  const clock = new VirtualClock();
  const changes: string[] = [];
  const breaker = new Breaker({ failures, probeEvery: 100 }, clock, (open) => changes.push(open ? 'open' : 'closed'));
  const went: string[] = [];
  const go = (name: string, fresh = false): void =>
    void breaker.turn(fresh).then((probe) => went.push(`${name} ${probe ? 'probes' : 'goes'}`));
  const fail = (...keys: string[]): void => keys.forEach((key) => breaker.failed(key));
  return { clock, breaker, changes, went, go, fail };
}

test('it opens when different keys fail in a row; one key alone opens nothing, and a success in between begins the row anew', (t) => {
  const { breaker, fail, changes } = stage();
  fail('a', 'a', 'a', 'a', 'b');
  breaker.succeeded();
  fail('a', 'b');
  t.false(breaker.open);
  fail('c');
  t.true(breaker.open);
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
  breaker.succeeded();
  breaker.leave();
  await clock.settle();
  t.deepEqual(went.at(-1), 'four goes');
  t.deepEqual(changes, ['open', 'closed']);
});

test('a message that has not failed yet probes before all that have (issue 14, B1)', async (t) => {
  const { clock, breaker, went, go, fail } = stage(1);
  fail('a');
  for (const name of ['failed one', 'failed two']) go(name);
  go('healthy', true);
  await clock.advance('100ms');
  t.deepEqual(went, ['healthy probes']);
  breaker.succeeded();
  await clock.settle();
  t.deepEqual(went, ['healthy probes', 'failed one goes', 'failed two goes']);
});

test('programming errors are told from a dependency that is away (issue 14, B1)', (t) => {
  t.true(isProgrammingError(new TypeError("Cannot read properties of undefined (reading 'trim')")));
  t.true(isProgrammingError(runInNewContext("new ReferenceError('x is not defined')") as Error), 'also one of another realm');
  t.true(isProgrammingError(new ErrandError('INVALID_RESULT', 'result of charge')));
  t.false(isProgrammingError(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })));
  t.false(isProgrammingError(new Error('no answer')));
  t.false(isProgrammingError(new ErrandError('ATTEMPT_TIMEOUT', 'late')));
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

const Refund = command('refund', { to: 'payment', key: (d) => d.k, data: z.object({ k: z.string() }) });
const Charge = command('charge', { to: 'payment', key: (d) => d.k, data: z.object({ k: z.string() }), result: z.string() });

/** @param fault of each refund */
const payment = (fault: () => Error) => {
  @actor('payment')
  class Payment extends Actor {
    @handles(Refund) refund(): void {
      throw fault();
    }
    @handles(Charge) charge() {
      return 'charged';
    }
  }
  return Payment;
};

onBoth(
  'a type of message whose dependency is away holds up no other type (issue 14, B1)',
  () => ({
    actors: [payment(() => new Error('the bank does not answer'))],
    supervisors: [{ name: 's', children: [{ actor: 'payment', breaker: { failures: 3, probeEvery: '1h' as const } }] }],
  }),
  async (t, { system }) => {
    const opened = new Promise<string>((resolve) => {
      system.signals.subscribe((signal) => {
        if (signal.kind === 'breaker-opened') resolve(`${signal.actor} ${signal.type}`);
      });
    });
    for (const k of KEYS) await system.tell(Refund, { k });
    t.is(await opened, 'payment refund');
    t.deepEqual(system.supervisors.supervisors[0]?.children[0]?.openFor, ['refund']);
    t.is(await system.ask(Charge, { k: 'healthy' }), 'charged');
  },
);

onBoth(
  'a programming error opens no breaker: its messages become dead letters (issue 14, B1)',
  () => ({
    actors: [payment(() => new TypeError('undefined is not a function'))],
    supervisors: [
      {
        name: 's',
        children: [
          { actor: 'payment', breaker: { failures: 3, probeEvery: '1h' as const }, recoverability: { immediate: 0, delayed: [] } },
        ],
      },
    ],
  }),
  async (t, { system }) => {
    for (const k of KEYS) await system.tell(Refund, { k });
    await system.idle();
    t.is((await system.deadLetters.list()).items.length, KEYS.length);
    t.is(system.supervisors.supervisors[0]?.children[0]?.breaker, 'closed');
  },
);
