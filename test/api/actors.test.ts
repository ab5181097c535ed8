/** Actor classes as users write them: messages on methods, dependencies, state, context, replies. */
import test, { type ExecutionContext } from 'ava';
import { Container, inject } from 'inversify';
import { firstValueFrom, take, toArray } from 'rxjs';
import { z } from 'zod';
import {
  Actor,
  type ActorClass,
  type ActorContext,
  ActorSystem,
  actor,
  command,
  type DataOf,
  DefinitionError,
  ErrandError,
  event,
  type From,
  handles,
  onReply,
  type ResultMessage,
  subscribes,
  TerminalError,
} from '../../src/index.js';
import { given } from '../../src/testing.js';
import { Append, Appended, countActor, listActor, type Words } from '../support/shop.js';
import { onBoth, type Store } from '../support/stores.js';

// ---- messages ------------------------------------------------------------------------------------------------------------------------

const order = z.object({ order: z.string() });
const key = (d: { order: string }): string => d.order;
const Ship = command('ship', { to: 'warehouse', key, data: order, result: z.object({ tracking: z.string() }) });
const Inspect = command('inspect', { to: 'warehouse', key, data: order });
const Reserve = command('reserve', { to: 'stock', key, data: order, result: z.object({ shelf: z.number() }) });
const Shipped = event('shipped', { key, data: order });

/** No second attempt, so that a failure is a dead letter at once. */
const once = (name: string) => [{ name: 'once', children: [{ actor: name, recoverability: { immediate: 0, delayed: [] } }] }];

async function refused(t: ExecutionContext, code: string, message: RegExp, ...actors: unknown[]): Promise<void> {
  const starting = ActorSystem.start({ name: 'refused', redis: 'memory:', actors: actors as ActorClass[] });
  const error = await t.throwsAsync(starting, { instanceOf: ErrandError, code });
  t.regex(error.message, message);
}

function isDefinitionError(t: ExecutionContext, code: string, message: RegExp, define: () => unknown): void {
  t.throws(define, { instanceOf: DefinitionError, code, message });
}

// ---- messages on methods -------------------------------------------------------------------------------------------------------------

/** As JavaScript would have it: static fields, nothing decorated. */
class PlainWarehouse extends Actor<{ shipped: string[] }> {
  static actorType = 'warehouse';
  static pipelined = true;
  static handlers = { ship: Ship };
  static subscriptions = { onShipped: { event: Shipped, key: () => 'all', from: 'start' as From } };

  override initialState(): { shipped: string[] } {
    return { shipped: [] };
  }
  ship(data: DataOf<typeof Ship>, ctx: ActorContext): { tracking: string } {
    ctx.publish(Shipped, data);
    return { tracking: `T-${data.order}` };
  }
  onShipped(data: DataOf<typeof Shipped>): void {
    this.state.shipped.push(data.order);
  }
}

onBoth('static fields say the same as decorators', { actors: [PlainWarehouse] }, async (t, { system }) => {
  t.deepEqual(await system.ask(Ship, { order: '12004' }), { tracking: 'T-12004' });
  t.deepEqual(await system.ask(Ship, { order: '12005' }), { tracking: 'T-12005' });
  await system.idle();
  t.deepEqual((await system.state(PlainWarehouse, 'all'))?.shipped.toSorted(), ['12004', '12005']);
});

class Bystander extends Actor {
  static actorType = 'bystander';
  static seen: string[] = [];
  static subscriptions = { onShipped: Shipped };
  onShipped(data: DataOf<typeof Shipped>): void {
    Bystander.seen.push(data.order);
  }
}

test('a subscription may be the event alone, and an actor may keep no state', async (t) => {
  const { state, told, published } = await given(Bystander, { key: '1' }).when(Shipped, { order: '1' });
  t.deepEqual([state, told, published], [undefined, [], []]);
  t.deepEqual(Bystander.seen, ['1']);
});

test('a message may be given as a function, for modules that import each other', async (t) => {
  @actor('warehouse')
  class Warehouse extends Actor {
    @handles(() => LaterShip)
    ship() {
      return { tracking: 'x' };
    }
    @subscribes(() => LaterShipped)
    onShipped() {}
  }
  const LaterShip = command('ship', { to: 'warehouse', key, data: order, result: z.object({ tracking: z.string() }) });
  const LaterShipped = event('shipped', { key, data: order });
  const { result } = await given(Warehouse, { key: '1' }).when(LaterShip, { order: '1' });
  t.deepEqual(result.status === 'completed' && result.value, { tracking: 'x' });
});

test('a subclass inherits handlers, and a method that overrides one keeps what it is for', async (t) => {
  class Base extends Actor {
    @handles(Ship)
    ship() {
      return { tracking: 'base' };
    }
    @handles(Inspect)
    inspect(): void {}
  }
  @actor('warehouse')
  class Warehouse extends Base {
    override ship() {
      return { tracking: 'sub' };
    }
  }
  const { result } = await given(Warehouse, { key: '1' }).when(Ship, { order: '1' });
  t.deepEqual(result.status === 'completed' && result.value, { tracking: 'sub' });
  const inspected = await given(Warehouse, { key: '1' }).when(Inspect, { order: '1' });
  t.is(inspected.result.status, 'completed');
});

