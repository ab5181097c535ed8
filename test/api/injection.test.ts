/** issue 14, B6: how actors are made: by a container, by `resolve`, at once or as a promise; and what the start finds out about it. */
import test from 'ava';
import { Container, inject } from 'inversify';
import { z } from 'zod';
import {
  Actor,
  type ActorClass,
  ActorSystem,
  actor,
  CommandFailed,
  command,
  type DataOf,
  handles,
  type StartOptions,
} from '../../src/index.js';
import { onBoth } from '../support/stores.js';

const order = z.object({ order: z.string() });
const key = (d: { order: string }): string => d.order;
const Ship = command('ship', { to: 'warehouse', key, data: order, result: z.object({ tracking: z.string() }) });
const Add = command('add', { to: 'tally', key, data: order, result: z.number() });

const once = (immediate: number) => [{ name: 's', children: [{ actor: 'warehouse', recoverability: { immediate, delayed: [] } }] }];

abstract class Carrier {
  abstract ship(id: string): string;
}
class Pigeon extends Carrier {
  override ship(id: string): string {
    return `pigeon-${id}`;
  }
}
const LABEL = Symbol('label');

@actor('warehouse')
class Warehouse extends Actor {
  constructor(@inject(Carrier) private readonly carrier: Carrier) {
    super();
  }
  @handles(Ship)
  ship(data: DataOf<typeof Ship>) {
    return { tracking: this.carrier.ship(data.order) };
  }
}

@actor('tally')
class Tally extends Actor<{ count: number }> {
  override initialState() {
    return { count: 0 };
  }
  @handles(Add)
  add() {
    this.state.count += 1;
    return this.state.count;
  }
}

class Bystander extends Actor {}

onBoth(
  'resolve may answer a promise: each activation waits for its actor',
  {
    actors: [Warehouse, Tally],
    resolve: async (target) => {
      await Promise.resolve();
      return new target(new Pigeon() as never);
    },
  },
  async (t, { system }) => {
    t.deepEqual(await system.ask(Ship, { order: '8' }), { tracking: 'pigeon-8' });
    t.deepEqual(await system.ask(Ship, { order: '9' }), { tracking: 'pigeon-9' }, 'another key, so another actor');
    t.is(await system.ask(Add, { order: '8' }), 1, 'the state begins with initialState()');
    t.is(await system.ask(Add, { order: '8' }), 2);
  },
);

onBoth(
  'a promised actor that cannot be made fails the attempt, and the next attempt makes another',
  () => {
    let made = 0;
    const resolve = async (target: ActorClass): Promise<Actor<unknown>> => {
      made += 1;
      if (made === 2) throw new Error('the module is not ready');
      return new target(new Pigeon() as never);
    };
    return { actors: [Warehouse], resolve, supervisors: once(1) };
  },
  async (t, { system }) => {
    const failures: string[] = [];
    system.signals.subscribe((signal) => signal.kind === 'attempt-failed' && failures.push(`${signal.code} ${signal.message}`));
    t.deepEqual(await system.ask(Ship, { order: '8' }), { tracking: 'pigeon-8' }, 'the actor that the start has made');
    t.deepEqual(await system.ask(Ship, { order: '9' }), { tracking: 'pigeon-9' });
    t.deepEqual(failures, ['INJECTION_FAILED Warehouse cannot be made: the module is not ready']);
  },
);

class Bare extends Actor {
  static actorType = 'warehouse';
  static inject = [LABEL];
  static handlers = { ship: Ship };
  constructor(readonly label: string) {
    super();
  }
  ship() {
    return { tracking: this.label };
  }
}

class Needy extends Actor {
  static actorType = 'warehouse';
  static handlers = { ship: Ship };
  constructor(readonly label: string) {
    super();
  }
  ship() {
    return { tracking: this.label };
  }
}

