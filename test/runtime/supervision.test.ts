/** What a failure does to the actor and to its message: directives, lifecycle hooks, escalation, the tree at run time. */
import test, { type ExecutionContext } from 'ava';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import { z } from 'zod';
import {
  Actor,
  type ActorClass,
  type ActorContext,
  type ActorSystem,
  actor,
  command,
  type DataOf,
  type Directive,
  ErrandError,
  handles,
  type Signal,
  type Supervisor,
  TerminalError,
} from '../../src/index.js';
import { Append, countActor, listActor } from '../support/shop.js';
import { type Options, onBoth, type Store } from '../support/stores.js';

void test;

// ---- the actors ----------------------------------------------------------------------------------------------------------------------

const Do = command('do', { to: 'worker', key: (d) => d.key, data: z.object({ key: z.string(), what: z.string() }) });

/** Throws an error of this code. */
class Coded extends ErrandError {}

interface Life {
  readonly seen: string[];
  readonly ids: number[];
}

/** Does what it is told; `broken` words throw, as often as they say. Tells its life in `life`. */
function worker(broken: Record<string, number>, choose?: (error: Error, ctx: ActorContext) => Directive | undefined) {
  let made = 0;
  const life: Life = { seen: [], ids: [] };
  @actor('worker')
  class Worker extends Actor<{ done: string[] }> {
    static readonly life = life;
    readonly #id = ++made;
    override initialState() {
      return { done: [] as string[] };
    }
    @handles(Do)
    do({ what }: DataOf<typeof Do>, ctx: ActorContext) {
      this.state.done.push(what);
      life.ids.push(this.#id);
      life.seen.push(`${what} ${ctx.attempt}`);
      const left = broken[what] ?? 0;
      if (left === 0) return;
      broken[what] = left - 1;
      throw what.startsWith('terminal')
        ? new TerminalError('never', { code: 'NEVER' })
        : new Coded(what.toUpperCase(), `${what} is broken`);
    }
    override onFailure(error: Error, ctx: ActorContext): Directive | undefined {
      return choose?.(error, ctx);
    }
    override onActivate() {
      life.seen.push('activate');
    }
    override onRestart(reason: Error) {
      life.seen.push(`restart: ${reason.message}`);
    }
    override onPassivate() {
      life.seen.push('passivate');
    }
    override async onStop() {
      await Promise.resolve();
      life.seen.push('stop');
    }
  }
  return Worker;
}

/** Of the worker that a test was given. */
const lifeOf = ({ actors }: Options): Life => (actors[0] as unknown as { life: Life }).life;

/** A broken word is tried twice at once; `escalate…` words escalate. */
const tree = (rest: Partial<Supervisor> = {}, child: object = {}): Supervisor[] => [
  {
    name: 's',
    backoff: { min: '20ms', max: '20ms', jitter: 0 },
    children: [
      {
        actor: 'worker',
        recoverability: { immediate: 1, delayed: [] },
        directives: { resume: ['RESUME'], stop: ['STOP', 'NEVER'], escalate: ['ESCALATE'] },
        ...child,
      },
    ],
    ...rest,
  },
];

const say = (system: ActorSystem, ...what: string[]): Promise<unknown> =>
  Promise.all(what.map((one) => system.tell(Do, { key: 'a', what: one })));

const kinds = (system: ActorSystem, ...wanted: Signal['kind'][]): Signal[] => {
  const seen: Signal[] = [];
  system.signals.subscribe((signal) => wanted.includes(signal.kind) && seen.push(signal));
  return seen;
};

async function settled({ system, pass }: Store): Promise<void> {
  const idle = system.idle();
  await pass('1s');
  await idle;
}

async function done(t: ExecutionContext, system: ActorSystem, actorClass: ActorClass, expected: string[]): Promise<void> {
  t.deepEqual(await system.state(actorClass as ReturnType<typeof worker>, 'a'), { done: expected });
}

// ---- directives ----------------------------------------------------------------------------------------------------------------------

onBoth(
  'retry: the message is tried again by a new actor, which learns why, from the last committed state',
  () => ({ actors: [worker({ retry: 1 })], supervisors: tree() }),
  async (t, store, options) => {
    const life = lifeOf(options);
    await say(store.system, 'one', 'retry', 'two');
    await settled(store);
    t.deepEqual(life.seen, ['activate', 'one 1', 'retry 1', 'restart: retry is broken', 'retry 2', 'two 1']);
    t.deepEqual(life.ids, [1, 1, 2, 2]);
    await done(t, store.system, worker({}), ['one', 'retry', 'two']);
  },
);

onBoth(
  'resume: the message is settled as failed, and the same actor goes on from its last committed state',
  () => ({ actors: [worker({ resume: 1 })], supervisors: tree() }),
  async (t, store, options) => {
    const life = lifeOf(options);
    const { system } = store;
    await say(system, 'one');
    const { messageId } = await system.tell(Do, { key: 'a', what: 'resume' }, { track: true });
    await say(system, 'two');
    await settled(store);
    t.like(await t.throwsAsync(system.attach(Do, messageId)), { code: 'RESUME', message: 'resume is broken' });
    t.deepEqual(life.seen, ['activate', 'one 1', 'resume 1', 'two 1']);
    t.deepEqual(life.ids, [1, 1, 1]);
    await done(t, system, worker({}), ['one', 'two']);
    t.deepEqual((await system.deadLetters.list()).items, []);
  },
);

onBoth(
  'stop: the message is settled as failed, and the actor leaves memory; its next message finds a new one',
  () => ({ actors: [worker({ stop: 1 })], supervisors: tree() }),
  async (t, store, options) => {
    const life = lifeOf(options);
    const { system } = store;
    const activations = (): number | undefined => system.supervisors.supervisors[0]?.children[0]?.activations;
    await say(system, 'one', 'stop');
    await settled(store);
    t.is(activations(), 0);
    await say(system, 'two');
    await settled(store);
    t.deepEqual(life.seen, ['activate', 'one 1', 'stop 1', 'stop', 'activate', 'two 1']);
    await done(t, system, worker({}), ['one', 'two']);
    t.deepEqual((await system.deadLetters.list()).items, []);
  },
);

onBoth(
  'an actor chooses for itself, before the config does; what it answers amiss counts for nothing and is told',
  () => ({
    actors: [
      worker({ retry: 1, resume: 1, odd: 1, worse: 1 }, (error) => {
        const { code } = error as Coded;
        if (code === 'RETRY') return 'resume';
        if (code === 'RESUME') return 'retry';
        if (code === 'ODD') return 'restart' as Directive;
        throw new Error('no idea');
      }),
    ],
    supervisors: tree(),
  }),
  async (t, store) => {
    const faults = kinds(store.system, 'fault');
    await say(store.system, 'retry', 'resume', 'odd', 'worse');
    await settled(store);
    await done(t, store.system, worker({}), ['resume', 'odd', 'worse']);
    t.like(faults, [
      { where: 'worker/a onFailure', code: 'INVALID_DIRECTIVE' },
      { where: 'worker/a onFailure', code: 'HANDLER_FAILED', message: 'no idea' },
    ]);
  },
);

onBoth(
  'a TerminalError is never tried again, whatever is chosen for the actor',
  () => ({ actors: [worker({ terminal: 9, 'terminal escalates': 9 }, () => 'escalate')], supervisors: tree() }),
  async (t, store) => {
    const failed = kinds(store.system, 'message-failed', 'escalated');
    await say(store.system, 'terminal', 'terminal escalates', 'one');
    await settled(store);
    t.like(failed, [
      { kind: 'message-failed', code: 'NEVER' },
      { kind: 'message-failed', code: 'NEVER' },
    ]);
    await done(t, store.system, worker({}), ['one']);
    t.deepEqual((await store.system.deadLetters.list()).items, []);
  },
);

onBoth(
  'an idle actor is told that it leaves memory, and one that is stopped with its node as well',
  () => ({ actors: [worker({})], supervisors: tree({}, { passivateAfter: '60s' }) }),
  async (t, { system, pass, clock }, options) => {
    const life = lifeOf(options);
    await say(system, 'one');
    await system.idle();
    await pass('3m');
    if (clock !== undefined) t.deepEqual(life.seen, ['activate', 'one 1', 'passivate']);
    await say(system, 'two');
    await system.idle();
    await system.stop();
    t.is(life.seen.at(-1), 'stop');
  },
);

test('an asynchronous onActivate is part of the attempt: it is waited for, and its failure fails the attempt', async (t) => {
  const { startTestSystem } = await import('../../src/testing.js');
  const told: string[] = [];
  let fails = 1;
  @actor('worker')
  class Worker extends Actor {
    override async onActivate() {
      await Promise.resolve();
      told.push('activate');
      fails -= 1;
      if (fails >= 0) throw new Error('no connection');
    }
    override async onRestart() {
      await Promise.resolve();
      told.push('restart');
    }
    @handles(Do)
    do({ what }: DataOf<typeof Do>) {
      told.push(what);
    }
  }
  const { system, stop } = await startTestSystem({ actors: [Worker] });
  await system.ask(Do, { key: 'a', what: 'one' });
  t.deepEqual(told, ['activate', 'restart', 'one']);
  await stop();
});

// ---- escalation ----------------------------------------------------------------------------------------------------------------------

onBoth(
  'escalate: the message stays with its attempt counted, its actor type is restarted, and goes on with it in order',
  () => ({ actors: [worker({ escalate: 2 })], supervisors: tree({}, { recoverability: { immediate: 5, delayed: [] } }) }),
  async (t, store, options) => {
    const life = lifeOf(options);
    const { system } = store;
    const seen = kinds(system, 'escalated', 'supervisor-restarts', 'actor-restarted');
    await say(system, 'one', 'escalate', 'two');
    await settled(store);
    t.deepEqual(
      life.seen.filter((text) => /\d$/.test(text)),
      ['one 1', 'escalate 1', 'escalate 2', 'escalate 3', 'two 1'],
    );
    t.is(life.seen.filter((text) => text === 'restart: escalate is broken').length, 2);
    await done(t, system, worker({}), ['one', 'escalate', 'two']);
    t.like(seen.slice(0, 3), [
      { kind: 'escalated', actor: 'worker', key: 'a', attempt: 1, code: 'ESCALATE' },
      { kind: 'supervisor-restarts', supervisor: 's', actors: ['worker'], restarts: ['worker'], escalations: 1, delay: 20 },
      { kind: 'actor-restarted', actor: 'worker' },
    ]);
    const shown = system.supervisors.supervisors[0];
    t.like(shown, { name: 's', state: 'running', escalations: 2 });
    t.like(shown?.children[0], { actor: 'worker', state: 'running', escalations: 2 });
    t.like(shown?.children[0]?.lastFailure, { code: 'ESCALATE', key: 'a' });
  },
);

onBoth(
  'a message that escalates more often than it may be tried is a dead letter, and its actor type is restarted all the same',
  () => ({ actors: [worker({ escalate: 99 })], supervisors: tree() }),
  async (t, store) => {
    const restarts = kinds(store.system, 'actor-restarted');
    await say(store.system, 'escalate', 'two');
    await settled(store);
    await done(t, store.system, worker({}), ['two']);
    t.like((await store.system.deadLetters.list()).items, [{ reason: 'ESCALATE', attempts: 3 }]);
    t.is(restarts.length, 3);
  },
);

onBoth(
  'past the top of the tree the node stops and says why; every unsettled message is in the log, its attempt counted, for whoever comes next',
  () => ({
    actors: [worker({ escalate: 3 })],
    supervisors: tree({ intensity: 1 }, { recoverability: { immediate: 5, delayed: [] } }),
  }),
  async (t, store) => {
    const { system, pass, start } = store;
    const stopped = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'stopped')));
    const failed = kinds(system, 'supervisor-failed');
    await say(system, 'escalate', 'two');
    await pass('1s');
    const signal = await stopped;
    t.like(signal, { kind: 'stopped', reason: { code: 'ESCALATED' } });
    t.regex(
      (signal as { reason?: { message: string } }).reason?.message ?? '',
      /supervisor s failed after 2 escalations.*worker\/a: ESCALATE/,
    );
    t.like(failed, [{ supervisor: 's', escalations: 2 }]);
    await t.throwsAsync(system.tell(Do, { key: 'a', what: 'late' }), { code: 'STOPPED' });
    const Next = worker({});
    const next = await start({ actors: [Next], supervisors: tree() });
    await next.idle();
    t.deepEqual(Next.life.seen, ['activate', 'escalate 3', 'two 1']);
    await done(t, next, worker({}), ['escalate', 'two']);
  },
);