test('one method may be for several messages', async (t) => {
  @actor('warehouse')
  class Warehouse extends Actor<{ seen: string[] }> {
    override initialState() {
      return { seen: [] as string[] };
    }
    @handles(Inspect)
    @subscribes(Shipped)
    note(data: { order: string }) {
      this.state.seen.push(data.order);
    }
  }
  t.deepEqual((await given(Warehouse, { key: '1' }).when(Inspect, { order: '1' })).state, { seen: ['1'] });
  t.deepEqual((await given(Warehouse, { key: '1' }).when(Shipped, { order: '2' })).state, { seen: ['2'] });
});

test('a message that is undefined is an error that names class and method', async (t) => {
  const Undefined = undefined as unknown as typeof Ship;
  isDefinitionError(t, 'UNDEFINED_MESSAGE', /^@handles on Warehouse\.ship: found undefined; .*\(\) => TheMessage/, () => {
    @actor('warehouse')
    class Warehouse extends Actor {
      @handles(Undefined)
      ship() {
        return { tracking: '' };
      }
    }
    return Warehouse;
  });
  const place = { ship: /^handles on Named\.ship: found undefined, expected a command\(\)/ };
  class Named extends Actor {
    static actorType = 'warehouse';
    static handlers: Record<string, unknown> = { ship: undefined };
    ship(): void {}
  }
  await refused(t, 'UNDEFINED_MESSAGE', place.ship, Named);
  Named.handlers = { ship: () => undefined };
  await refused(t, 'UNDEFINED_MESSAGE', place.ship, Named);
  Named.handlers = { ship: Shipped };
  await refused(t, 'UNDEFINED_MESSAGE', /found an object, expected a command\(\)$/, Named);
  Named.handlers = { ship: class Confused extends Actor {} };
  await refused(t, 'UNDEFINED_MESSAGE', /^handles on Named\.ship: /, Named);
  Named.handlers = {
    ship: () => {
      throw new ReferenceError("Cannot access 'Ship' before initialization");
    },
  };
  await refused(t, 'UNDEFINED_MESSAGE', /^handles on Named\.ship: .*Cannot access 'Ship'/, Named);
});

