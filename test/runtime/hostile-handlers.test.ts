/** Whatever handlers, hooks and `onFailure` throw or answer: each message gets its outcome, its key goes on, and the process hears nothing of it. */
import test, { type ExecutionContext } from 'ava';
import { Actor, type ActorSystem, type Directive, TerminalError } from '../../src/index.js';
import { Append } from '../support/shop.js';
import { type Options, onBoth } from '../support/stores.js';

void test;

const refuse = (): never => {
  throw new Error('do not touch');
};
const guarded = (name: string): Error => Object.defineProperty(new Error('guarded'), name, { get: refuse });

interface Own {
  readonly onFailure?: () => unknown;
  readonly onActivate?: () => unknown;
  readonly onStop?: () => unknown;
}

/** Its handler does what the test says, for the word `bad`. */
function listThat(handle: () => unknown, own: Own = {}): Options {
  class List extends Actor {
    static actorType = 'list';
    static handlers = { append: Append };
    append({ word }: { word: string }) {
      return word === 'bad' ? handle() : { length: 1 };
    }
    override onFailure() {
      return own.onFailure?.() as Directive | undefined;
    }
    override onActivate() {
      return own.onActivate?.() as undefined;
    }
    override onStop() {
      return own.onStop?.() as undefined;
    }
  }
  const recoverability = { immediate: 1, delayed: [], order: 'block' as const };
  return {
    actors: [List],
    supervisors: [{ name: 's', children: [{ actor: 'list', recoverability, attemptTimeout: '1s' }] }],
    shards: 1,
  };
}

/** How `bad` ended; the message behind it, of the same key, completes. */
async function ended(t: ExecutionContext, system: ActorSystem): Promise<{ code: string; message: string }> {
  const bad = t.throwsAsync(system.ask(Append, { key: 'a', word: 'bad' }));
  const good = system.ask(Append, { key: 'a', word: 'good' });
  const { code, message } = (await bad) as unknown as { code: string; message: string };
  t.deepEqual(await good, { length: 1 });
  return { code, message };
}

const faultsOf = (system: ActorSystem): string[] => {
  const seen: string[] = [];
  system.signals.subscribe((signal) => signal.kind === 'fault' && seen.push(`${signal.where}: ${signal.message}`));
  return seen;
};

const THROWN: readonly [string, () => unknown][] = [
  ['nothing', () => undefined],
  ['a function', () => refuse],
  ['a frozen error', () => Object.freeze(new Error('frozen'))],
  ['an error whose message throws', () => guarded('message')],
  ['an error whose code throws', () => guarded('code')],
  ['an error whose class throws', () => guarded('constructor')],
  ['an error whose stack throws', () => guarded('stack')],
  ['an error of five million characters', () => new Error('x'.repeat(5_000_000))],
  ['a proxy that refuses everything', () => new Proxy({}, { get: refuse, getPrototypeOf: refuse })],
];

for (const [what, make] of THROWN) {
  for (const [how, handle] of [
    [
      'throws',
      () => {
        throw make();
      },
    ],
    ['rejects with', () => Promise.reject(make())],
  ] as const) {
    onBoth(
      `a handler that ${how} ${what} is tried again, and ends as a dead letter that can be read`,
      () => listThat(handle),
      async (t, { system }) => {
        const { code, message } = await ended(t, system);
        t.is(code, 'DEAD_LETTERED');
        t.true(message.length <= 1_000);
        const { items } = await system.deadLetters.list();
        t.like(items, [{ reason: 'HANDLER_FAILED', attempts: 2 }]);
        t.deepEqual(
          items[0]?.history.map(({ attempt }) => attempt),
          [1, 2],
        );
      },
    );
  }
}

const broken = (): never => {
  throw new Error('broken');
};

for (const [what, onFailure, fault] of [
  [
    'throws nothing',
    () => {
      throw undefined;
    },
    /onFailure: thrown value: undefined/,
  ],
  ['answers nonsense', () => 'explode', /answered 'explode'/],
  ['answers a promise that rejects', () => Promise.reject(new Error('late')), /answered an instance of Promise/],
  ['answers what cannot be looked at', () => new Proxy({}, { get: refuse, getPrototypeOf: refuse }), /answered an object/],
] as const) {
  onBoth(
    `when onFailure ${what}, the config decides, and a signal says so`,
    () => listThat(broken, { onFailure }),
    async (t, { system }) => {
      const faults = faultsOf(system);
      t.is((await ended(t, system)).code, 'DEAD_LETTERED');
      t.regex(faults[0] ?? '', fault);
      t.like((await system.deadLetters.list()).items, [{ attempts: 2 }]);
    },
  );
}

onBoth(
  'an onStop that throws what cannot be read, and one that never ends, keep nobody waiting',
  () => {
    let calls = 0;
    const onStop = (): unknown => {
      calls += 1;
      if (calls === 1) throw guarded('message');
      return new Promise(() => undefined);
    };
    return listThat(
      () => {
        throw new TerminalError('never');
      },
      { onStop, onFailure: () => 'stop' },
    );
  },
  async (t, { system }) => {
    for (let i = 0; i < 2; i += 1) t.is((await ended(t, system)).code, 'TERMINAL');
  },
);