onBoth(
  'a temporary actor type is not restarted: another node takes its partitions, and its messages',
  () => ({
    actors: [worker({ escalate: 1 }), listActor()],
    supervisors: tree({}, { restart: 'temporary' }),
  }),
  async (t, store) => {
    const { system, start, pass } = store;
    const stopped = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'actor-stopped')));
    const Next = worker({});
    await say(system, 'escalate', 'two');
    await stopped;
    t.like(system.supervisors.supervisors[0]?.children[0], { state: 'stopped', partitions: [] });
    const next = await start({ actors: [Next], supervisors: tree() });
    const idle = next.idle();
    await pass('2s');
    await idle;
    t.deepEqual(Next.life.seen, ['activate', 'escalate 2', 'two 1']);
    t.deepEqual(await system.ask(Append, { key: 'x', word: 'others go on' }), { length: 1 });
    t.deepEqual(system.supervisors.supervisors[0]?.children[0]?.partitions, []);
  },
);

/** Every fifth word escalates at its first attempt. */
const stumbling = () =>
  listActor((word, ctx) => {
    if (Number(word.slice(1)) % 5 === 0 && ctx.attempt === 1) throw new Coded('ESCALATE', `${word} stumbles`);
  });

const stumblers = (intensity: number): Supervisor[] => [
  {
    name: 's',
    strategy: 'one-for-all',
    intensity,
    period: '1h',
    backoff: { min: '2ms', max: '5ms' },
    children: [{ actor: 'list', directives: { escalate: ['ESCALATE'] } }, { actor: 'count' }],
  },
];