const empty = new Container();
const later = new Container();
later.bind(Carrier).toDynamicValue(() => Promise.resolve(new Pigeon()));
later.bind(LABEL).toDynamicValue(() => Promise.resolve('late'));
const refused: readonly [what: string, options: Pick<StartOptions, 'container' | 'resolve'> & { actors: [ActorClass] }, message: RegExp][] =
  [
    ['a dependency that is not bound', { actors: [Warehouse], container: empty }, /^Warehouse cannot be made: [^]*Carrier/],
    [
      'one of static inject that is not bound',
      { actors: [Bare], container: empty },
      /^Bare cannot be made: its dependency Symbol\(label\): /,
    ],
    ['a dependency without a container', { actors: [Bare] }, /^Bare cannot be made: it depends on Symbol\(label\), and there is neither/],
    [
      'a constructor with parameters without a container',
      { actors: [Needy] },
      /^Needy cannot be made: its constructor takes a parameter, and/,
    ],
    ['a dependency that is bound to a promise', { actors: [Warehouse], container: later }, /^Warehouse cannot be made: [^]*Carrier/],
    [
      'one of static inject that is bound to a promise',
      { actors: [Bare], container: later },
      /^Bare cannot be made: its dependency Symbol\(label\)/,
    ],
    [
      'a resolve that answers nothing',
      { actors: [Warehouse], resolve: () => undefined as never },
      /resolve answered undefined, expected an actor/,
    ],
    [
      'a resolve that throws',
      {
        actors: [Warehouse],
        resolve: () => {
          throw new Error('no such provider');
        },
      },
      /: no such provider$/,
    ],
    [
      'a promise of nothing',
      { actors: [Warehouse], resolve: async () => undefined as never },
      /resolve answered undefined, expected an actor/,
    ],
    [
      'a promise that rejects',
      { actors: [Warehouse], resolve: () => Promise.reject(new Error('no such provider')) },
      /: no such provider$/,
    ],
  ];
for (const [what, options, message] of refused) {
  test(`the start refuses ${what}`, async (t) => {
    const error = await t.throwsAsync(ActorSystem.start({ name: 'refused', redis: 'memory:', ...options }), { code: 'INJECTION_FAILED' });
    t.regex(error?.message ?? '', message);
  });
}

test('the start refuses an actor of another class, which has not the methods', async (t) => {
  const options = { name: 'refused', redis: 'memory:', actors: [Warehouse], resolve: () => new Bystander() } as const;
  await t.throwsAsync(ActorSystem.start(options), { code: 'NOT_A_METHOD', message: 'an instance of Bystander has no method ship' });
});

test('the start makes one actor of each class, and the first message gets it', async (t) => {
  let made = 0;
  const resolve = (target: ActorClass): Actor<unknown> => {
    made += 1;
    return new target(new Pigeon() as never);
  };
  await using system = await ActorSystem.start({ name: 'proven', redis: 'memory:', actors: [Warehouse], resolve });
  t.is(made, 1);
  await system.ask(Ship, { order: '8' });
  t.is(made, 1);
  await system.ask(Ship, { order: '9' });
  t.is(made, 2);
});

onBoth(
  'an actor that cannot be made any more is tried again, and then a dead letter',
  () => {
    let broken = false;
    const bound = new Container();
    bound.bind(Carrier).toDynamicValue(() => {
      if (broken) throw new Error('the pigeon has flown');
      broken = true;
      return new Pigeon();
    });
    return {
      actors: [Warehouse],
      container: bound,
      supervisors: once(2),
    };
  },
  async (t, { system }) => {
    t.deepEqual(await system.ask(Ship, { order: '7' }), { tracking: 'pigeon-7' }, 'the actor that the start has made');
    const failures: string[] = [];
    system.signals.subscribe((signal) => signal.kind === 'attempt-failed' && failures.push(signal.code));
    await t.throwsAsync(system.ask(Ship, { order: '8' }), { instanceOf: CommandFailed, code: 'DEAD_LETTERED' });
    t.deepEqual(failures, ['INJECTION_FAILED', 'INJECTION_FAILED', 'INJECTION_FAILED']);
    const [letter] = (await system.deadLetters.list()).items;
    t.like(letter, { reason: 'INJECTION_FAILED', attempts: 3, key: '8' });
    t.regex(letter?.error.message ?? '', /^Warehouse cannot be made: .*the pigeon has flown/s);
  },
);