test('a subscription that is none is an error that names class and method', async (t) => {
  class Curious extends Actor {
    static actorType = 'curious';
    static subscriptions: Record<string, unknown> = {};
    onShipped(): void {}
  }
  for (const bad of [undefined, null, 'shipped', 5, {}, { event: undefined }, Ship]) {
    Curious.subscriptions = { onShipped: bad };
    await refused(t, 'UNDEFINED_MESSAGE', /^subscribes on Curious\.onShipped: found .*expected an event\(\)/, Curious);
  }
  Curious.subscriptions = { onShipped: { event: Shipped, key: 'all' } };
  await refused(t, 'INVALID_OPTION', /^subscribes on Curious\.onShipped: key: found 'all', expected a function/, Curious);
  Curious.subscriptions = { onShipped: { event: Shipped, from: 'yesterday' } };
  await refused(t, 'INVALID_POSITION', /^from of curious's subscription to shipped: found 'yesterday'/, Curious);
});

test('two methods for one message are refused', async (t) => {
  class Twice extends Actor {
    static actorType = 'warehouse';
    static handlers = { ship: Ship, send: Ship };
    ship = undefined;
    send(): void {}
  }
  Object.assign(Twice.prototype, { ship: () => undefined });
  await refused(t, 'TWO_HANDLERS', /^handles on Twice\.send: Twice\.ship is there for 'ship' already/, Twice);
});

test('a command for another actor is refused', async (t) => {
  class Stray extends Actor {
    static actorType = 'email';
    static handlers = { ship: Ship };
    ship(): void {}
  }
  await refused(t, 'WRONG_ACTOR', /^handles on Stray\.ship: 'ship' is for the actor 'warehouse', this is 'email'/, Stray);
});

test('a message on what is no method is refused', async (t) => {
  class Absent extends Actor {
    static actorType = 'warehouse';
    static handlers = { ship: Ship };
  }
  await refused(t, 'NOT_A_METHOD', /^handles on Absent\.ship: the class has no method of that name/, Absent);
  const decorate = handles(Ship) as (target: unknown, name: unknown, descriptor?: PropertyDescriptor) => void;
  class Warehouse extends Actor {
    get ship() {
      return 1;
    }
    static inspect(): void {}
  }
  const { prototype } = Warehouse;
  const faults: readonly [RegExp, () => void][] = [
    [
      /^@handles on Warehouse\.ship: it belongs on a public method/,
      () => decorate(prototype, 'ship', Object.getOwnPropertyDescriptor(prototype, 'ship')),
    ],
    [/^@handles on Warehouse\.inspect: /, () => decorate(Warehouse, 'inspect', Object.getOwnPropertyDescriptor(Warehouse, 'inspect'))],
    [/^@handles on Warehouse\.field: /, () => decorate(prototype, 'field')],
    [/^@handles on Warehouse\.Symbol\(x\): /, () => decorate(prototype, Symbol('x'), { value: () => undefined })],
  ];
  for (const [message, run] of faults) isDefinitionError(t, 'NOT_A_METHOD', message, run);
});

test('two actors of one type are refused, and what is no actor is', async (t) => {
  class First extends Actor {
    static actorType = 'same';
  }
  class Second extends Actor {
    static actorType = 'same';
  }
  class Nameless extends Actor {}
  await refused(t, 'DUPLICATE_ACTOR', /^First and Second are both the actor 'same'/, First, Second);
  await refused(t, 'DUPLICATE_ACTOR', /^First and First/, First, First);
  await refused(t, 'NOT_AN_ACTOR', /^Nameless has neither @actor\('…'\) nor a static actorType/, Nameless);
  await refused(t, 'NOT_AN_ACTOR', /^found undefined, expected a class that extends Actor/, undefined);
  await refused(t, 'NOT_AN_ACTOR', /^found the function Date/, Date);
  await refused(t, 'NOT_AN_ACTOR', /^found an instance of First/, new First());
  await t.throwsAsync(ActorSystem.start({ name: 'x', redis: 'memory:' } as never), {
    code: 'INVALID_OPTION',
    message: /^actors: found undefined/,
  });
});

test('reserved and impossible actor types are refused, naming the class', async (t) => {
  class Reserved extends Actor {
    static actorType = 'producer';
  }
  class Braces extends Actor {
    static actorType = '{a}';
  }
  await refused(t, 'RESERVED_NAME', /^Reserved\.actorType: 'producer' is reserved/, Reserved);
  await refused(t, 'INVALID_NAME', /^Braces\.actorType: found '\{a\}'/, Braces);
  isDefinitionError(t, 'RESERVED_NAME', /^@actor on Decorated: 'event' is reserved/, () => {
    @actor('event')
    class Decorated extends Actor {}
    return Decorated;
  });
});

test('a subclass is an actor type of its own only when it says so', async (t) => {
  @actor('warehouse')
  class Warehouse extends Actor {}
  class Annex extends Warehouse {}
  await refused(t, 'NOT_AN_ACTOR', /^Annex has neither/, Annex);
});

// ---- injection -----------------------------------------------------------------------------------------------------------------------

abstract class Carrier {
  abstract ship(orderId: string): string;
}
class Pigeon extends Carrier {
  override ship(orderId: string): string {
    return `pigeon-${orderId}`;
  }
}
const LABEL = Symbol('label');

function container(): Container {
  const made = new Container();
  made.bind(Carrier).to(Pigeon);
  made.bind<string>(LABEL).toConstantValue('fragile');
  return made;
}

@actor('warehouse')
class Warehouse extends Actor {
  constructor(@inject(Carrier) protected readonly carrier: Carrier) {
    super();
  }
  @handles(Ship)
  ship(data: DataOf<typeof Ship>) {
    return { tracking: this.carrier.ship(data.order) };
  }
}

async function tracking(t: ExecutionContext, target: new (...deps: never[]) => Actor, from = container()): Promise<string> {
  const { result } = await given(target, { key: '7', container: from }).when(Ship, { order: '7' });
  if (result.status === 'completed') return result.value.tracking;
  t.log(result.error);
  return result.error.code;
}

test('constructor parameters are injected by @inject', async (t) => {
  t.is(await tracking(t, Warehouse), 'pigeon-7');
});

test("a subclass without a constructor of its own gets its base's dependencies", async (t) => {
  @actor('warehouse')
  class Annex extends Warehouse {}
  t.is(await tracking(t, Annex), 'pigeon-7');
  @actor('warehouse')
  class Shed extends Annex {}
  t.is(await tracking(t, Shed), 'pigeon-7', 'also two levels down');
  class Plain extends Warehouse {
    static actorType = 'warehouse';
  }
  t.is(await tracking(t, Plain), 'pigeon-7', 'also without @actor');
});

test('a subclass with a constructor of its own gets what that one asks for, and no more', async (t) => {
  @actor('warehouse')
  class Labelled extends Warehouse {
    constructor(
      @inject(LABEL) private readonly label: string,
      @inject(Carrier) carrier: Carrier,
    ) {
      super(carrier);
    }
    override ship(data: DataOf<typeof Ship>) {
      return { tracking: `${this.label} ${this.carrier.ship(data.order)}` };
    }
  }
  t.is(await tracking(t, Labelled), 'fragile pigeon-7');
  @actor('warehouse')
  class SelfMade extends Warehouse {
    static inject = [];
    constructor() {
      super(new Pigeon());
    }
  }
  t.is(await tracking(t, SelfMade, new Container()), 'pigeon-7', 'nothing is asked of the container');
});

test('static inject names the dependencies without decorators, for subclasses too', async (t) => {
  class Plain extends Actor {
    static actorType = 'warehouse';
    static inject = [Carrier, LABEL];
    static handlers = { ship: Ship };
    constructor(
      private readonly carrier: Carrier,
      private readonly label: string,
    ) {
      super();
    }
    ship(data: DataOf<typeof Ship>) {
      return { tracking: `${this.label} ${this.carrier.ship(data.order)}` };
    }
  }
  class Annex extends Plain {}
  t.is(await tracking(t, Plain), 'fragile pigeon-7');
  t.is(await tracking(t, Annex), 'fragile pigeon-7');
});

onBoth(
  'resolve makes the actors instead of a container',
  { actors: [Warehouse], resolve: (target) => new target(new Pigeon() as never) },
  async (t, { system }) => {
    t.deepEqual(await system.ask(Ship, { order: '8' }), { tracking: 'pigeon-8' });
  },
);

onBoth(
  'an actor class bound as a singleton is refused for its second key: two would share one state',
  () => {
    const bound = container();
    bound.bind(Warehouse).toSelf().inSingletonScope();
    return { actors: [Warehouse], container: bound, supervisors: once('warehouse') };
  },
  async (t, { system }) => {
    t.deepEqual(await system.ask(Ship, { order: '8' }), { tracking: 'pigeon-8' });
    const error = await t.throwsAsync(system.ask(Ship, { order: '9' }), { code: 'DEAD_LETTERED' });
    t.regex(error?.message ?? '', /^SHARED_INSTANCE: Warehouse was resolved twice/);
  },
);

// ---- state ---------------------------------------------------------------------------------------------------------------------------

const AddItem = command('add-item', { to: 'cart', key, data: order.extend({ item: z.string() }) });

/** Stored once as `{ items: ['x'] }`, without a currency. */
class Cart extends Actor<{ items: { name: string; count: number }[]; currency: string }> {
  static actorType = 'cart';
  static handlers = { addItem: AddItem };
  static state = z.object({
    items: z.array(z.union([z.object({ name: z.string(), count: z.number() }), z.string().transform((name) => ({ name, count: 1 }))])),
    currency: z.string().default('EUR'),
  });
  override initialState() {
    return { items: [], currency: 'CHF' };
  }
  addItem(data: DataOf<typeof AddItem>): void {
    this.state.items.push({ name: data.item, count: 1 });
  }
}

onBoth('stored state is parsed by static state: defaults and migration', { actors: [Cart], shards: 1 }, async (t, { system, ...store }) => {
  await store.redis('SET', '{sut:0}:cart:state:a', '7 {"items":["old"]}');
  t.deepEqual(await system.state(Cart, 'a'), { items: [{ name: 'old', count: 1 }], currency: 'EUR' });
  await system.ask(AddItem, { order: 'a', item: 'new' });
  const state = '{"items":[{"name":"old","count":1},{"name":"new","count":1}],"currency":"EUR"}';
  t.is(await store.redis('GET', '{sut:0}:cart:state:a'), `8 ${state}`);
  await system.ask(AddItem, { order: 'b', item: 'new' });
  t.is((await system.state(Cart, 'b'))?.currency, 'CHF', 'a key without state begins with initialState()');
  t.is(await system.state(Cart, 'c'), undefined);
});

onBoth(
  'state that its schema does not take is a dead letter, and stays as it is',
  { actors: [Cart], shards: 1, supervisors: once('cart') },
  async (t, { system, ...store }) => {
    await store.redis('SET', '{sut:0}:cart:state:a', '7 {"items":5}');
    const error = await t.throwsAsync(system.ask(AddItem, { order: 'a', item: 'new' }), { code: 'DEAD_LETTERED' });
    t.regex(error?.message ?? '', /^INVALID_STATE: state of cart: items: .*expected array/);
    t.is(await store.redis('GET', '{sut:0}:cart:state:a'), '7 {"items":5}');
    await t.throwsAsync(system.state(Cart, 'a'), { code: 'INVALID_STATE', message: /^state of cart: items/ });
  },
);

@actor('list')
class Forgetful extends Actor<Words> {
  override initialState() {
    return { words: [] as string[] };
  }
  @handles(Append)
  append({ word }: DataOf<typeof Append>, ctx: ActorContext) {
    this.state.words.push(word);
    if (word === 'forget') ctx.forget();
    return { length: this.state.words.length };
  }
}

onBoth(
  "forget deletes the key's state with the commit, and the next message begins anew",
  { actors: [Forgetful], shards: 1 },
  async (t, { system, ...store }) => {
    await system.ask(Append, { key: 'a', word: 'one' });
    t.deepEqual(await system.ask(Append, { key: 'a', word: 'forget' }), { length: 2 });
    t.is(await system.state(Forgetful, 'a'), undefined);
    t.is(await store.redis('EXISTS', '{sut:0}:list:state:a'), 0);
    t.deepEqual(await system.ask(Append, { key: 'a', word: 'two' }), { length: 1 });
    t.deepEqual(await system.state(Forgetful, 'a'), { words: ['two'] });
  },
);

// ---- process managers ----------------------------------------------------------------------------------------------------------------

const Place = command('place', { to: 'order', key, data: order });

@actor('order')
class Order extends Actor<{ status: string; shelf?: number }> {
  override initialState() {
    return { status: 'new' };
  }
  @handles(Place)
  place(data: DataOf<typeof Place>, ctx: ActorContext) {
    this.state.status = 'reserving';
    ctx.tell(Reserve, { order: `${data.order}/stock` });
  }
  @onReply(Reserve)
  onReserved(result: ResultMessage<typeof Reserve>, ctx: ActorContext) {
    this.state.status = result.status === 'completed' ? 'reserved' : `${result.error.code} ${result.key}: ${result.error.message}`;
    if (result.status === 'completed') this.state.shelf = result.value.shelf;
    if (ctx.correlationId !== 'c-1') this.state.status = `wrong correlation ${ctx.correlationId}`;
  }
}

@actor('stock')
class Stock extends Actor {
  @handles(Reserve)
  reserve(data: DataOf<typeof Reserve>) {
    if (data.order.startsWith('none')) throw new TerminalError('sold out', { code: 'SOLD_OUT' });
    if (data.order.startsWith('bad')) throw new Error('the shelf fell');
    return { shelf: 42 };
  }
}

onBoth(
  'a process manager learns the result of each command it told: completed, failed, dead-lettered',
  { actors: [Order, Stock], supervisors: once('stock') },
  async (t, { system }) => {
    for (const one of ['good', 'none', 'bad']) await system.tell(Place, { order: one }, { correlationId: 'c-1' });
    await system.idle();
    t.deepEqual(await system.state(Order, 'good'), { status: 'reserved', shelf: 42 });
    t.deepEqual(await system.state(Order, 'none'), { status: 'SOLD_OUT none/stock: sold out' });
    t.deepEqual(await system.state(Order, 'bad'), { status: 'DEAD_LETTERED bad/stock: HANDLER_FAILED: the shelf fell' });
  },
);

onBoth(
  'a command told from outside has no return address: nobody is replied to',
  { actors: [Order, Stock], shards: 1 },
  async (t, { system, ...store }) => {
    t.deepEqual(await system.ask(Reserve, { order: 'good' }), { shelf: 42 });
    await system.idle();
    t.is(await store.redis('EXISTS', '{sut:0}:order:state:good'), 0);
    t.deepEqual((await system.deadLetters.list()).items, []);
  },
);

// ---- the context ---------------------------------------------------------------------------------------------------------------------

interface Seen {
  readonly name: string;
  readonly id: string;
  readonly correlation: string;
  readonly causation: string | undefined;
  readonly idempotencyKey: string;
  readonly attempt: number;
  readonly key: string;
  readonly deadline: number;
  readonly enqueuedAt: number;
  readonly aborted: boolean;
}

function note(seen: Seen[], name: string, ctx: ActorContext): void {
  seen.push({
    name,
    id: ctx.messageId,
    correlation: ctx.correlationId,
    causation: ctx.causationId,
    idempotencyKey: ctx.idempotencyKey,
    attempt: ctx.attempt,
    key: ctx.key,
    deadline: Number(ctx.deadline),
    enqueuedAt: Number(ctx.enqueuedAt),
    aborted: ctx.signal.aborted,
  });
}

/** ship → (fact) shipped → reserve; the first attempt at reserve fails. */
function chain(seen: Seen[]): ActorClass[] {
  @actor('warehouse')
  class First extends Actor {
    @handles(Ship)
    ship(data: DataOf<typeof Ship>, ctx: ActorContext) {
      note(seen, 'ship', ctx);
      ctx.publish(Shipped, data);
      return { tracking: 'x' };
    }
  }
  @actor('stock')
  class Second extends Actor {
    @subscribes(Shipped)
    onShipped(data: DataOf<typeof Shipped>, ctx: ActorContext) {
      note(seen, 'shipped', ctx);
      ctx.tell(Reserve, data);
    }
    @handles(Reserve)
    reserve(_data: DataOf<typeof Reserve>, ctx: ActorContext) {
      note(seen, 'reserve', ctx);
      if (ctx.attempt === 1) throw new Error('not yet');
      return { shelf: 1 };
    }
  }
  return [First, Second];
}

@actor('stock')
class Later extends Actor {
  @subscribes(Shipped)
  onShipped(data: DataOf<typeof Shipped>, ctx: ActorContext) {
    ctx.tell(Reserve, data, { at: new Date(ctx.now().getTime() + 3_600_000) });
  }
  @handles(Reserve)
  reserve() {
    return { shelf: 1 };
  }
}

onBoth(
  'a handler is told the time by the clock that its later messages go by',
  { actors: [Later] },
  async (t, { system, clock, redis }) => {
    const { messageId } = await system.publish(Shipped, { order: 'o' });
    await system.idle();
    const reserved: string[] = [];
    system.results(Reserve).subscribe(({ correlationId }) => reserved.push(correlationId));
    if (clock === undefined) {
      const shards = await Promise.all([0, 1, 2, 3].map((shard) => redis('ZRANGE', `{sut:${shard}}:stock:schedule`, 0, -1, 'WITHSCORES')));
      const due = shards.flat(2).map(Number).filter(Number.isFinite);
      t.is(due.length, 1, String(shards));
      t.true(Math.abs((due[0] ?? 0) - Date.now() - 3_600_000) < 60_000);
      return;
    }
    await clock.advance('59m');
    t.deepEqual(reserved, []);
    await clock.advance('2m');
    t.deepEqual(reserved, [messageId]);
  },
);

async function follows(t: ExecutionContext, seen: Seen[], { system, clock }: Store): Promise<void> {
  const began = clock?.now();
  const { messageId } = await system.tell(Ship, { order: 'o' }, { correlationId: 'c-1' });
  await system.idle();
  t.deepEqual(
    seen.map(({ name, attempt, correlation, key: of }) => [name, attempt, correlation, of]),
    [
      ['ship', 1, 'c-1', 'o'],
      ['shipped', 1, 'c-1', 'o'],
      ['reserve', 1, 'c-1', 'o'],
      ['reserve', 2, 'c-1', 'o'],
    ],
  );
  const [ship, shipped, reserve, again] = seen as [Seen, Seen, Seen, Seen];
  t.is(ship.id, messageId);
  t.deepEqual([ship.causation, shipped.causation, reserve.causation], [undefined, ship.id, shipped.id]);
  t.deepEqual(
    [again.id, again.causation, again.idempotencyKey],
    [reserve.id, reserve.causation, reserve.idempotencyKey],
    'a retry is the same message',
  );
  for (const one of seen) t.is(one.idempotencyKey, one.id);
  t.is(new Set(seen.map(({ id }) => id)).size, 3);
  t.true(seen.every(({ aborted }) => !aborted));
  for (const one of seen) t.true(one.deadline > one.enqueuedAt);
  if (began === undefined) return;
  t.is(ship.enqueuedAt, began);
  t.is(ship.deadline, began + 30_000, 'the attempt has 30 s, when nothing else is said');
}

const followed: Seen[][] = [];
onBoth(
  'correlation and cause are carried through every hop, and a retry is the same message',
  () => {
    const seen: Seen[] = [];
    followed.push(seen);
    return { actors: chain(seen) };
  },
  async (t, store) => follows(t, store.kind === 'memory' ? (followed[0] as Seen[]) : (followed[1] as Seen[]), store),
);

onBoth(
  "the deadline is the earlier of the message's and the attempt's",
  {
    actors: [
      listActor((word, ctx) => {
        const left = Number(ctx.deadline) - Number(ctx.enqueuedAt);
        // A real clock goes on between the append and the attempt.
        const expected = word === 'soon' ? 7_000 : 20_000;
        if (left < expected - 5_000 || left > expected + 5_000) throw new TerminalError(`${word}: ${left} ms`);
      }),
    ],
    supervisors: [{ name: 's', children: [{ actor: 'list', attemptTimeout: '20s' }] }],
  },
  async (t, { system }) => {
    await t.notThrowsAsync(system.ask(Append, { key: 'a', word: 'soon' }, { expiresIn: '7s' }));
    await t.notThrowsAsync(system.ask(Append, { key: 'a', word: 'later' }, { expiresIn: '1h' }));
  },
);

test('a context can stage nothing once its handler has settled', async (t) => {
  let kept: ActorContext | undefined;
  const List = listActor((_word, ctx) => {
    kept = ctx;
  });
  await given(List, { key: 'a' }).when(Append, { key: 'a', word: 'one' });
  const late: (() => unknown)[] = [
    () => kept?.tell(Append, { key: 'a', word: 'two' }),
    () => kept?.publish(Appended, { key: 'a', word: 'two' }),
    () => kept?.forget(),
  ];
  for (const use of late)
    t.throws(use, { instanceOf: ErrandError, code: 'HANDLER_SETTLED', message: /^the handler of append for list\/a has settled/ });
  t.is(kept?.key, 'a', 'what it knows can still be read');
});

// ---- one handler without a system ----------------------------------------------------------------------------------------------------

test('given a state, when a command comes: its result, the state, what was told and published', async (t) => {
  const outcome = await given(listActor(), { key: 'a', state: { words: ['zero'] } }).when(Append, { key: 'a', word: 'one' });
  t.like(outcome.result, { status: 'completed', value: { length: 2 }, type: 'append', key: 'a' });
  t.deepEqual(outcome.state, { words: ['zero', 'one'] });
  t.deepEqual(outcome.told, []);
  t.is(outcome.published.length, 1);
  t.is(outcome.published[0]?.event, Appended);
  t.like(outcome.published[0], { key: 'a', data: { key: 'a', word: 'one' } });
});

test('given an actor, when a fact comes: what it told', async (t) => {
  @actor('stock')
  class Reacts extends Actor {
    @subscribes(Shipped)
    onShipped(data: DataOf<typeof Shipped>, ctx: ActorContext) {
      ctx.tell(Reserve, data);
    }
  }
  const { told } = await given(Reacts, { key: 'o' }).when(Shipped, { order: 'o' });
  t.is(told[0]?.command, Reserve);
  t.like(told[0], { key: 'o', data: { order: 'o' } });
});

test('given a handler that fails: the failure is its result, and nothing has happened', async (t) => {
  const failing = listActor(() => {
    throw new TerminalError('declined', { code: 'DECLINED' });
  });
  const start = { words: ['zero'] };
  const outcome = await given(failing, { key: 'a', state: start }).when(Append, { key: 'a', word: 'one' });
  t.like(outcome.result, { status: 'failed', error: { code: 'DECLINED', message: 'declined' } });
  t.deepEqual([outcome.state, outcome.told, outcome.published], [{ words: ['zero'] }, [], []]);
  t.deepEqual(start, { words: ['zero'] }, 'what was given is left alone');
  const odd = listActor(() => {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- users do
    throw 'oops';
  });
  const { result } = await given(odd, { key: 'a' }).when(Append, { key: 'a', word: 'one' });
  t.like(result, { status: 'failed', error: { code: 'HANDLER_FAILED', message: "thrown value: 'oops'" } });
});

test('given is as strict as a system: data, key, message, result and state are checked', async (t) => {
  const wrong = given(listActor(), { key: 'a' });
  await t.throwsAsync(wrong.when(Append, { key: 'a', word: 5 as never }), { code: 'INVALID_DATA', message: /^data of append: word/ });
  await t.throwsAsync(wrong.when(Ship, { order: '1' }), { code: 'UNKNOWN_MESSAGE', message: /list has no handler for the command 'ship'/ });
  await t.throwsAsync(wrong.when(undefined as unknown as typeof Append, { key: 'a', word: 'x' }), { code: 'UNDEFINED_MESSAGE' });
  t.throws(() => given(listActor(), { key: '{a}' }), { code: 'INVALID_KEY' });
  class Sloppy extends Actor<{ at: unknown }> {
    static actorType = 'warehouse';
    static handlers = { ship: Ship, inspect: Inspect };
    override initialState() {
      return { at: 1 as unknown };
    }
    ship() {
      return { tracking: 5 as unknown as string };
    }
    inspect() {
      this.state.at = new Date(0);
    }
  }
  const { result } = await given(Sloppy, { key: 'a' }).when(Ship, { order: 'a' });
  t.like(result, { status: 'failed', error: { code: 'INVALID_RESULT' } });
  const kept = await given(Sloppy, { key: 'a' }).when(Inspect, { order: 'a' });
  t.like(kept.result, { status: 'failed', error: { code: 'NOT_JSON' } });
});

// ---- nodes without actors ------------------------------------------------------------------------------------------------------------

onBoth(
  'a node without actors is a client: it tells, asks and looks, and learns the number of shards',
  { actors: [listActor()], shards: 3 },
  async (t, store) => {
    const client = await store.start({ actors: [], shards: undefined });
    t.is(client.shards, 3);
    const seen = firstValueFrom(store.system.results(Append));
    t.deepEqual(await client.ask(Append, { key: 'a', word: 'one' }), { length: 1 });
    t.is((await seen).status, 'completed');
    t.deepEqual(await client.state(listActor(), 'a'), { words: ['one'] });
    t.deepEqual(client.supervisors.children, []);
  },
);

onBoth('the answer to a command is found later, from another system', { actors: [listActor()] }, async (t, store) => {
  const { system } = store;
  const tracked = await system.tell(Append, { key: 'a', word: 'one' }, { track: true });
  const keyed = await system.tell(Append, { key: 'a', word: 'two' }, { idempotencyKey: 'k' });
  const untracked = await system.tell(Append, { key: 'a', word: 'three' });
  const client = await store.start({ actors: [] });
  t.deepEqual(await client.attach(Append, tracked.messageId), { length: 1 });
  t.deepEqual(await client.attach(Append, keyed.messageId), { length: 2 });
  await system.idle();
  for (const id of [untracked.messageId, 'm-1', '0.nobody', '99999.x']) {
    await t.throwsAsync(client.attach(Append, id), {
      instanceOf: ErrandError,
      code: 'NOT_TRACKED',
      message: new RegExp(id.replace('.', '\\.')),
    });
  }
  await t.throwsAsync(client.attach(Append, ''), { code: 'INVALID_ID' });
});

test('a client of a system that nobody has started is told so', async (t) => {
  await t.throwsAsync(ActorSystem.start({ name: 'nowhere', redis: 'memory:', actors: [] }), {
    code: 'SYSTEM_UNKNOWN',
    message: /no system named nowhere .*give shards/,
  });
});

// ---- positions -----------------------------------------------------------------------------------------------------------------------

onBoth(
  'results and events can be read from the start, from a moment, and from where a reader stood',
  { actors: [listActor()] },
  async (t, store) => {
    const { system } = store;
    const words = ['one', 'two', 'three'];
    const moments: Date[] = [];
    for (const word of words) {
      await store.pass('1s');
      const [seconds, micros] = (await store.redis('TIME')) as [string, string];
      moments.push(new Date(Number(seconds) * 1_000 + Math.ceil(Number(micros) / 1_000)));
      // Two ids of one millisecond would make "from that moment" ambiguous on a clock that runs by itself.
      for (let now = ''; store.kind === 'redis' && Number(now) <= Number(moments.at(-1)); ) {
        const [s, us] = (await store.redis('TIME')) as [string, string];
        now = String(Number(s) * 1_000 + Math.floor(Number(us) / 1_000));
      }
      await system.ask(Append, { key: 'a', word });
    }
    const facts = await firstValueFrom(system.events(Appended, { from: 'start' }).pipe(take(3), toArray()));
    t.deepEqual(
      facts.map(({ data }) => data.word),
      words,
    );
    const answers = await firstValueFrom(system.results(Append, { from: 'start' }).pipe(take(3), toArray()));
    t.deepEqual(
      answers.map((answer) => answer.status === 'completed' && answer.value.length),
      [1, 2, 3],
    );
    t.deepEqual(
      answers.map(({ causationId }) => causationId),
      answers.map(({ causationId }) => causationId),
    );
    const second = moments[1] as Date;
    const late = await firstValueFrom(system.events(Appended, { from: second }).pipe(take(2), toArray()));
    t.deepEqual(
      late.map(({ data }) => data.word),
      ['two', 'three'],
    );
    const first = facts[0] as (typeof facts)[number];
    const after = await firstValueFrom(system.events(Appended, { from: first.position }).pipe(take(2), toArray()));
    t.deepEqual(
      after.map(({ data }) => data.word),
      ['two', 'three'],
    );
    const result = answers[1] as (typeof answers)[number];
    const last = await firstValueFrom(system.results(Append, { from: result.position }));
    t.is(last.messageId, (answers[2] as (typeof answers)[number]).messageId);
    t.like(first, { type: 'appended', key: 'a' });
    t.is(first.causationId, (answers[0] as (typeof answers)[number]).messageId);
  },
);

onBoth('a position that is none is refused at once', { actors: [listActor()] }, async (t, { system }) => {
  await Promise.resolve();
  for (const from of ['yesterday', 'p1:1-1', 'p1:', 5, new Date(Number.NaN), 'p1:a-b,1-1,1-1,1-1']) {
    const error = t.throws(() => system.events(Appended, { from: from as From }), { instanceOf: ErrandError, code: 'INVALID_POSITION' });
    t.regex(error?.message ?? '', /^from of events\(appended\): found .* \(4 shards\)/);
    t.throws(() => system.results(Append, { from: from as From }), { code: 'INVALID_POSITION' });
  }
});

// ---- supervisors ---------------------------------------------------------------------------------------------------------------------

onBoth(
  'supervisors nested in code are shown as data, and their settings apply',
  {
    actors: [
      listActor(() => {
        throw new Error('always');
      }),
      countActor(),
    ],
    supervisors: [
      {
        name: 'outer',
        strategy: 'one-for-all',
        supervisors: [
          {
            name: 'inner',
            strategy: 'rest-for-one',
            children: [{ actor: 'list', restart: 'temporary', recoverability: { immediate: 1, delayed: [], order: 'block' } }],
          },
        ],
      },
    ],
  },
  async (t, { system }) => {
    await t.throwsAsync(system.ask(Append, { key: 'a', word: 'x' }), { code: 'DEAD_LETTERED' });
    const [letter] = (await system.deadLetters.list()).items;
    t.like(letter, { reason: 'HANDLER_FAILED', attempts: 2, error: { message: 'always', name: 'Error' } });
    t.like(system.supervisors, {
      name: 'root',
      children: [{ actor: 'count', restart: 'permanent', partitions: [0, 1, 2, 3] }],
      supervisors: [
        {
          name: 'outer',
          strategy: 'one-for-all',
          children: [],
          supervisors: [{ name: 'inner', strategy: 'rest-for-one', children: [{ actor: 'list', restart: 'temporary', activations: 1 }] }],
        },
      ],
    });
  },
);

test('a supervisor in code is held to the same rules as one in a file', async (t) => {
  const start = (supervisors: unknown): Promise<unknown> =>
    ActorSystem.start({ name: 'x', redis: 'memory:', actors: [listActor() as never], supervisors: supervisors as [] });
  await t.throwsAsync(start([{ name: 's', children: [{ actor: 'lst' }] }]), {
    code: 'UNKNOWN_ACTOR',
    message: /supervisor 's': there is no actor 'lst'; known are list/,
  });
  const error = await t.throwsAsync(start([{ name: 's', children: [{ actor: 'list', atemptTimeout: 5 }] }]), { instanceOf: ErrandError });
  t.regex(error?.message ?? '', /^supervisors: \[0\]\.children\[0\]\.atemptTimeout: found an unknown key.*did you mean 'attemptTimeout'\?/);
});