onBoth(
  'whatever escalates, and though one node stops by itself, nothing is lost, done twice or out of order',
  () => ({ actors: [stumbling(), countActor('start')], supervisors: stumblers(3), shards: 4 }),
  async (t, store) => {
    const { system, start, pass } = store;
    const stopped = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'stopped')));
    const client = await start({ actors: [], shards: 4 });
    const words = Array.from({ length: 60 }, (_, i) => `w${i}`);
    const keys = ['a', 'b', 'c', 'd', 'e'];
    const results = firstValueFrom(client.results(Append).pipe(take(words.length * keys.length), toArray()));
    for (const word of words.slice(0, 20)) await Promise.all(keys.map((key) => client.tell(Append, { key, word })));
    await pass('1s');
    t.like(await stopped, { reason: { code: 'ESCALATED' } });
    const next = await start({ actors: [stumbling(), countActor('start')], supervisors: stumblers(1_000), shards: 4 });
    for (const word of words.slice(20)) await Promise.all(keys.map((key) => client.tell(Append, { key, word })));
    const idle = next.idle({ timeout: '60s' });
    await pass('30s');
    await idle;
    await pass('1s');
    for (const key of keys) t.deepEqual(await next.state(stumbling(), key), { words });
    const ends = await results;
    t.is(new Set(ends.map(({ messageId }) => messageId)).size, words.length * keys.length, 'one result each');
    t.true(ends.every(({ status }) => status === 'completed'));
    const counted = await next.state(countActor(), 'all');
    t.is(counted?.words.length, words.length * keys.length, 'each fact once');
    t.deepEqual((await next.deadLetters.list()).items, []);
  },
);

// ---- the tree at run time ------------------------------------------------------------------------------------------------------------

onBoth(
  'a branch is stopped and spawned at run time: meanwhile its messages wait in the log',
  () => ({ actors: [worker({}), listActor()], supervisors: tree() }),
  async (t, store) => {
    const { system } = store;
    await say(system, 'one');
    await system.idle();
    await system.supervisors.stop('s');
    t.deepEqual(system.supervisors.supervisors, []);
    await say(system, 'two');
    t.deepEqual(await system.ask(Append, { key: 'x', word: 'others go on' }), { length: 1 });
    await done(t, system, worker({}), ['one']);
    await system.supervisors.spawn({ name: 'outer', children: [{ actor: 'list' }] });
    await system.supervisors.spawn({ name: 'inner', children: [{ actor: 'worker' }] }, { under: 'outer' });
    await settled(store);
    await done(t, system, worker({}), ['one', 'two']);
    t.deepEqual(await system.ask(Append, { key: 'x', word: 'moved' }), { length: 2 });
    t.like(system.supervisors, { children: [], supervisors: [{ name: 'outer', supervisors: [{ name: 'inner' }] }] });
  },
);

onBoth(
  'what cannot be spawned or stopped is refused by name',
  () => ({ actors: [worker({}), listActor()], supervisors: tree() }),
  async (t, { system }) => {
    const { supervisors } = system;
    await t.throwsAsync(supervisors.stop('t'), { code: 'UNKNOWN_SUPERVISOR', message: /known are s/ });
    await t.throwsAsync(supervisors.spawn({ name: 's' }), { code: 'DUPLICATE_SUPERVISOR' });
    await t.throwsAsync(supervisors.spawn({ name: 'x', children: [{ actor: 'worker' }] }), { code: 'DUPLICATE_ACTOR' });
    await t.throwsAsync(supervisors.spawn({ name: 'x', children: [{ actor: 'walker' }] }), {
      code: 'UNKNOWN_ACTOR',
      message: /worker, list/,
    });
    await t.throwsAsync(supervisors.spawn({ name: 'x' }, { under: 'y' }), { code: 'UNKNOWN_SUPERVISOR' });
    await t.throwsAsync(supervisors.spawn({ name: 'x', intensity: -1 }), { code: 'CONFIG_RANGE' });
    t.deepEqual(Object.keys(supervisors), ['name', 'strategy', 'state', 'escalations', 'lastFailure', 'children', 'supervisors']);
  },
);

// ---- strategies, each with the actor types that it restarts ---------------------------------------------------------------------------

const First = command('first', { to: 'first', key: (d) => d.key, data: z.object({ key: z.string(), fail: z.boolean() }) });
const Second = command('second', { to: 'second', key: (d) => d.key, data: z.object({ key: z.string(), fail: z.boolean() }) });
const Third = command('third', { to: 'third', key: (d) => d.key, data: z.object({ key: z.string(), fail: z.boolean() }) });

function three() {
  let broken = true;
  const handle = ({ fail }: { fail: boolean }): void => {
    if (!fail || !broken) return;
    broken = false;
    throw new Coded('ESCALATE', 'broken');
  };
  class One extends Actor {
    static actorType = 'first';
    static handlers = { handle: First };
    handle(data: { fail: boolean }) {
      handle(data);
    }
  }
  class Two extends Actor {
    static actorType = 'second';
    static handlers = { handle: Second };
    handle(data: { fail: boolean }) {
      handle(data);
    }
  }
  class Three extends Actor {
    static actorType = 'third';
    static handlers = { handle: Third };
    handle(data: { fail: boolean }) {
      handle(data);
    }
  }
  return [One, Two, Three];
}

for (const [strategy, expected] of [
  ['one-for-one', ['second']],
  ['one-for-all', ['first', 'second', 'third']],
  ['rest-for-one', ['second', 'third']],
] as const) {
  onBoth(
    `${strategy}: when the second of three escalates, ${expected.join(', ')} start again`,
    () => ({
      actors: three(),
      supervisors: [
        {
          name: 's',
          strategy,
          backoff: { min: '20ms', jitter: 0 },
          children: ['first', 'second', 'third'].map((name) => ({ actor: name, directives: { escalate: ['ESCALATE'] } })),
        },
      ],
    }),
    async (t, store) => {
      const { system } = store;
      const restarted = firstValueFrom(
        system.signals.pipe(
          filter(({ kind }) => kind === 'actor-restarted'),
          take(expected.length),
          toArray(),
        ),
      );
      await system.tell(Second, { key: 'a', fail: true });
      await settled(store);
      t.deepEqual(
        (await restarted).map((signal) => signal.kind === 'actor-restarted' && signal.actor),
        [...expected],
      );
      for (const message of [First, Second, Third]) await system.ask(message as typeof First, { key: 'a', fail: false });
    },
  );
}
