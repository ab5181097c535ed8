/**
 * The types that users see, held to what docs/DESIGN.md, section 2, promises. The proof is that this file compiles: every line under
 * `@ts-expect-error` must be an error, and everything else must not be. What is here is not run, except for one test at the end.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import test from 'ava';
import { Container, inject } from 'inversify';
import { Redis } from 'ioredis';
import type { Observable } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';
import type {
  ActorClass,
  ActorContext,
  DataOf,
  DeadLetterPage,
  Duration,
  EventMessage,
  From,
  InputOf,
  Jsonable,
  LetterFilter,
  Position,
  Receipt,
  Redriven,
  ResultMessage,
  ResultOf,
  ReturnOf,
  SendOptions,
  Signal,
  StageOptions,
  StartOptions,
  StateOf,
  SubscribeOptions,
  SupervisedActor,
  Supervisor,
  SupervisorTree,
  WaitOptions,
} from '../../src/index.js';
import { Actor, ActorSystem, actor, command, event, handles, onReply, subscribes, TerminalError } from '../../src/index.js';
import { createMemoryRedis, type MemoryRedis, type MemoryRedisOptions } from '../../src/memory-redis/index.js';
import { given, startTestSystem, type TestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the well-known way to ask whether two types are the same
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Does not compile unless both types are the same. */
function same<A, B>(..._proof: Same<A, B> extends true ? [] : ['not the same type']): void {}

// ---- the example of section 2 --------------------------------------------------------------------------------------------------------

const DispatchProduct = command('dispatch-product', {
  to: 'warehouse',
  key: (d) => String(d.orderId),
  data: z.object({ orderId: z.number().int(), address: z.string().min(1) }),
  result: z.object({ trackingNumber: z.string() }),
});
const ProductDispatched = event('product-dispatched', {
  key: (d) => String(d.orderId),
  data: z.object({ orderId: z.number(), trackingNumber: z.string() }),
});
const OrderPlaced = event('order-placed', { key: (d) => String(d.orderId), data: z.object({ orderId: z.number(), address: z.string() }) });

abstract class Carrier {
  abstract ship(orderId: number, address: string, options: { idempotencyKey: string; signal: AbortSignal }): Promise<string>;
}

@actor('warehouse')
class Warehouse extends Actor<{ dispatched: number }> {
  constructor(@inject(Carrier) private readonly carrier: Carrier) {
    super();
  }
  override initialState() {
    return { dispatched: 0 };
  }
  @handles(DispatchProduct)
  async dispatchProduct(data: DataOf<typeof DispatchProduct>, ctx: ActorContext) {
    const trackingNumber = await this.carrier.ship(data.orderId, data.address, { idempotencyKey: ctx.idempotencyKey, signal: ctx.signal });
    this.state.dispatched += 1;
    ctx.publish(ProductDispatched, { orderId: data.orderId, trackingNumber });
    return { trackingNumber };
  }
  @subscribes(OrderPlaced)
  onOrderPlaced(data: DataOf<typeof OrderPlaced>, ctx: ActorContext) {
    ctx.tell(DispatchProduct, data);
  }
}

/** Input and output differ; no result. */
const Rename = command('rename', {
  to: 'customer',
  key: (d) => d.id.toFixed(),
  data: z.object({ id: z.string().transform(Number), nick: z.string().default('') }),
});
/** The result's input and output differ. */
const Count = command('count', {
  to: 'customer',
  key: () => 'k',
  data: z.object({}),
  result: z.object({ n: z.string().transform(Number) }),
});

function inference(): void {
  // @ts-expect-error -- the measure itself: these are not the same
  same<{ a: string }, { a?: string }>();
  same<DataOf<typeof DispatchProduct>, { orderId: number; address: string }>();
  same<ResultOf<typeof DispatchProduct>, { trackingNumber: string }>();
  same<InputOf<typeof Rename>, { id: string; nick?: string | undefined }>();
  same<DataOf<typeof Rename>, { id: number; nick: string }>();
  same<ResultOf<typeof Rename>, void>();
  same<ReturnOf<typeof Rename>, void>();
  same<ReturnOf<typeof Count>, { n: string }>();
  same<ResultOf<typeof Count>, { n: number }>();
  same<InputOf<typeof OrderPlaced>, { orderId: number; address: string }>();
  same<StateOf<typeof Warehouse>, { dispatched: number }>();
  same<(typeof DispatchProduct)['name'], 'dispatch-product'>();
  same<ResultMessage<typeof DispatchProduct>['type'], 'dispatch-product'>();
  const own = command('own', { to: 'a', key: (d) => d.toFixed(), data: v.pipe(v.string(), v.transform(Number)) });
  same<InputOf<typeof own>, string>();
  same<DataOf<typeof own>, number>();
}

async function system(): Promise<void> {
  const started = await ActorSystem.start({
    name: 'shop',
    redis: 'memory:',
    shards: 16,
    lease: '10s',
    sendTimeout: 60_000,
    actors: [Warehouse],
    supervisors: [{ name: 's', strategy: 'rest-for-one', children: [{ actor: 'warehouse', recoverability: { delayed: ['1s', 5_000] } }] }],
    container: new Container(),
    logger: console,
    allowEviction: false,
  });
  await ActorSystem.start({ name: 'shop', redis: { host: 'h', port: 1 }, actors: [] });
  await ActorSystem.start({ name: 'shop', redis: new Redis(), actors: [Warehouse], resolve: (target) => new target() });
  await ActorSystem.start({ name: 'shop', redis: createMemoryRedis({ clock: new VirtualClock() }), actors: [] });
  const list: readonly ActorClass[] = [Warehouse];
  await ActorSystem.start({ name: 'shop', redis: 'memory:', actors: list });
  await ActorSystem.fromConfig('shop.yaml');
  await using other = await startTestSystem({ actors: [Warehouse] });
  await other.clock.advance('1m');

  const receipt = await started.tell(
    DispatchProduct,
    { orderId: 1, address: 'x' },
    { idempotencyKey: 'k', correlationId: 'c', track: true, delay: '1s', expiresIn: '1h' },
  );
  same<typeof receipt, Receipt<typeof DispatchProduct>>();
  const answer = await started.ask(DispatchProduct, { orderId: 1, address: 'x' }, { timeout: '5s', signal: AbortSignal.timeout(1) });
  same<typeof answer, { trackingNumber: string }>();
  const counted = await started.ask(Count, {});
  same<typeof counted, { n: number }>();
  const nothing = await started.ask(Rename, { id: '1' });
  same<typeof nothing, void>();
  const again = await started.attach(DispatchProduct, receipt.messageId, { timeout: '5s' });
  same<typeof again, { trackingNumber: string }>();
  await started.publish(OrderPlaced, { orderId: 1, address: 'x' });
  const results = started.results(DispatchProduct, { from: 'start' });
  same<typeof results, Observable<ResultMessage<typeof DispatchProduct>>>();
  results.subscribe((result) => {
    if (result.status === 'completed') same<typeof result.value, { trackingNumber: string }>();
    else same<typeof result.error, { readonly code: string; readonly message: string }>();
    same<typeof result.position, Position>();
    // @ts-expect-error -- which of the two it is has to be asked first
    void result.value;
  });
  const facts = started.events(OrderPlaced, { from: new Date() });
  same<typeof facts, Observable<EventMessage<typeof OrderPlaced>>>();
  facts.subscribe(({ data }) => same<typeof data, { orderId: number; address: string }>());
  same<typeof started.signals, Observable<Signal>>();
  const state = await started.state(Warehouse, '1');
  same<typeof state, { dispatched: number } | undefined>();
  same<typeof started.supervisors, SupervisorTree>();
  const page = await started.deadLetters.list({ actor: 'warehouse', limit: 5 });
  same<typeof page, DeadLetterPage>();
  const redriven = await started.deadLetters.redrive({ actor: 'warehouse', key: '1' });
  same<typeof redriven, readonly Redriven[]>();
  same<ReturnType<typeof started.deadLetters.discard>, Promise<number>>();
  const cancelled = await started.cancel(receipt.messageId);
  same<typeof cancelled, 'cancelled' | 'too-late'>();
  await started.supervisors.spawn({ name: 'more', children: [{ actor: 'warehouse', directives: { escalate: ['X'] } }] }, { under: 'root' });
  await started.supervisors.stop('more');
  // @ts-expect-error -- there is no such directive
  await started.supervisors.spawn({ name: 'more', children: [{ actor: 'warehouse', directives: { restart: ['X'] } }] });
  // @ts-expect-error -- a filter that is misspelt would choose all
  await started.deadLetters.redrive({ acter: 'warehouse' });
  await started.idle({ timeout: '1s' });
  await started.stop({ grace: '10s' });

  // @ts-expect-error -- a fact is published, not told
  await started.tell(OrderPlaced, { orderId: 1, address: 'x' });
  // @ts-expect-error -- and a command told
  await started.publish(DispatchProduct, { orderId: 1, address: 'x' });
  // @ts-expect-error -- no address
  await started.tell(DispatchProduct, { orderId: 1 });
  // @ts-expect-error -- the order's number is a number
  await started.ask(DispatchProduct, { orderId: '1', address: 'x' });
  // @ts-expect-error -- the wire holds the schema's input
  await started.tell(Rename, { id: 1 });
  // @ts-expect-error -- nobody loses data by omission
  await ActorSystem.start({ name: 'shop', actors: [] });
  // @ts-expect-error -- a duration has a unit
  await started.idle({ timeout: '5' });
  // @ts-expect-error -- a position is not any text
  started.results(DispatchProduct, { from: 'yesterday' });
  // @ts-expect-error -- systems are started, not made
  void new ActorSystem();
}

const outcome = async (): Promise<void> => {
  const { result, state, told, published } = await given(Warehouse, {
    key: '1',
    state: { dispatched: 1 },
    container: new Container(),
  }).when(DispatchProduct, {
    orderId: 1,
    address: 'x',
  });
  if (result.status === 'completed') same<typeof result.value, { trackingNumber: string }>();
  same<typeof state, { dispatched: number }>();
  same<(typeof told)[number]['data'], unknown>();
  same<(typeof published)[number]['key'], string>();
  const fact = await given(Warehouse, { key: '1' }).when(OrderPlaced, { orderId: 1, address: 'x' });
  // @ts-expect-error -- a fact has no result
  void fact.result;
  // @ts-expect-error -- not this actor's state
  given(Warehouse, { key: '1', state: { dispatched: 'x' } });
};

// ---- handlers ------------------------------------------------------------------------------------------------------------------------

class Handlers extends Actor {
  @handles(Count)
  async count(): Promise<{ n: string }> {
    return { n: '1' };
  }
  // @ts-expect-error -- the result's input is a text
  @handles(Count)
  wrongResult() {
    return { n: 1 };
  }
  // @ts-expect-error -- the result is missing
  @handles(DispatchProduct)
  noResult() {}
  // @ts-expect-error -- a command without a result answers nothing
  @handles(Rename)
  tooMuch() {
    return { n: 1 };
  }
  // @ts-expect-error -- handlers see the schema's output
  @handles(Rename)
  wrongData(_data: { id: string }) {}
  // @ts-expect-error -- a fact is subscribed to
  @handles(OrderPlaced)
  wrongKind() {}
  // @ts-expect-error -- and a command handled
  @subscribes(DispatchProduct)
  wrongKindToo() {}
  // @ts-expect-error -- a key is a text
  @subscribes(OrderPlaced, { key: (d) => d.orderId })
  wrongKey() {}
  @subscribes(() => OrderPlaced, { key: (d) => d.address, from: 'start' })
  later(_data: DataOf<typeof OrderPlaced>) {}
  @onReply(() => DispatchProduct)
  onDispatched(result: ResultMessage<typeof DispatchProduct>, ctx: ActorContext) {
    if (result.status === 'failed') throw new TerminalError(result.error.message, { code: result.error.code, cause: ctx.key });
    same<typeof result.value.trackingNumber, string>();
  }
  // @ts-expect-error -- another command's result
  @onReply(DispatchProduct)
  wrongReply(_result: ResultMessage<typeof Count>) {}
}

function context(ctx: ActorContext): void {
  same<ReturnType<typeof ctx.tell>, string>();
  ctx.tell(DispatchProduct, { orderId: 1, address: 'x' }, { delay: '1m' });
  // @ts-expect-error -- there is no ask: actors that wait for each other deadlock
  void ctx.ask;
  // @ts-expect-error -- its correlation is carried on by itself
  ctx.tell(DispatchProduct, { orderId: 1, address: 'x' }, { correlationId: 'c' });
  // @ts-expect-error -- what it is told cannot be changed
  ctx.attempt = 2;
}

// ---- state and schemas that JSON does not keep ---------------------------------------------------------------------------------------

// @ts-expect-error -- a Date does not survive JSON
@actor('dated')
class Dated extends Actor<{ at: Date }> {
  override initialState() {
    return { at: new Date(0) };
  }
}

// @ts-expect-error -- nor does a Map, however deep
@actor('mapped')
class Mapped extends Actor<{ a: { b: Map<string, string>[] } }> {
  override initialState() {
    return { a: { b: [] } };
  }
}

// @ts-expect-error -- a state needs a beginning
@actor('beginless')
class Beginless extends Actor<{ n: number }> {}

@actor('stateless')
class Stateless extends Actor {}

interface Line {
  readonly product: string;
  quantity?: number;
}
@actor('plain')
class Plain extends Actor<{ lines: Line[]; tags: readonly string[]; total: number | null; kind: 'a' | 'b'; byName: Record<string, Line> }> {
  override initialState() {
    return { lines: [], tags: [], total: null, kind: 'a' as const, byName: {} };
  }
}

/** `initialState` says less than the state may hold. */
@actor('game')
class Game extends Actor<{ n: number; winner?: string; turn: 'a' | 'b'; moves: string[] }> {
  override initialState() {
    return { n: 0, turn: 'a' as const, moves: [] };
  }
}
@actor('long-game')
class LongGame extends Game {
  override onActivate() {
    this.state.winner ??= 'nobody';
  }
}

// @ts-expect-error -- what a state begins without has to survive JSON as well
@actor('begun')
class Begun extends Actor<{ n: number; at?: Date }> {
  override initialState() {
    return { n: 0 };
  }
}

/** A type that holds lists of itself. */
type AnyJson = string | number | boolean | null | AnyJson[] | { [field: string]: AnyJson };
@actor('anything')
class Anything extends Actor<{ found: AnyJson; tree: { kids: AnyJson[] } }> {
  override initialState() {
    return { found: null, tree: { kids: [] } };
  }
}

/** As plain JavaScript: no type argument, which only TypeScript would miss. */
class Untyped extends Actor {
  static actorType = 'untyped';
  // @ts-expect-error -- in TypeScript it has to be said
  initialState() {
    return { balance: 0 };
  }
}

async function states(started: ActorSystem): Promise<void> {
  type State = { n: number; winner?: string; turn: 'a' | 'b'; moves: string[] };
  same<StateOf<typeof Game>, State>();
  same<StateOf<typeof LongGame>, State>();
  same<StateOf<typeof Anything>, { found: AnyJson; tree: { kids: AnyJson[] } }>();
  same<StateOf<typeof Untyped>, { balance: number }>();
  same<StateOf<typeof Stateless>, undefined>();
  same<StateOf<ActorClass>, unknown>();
  const state = await started.state(Game, 'k');
  same<typeof state, State | undefined>();
  const End = command('end', { to: 'game', key: () => 'k', data: z.object({}) });
  const { state: after } = await given(Game, { key: 'k', state: { n: 1, winner: 'x', turn: 'b', moves: ['e4'] } }).when(End, {});
  same<typeof after, State>();
  const untyped = await given(Untyped, { key: 'k', state: { balance: 1 } }).when(End, {});
  same<typeof untyped.state, { balance: number }>();
  // @ts-expect-error -- all of it, not only what is new
  given(Game, { key: 'k', state: { winner: 'x' } });
}

// @ts-expect-error -- nor is it an actor
@actor('none')
class NoActor {
  state = 1;
}

function schemas(): void {
  const key = (): string => 'k';
  // @ts-expect-error -- a Date goes in
  event('dated', { key, data: z.object({ at: z.date() }) });
  // @ts-expect-error -- a bigint goes in
  event('big', { key, data: z.object({ list: z.array(z.bigint()) }) });
  // @ts-expect-error -- bytes go in
  command('bytes', { to: 'a', key, data: z.instanceof(Uint8Array) });
  // @ts-expect-error -- valibot's as well
  command('set', { to: 'a', key, data: v.object({ s: v.set(v.string()) }) });
  event('coerced', { key: (d) => d.at.toISOString(), data: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }) });
  event('unknown', { key, data: z.unknown() });
  event('any-json', { key, data: z.object({ found: z.json() }) });
  // @ts-expect-error -- nor is it kept in a list of lists, or a tuple
  event('dates', { key, data: z.object({ json: z.json(), dates: z.array(z.array(z.date())) }) });
  // @ts-expect-error -- likewise
  event('date-pair', { key, data: z.tuple([z.string(), z.date()]) });
  same<Jsonable<{ a: string[]; b: readonly Date[]; c: [string, Date] }>, { a: string[]; b: readonly never[]; c: [string, never] }>();
  event('union', { key, data: z.union([z.string(), z.object({ a: z.number().optional() }), z.null()]) });
  event('branded', { key: (d) => d, data: z.string().brand<'OrderId'>() });
  const own: StandardSchemaV1<{ a: string }, { a: number }> = {
    '~standard': { version: 1, vendor: 'own', validate: () => ({ value: { a: 1 } }) },
  };
  event('own', { key: (d) => d.a.toFixed(), data: own });
  // @ts-expect-error -- a key is a text
  event('numbered', { key: (d) => d.n, data: z.object({ n: z.number() }) });
  // @ts-expect-error -- a command is for somebody
  command('lost', { key, data: z.string() });
}

// ---- without decorators --------------------------------------------------------------------------------------------------------------

class Statics extends Actor<{ n: number }> {
  static actorType = 'warehouse';
  static inject = [Carrier];
  static pipelined = true;
  static handlers = { dispatch: DispatchProduct };
  static subscriptions = {
    placed: { event: OrderPlaced, key: (d: DataOf<typeof OrderPlaced>) => d.address, from: 'start' as From },
    dispatched: ProductDispatched,
  };
  static replies = { counted: Count };
  static state = z.object({ n: z.number().default(0) });
  constructor(readonly carrier: Carrier) {
    super();
  }
  override initialState() {
    return { n: 0 };
  }
  dispatch(data: DataOf<typeof DispatchProduct>) {
    return { trackingNumber: data.address };
  }
  placed(_data: DataOf<typeof OrderPlaced>) {}
  dispatched(_data: DataOf<typeof ProductDispatched>) {}
  counted(_result: ResultMessage<typeof Count>) {}
}

class WrongResult extends Actor {
  static actorType = 'warehouse';
  static handlers = { dispatch: DispatchProduct };
  dispatch() {
    return { trackingNumber: 5 };
  }
}
class WrongFact extends Actor {
  static actorType = 'x';
  static subscriptions = { placed: { event: OrderPlaced } };
  placed(_data: { orderId: string }) {}
}
class NoMethod extends Actor {
  static actorType = 'x';
  static replies = { counted: Count };
}
class NoBeginning extends Actor<{ n: number }> {
  static actorType = 'x';
}
class NotKept extends Actor<{ at: Date }> {
  static actorType = 'x';
  override initialState() {
    return { at: new Date(0) };
  }
}

async function statics(): Promise<void> {
  const options = { name: 'x', redis: 'memory:' } as const;
  await ActorSystem.start({ ...options, actors: [Statics, Stateless, Plain] });
  // @ts-expect-error -- the tracking number is a text
  await ActorSystem.start({ ...options, actors: [WrongResult] });
  // @ts-expect-error -- the order's number is a number
  await ActorSystem.start({ ...options, actors: [Statics, WrongFact] });
  // @ts-expect-error -- there is no such method
  await ActorSystem.start({ ...options, actors: [NoMethod] });
  // @ts-expect-error -- a state needs a beginning
  await ActorSystem.start({ ...options, actors: [NoBeginning] });
  // @ts-expect-error -- a Date does not survive JSON
  await startTestSystem({ actors: [NotKept] });
  // @ts-expect-error -- no actor
  await ActorSystem.start({ ...options, actors: [NoActor] });
}

const tree: Supervisor = {
  name: 'fulfilment',
  strategy: 'one-for-one',
  intensity: 5,
  period: '10s',
  backoff: { min: '100ms', max: '10s', factor: 2, jitter: 0.2 },
  children: [
    {
      actor: 'warehouse',
      restart: 'permanent',
      concurrency: 256,
      prefetch: 1000,
      passivateAfter: '2m',
      recoverability: { immediate: 2, delayed: ['1s', '5s', '30s'], order: 'block' },
      attemptTimeout: '30s',
      state: { keepFor: '90d', maxBytes: 1_048_576 },
    },
  ],
  supervisors: [],
};

// ---- what is left out ----------------------------------------------------------------------------------------------------------------

/** The optional properties that refuse `undefined` under `exactOptionalPropertyTypes`, which this project is compiled with. */
type Refusing<T> = T extends object
  ? { [K in keyof T]-?: Partial<Pick<T, K>> extends Pick<T, K> ? ({ [P in K]: undefined } extends Pick<T, K> ? never : K) : never }[keyof T]
  : never;
type Handed<F, At extends number> = F extends (...given: infer P) => unknown ? Exclude<P[At], undefined> : never;

/** Every option may be given as `undefined`, which is as if it were left out. */
async function undefinedIsAbsent(started: ActorSystem, ctx: ActorContext, redis: MemoryRedis): Promise<void> {
  // @ts-expect-error -- the measure itself
  same<Refusing<{ a?: string }>, never>();
  same<Refusing<{ a?: string | undefined; b: number }>, never>();
  same<Refusing<StartOptions>, never>();
  same<Refusing<Handed<typeof ActorSystem.fromConfig, 1>>, never>();
  same<Refusing<SendOptions>, never>();
  same<Refusing<StageOptions>, never>();
  same<Refusing<WaitOptions>, never>();
  same<Refusing<Handed<ActorSystem['results'], 1>>, never>();
  same<Refusing<Handed<ActorSystem['events'], 1>>, never>();
  same<Refusing<Handed<ActorSystem['stop'], 0>>, never>();
  same<Refusing<Handed<ActorSystem['deadLetters']['list'], 0>>, never>();
  same<Refusing<LetterFilter>, never>();
  same<Refusing<Handed<SupervisorTree['spawn'], 1>>, never>();
  same<Refusing<Supervisor>, never>();
  same<Refusing<Supervisor['backoff']>, never>();
  same<Refusing<SupervisedActor>, never>();
  same<Refusing<SupervisedActor['recoverability']>, never>();
  same<Refusing<SupervisedActor['directives']>, never>();
  same<Refusing<SupervisedActor['breaker']>, never>();
  same<Refusing<SupervisedActor['state']>, never>();
  same<Refusing<SubscribeOptions<typeof OrderPlaced>>, never>();
  same<Refusing<Handed<typeof actor, 1>>, never>();
  same<Refusing<Handed<typeof command, 1>>, never>();
  same<Refusing<Handed<typeof event, 1>>, never>();
  same<Refusing<TestSystemOptions>, never>();
  same<Refusing<Handed<TestSystem['stop'], 0>>, never>();
  same<Refusing<Handed<typeof given<typeof Warehouse>, 1>>, never>();
  same<Refusing<MemoryRedisOptions>, never>();
  same<Refusing<Handed<MemoryRedis['faults']['inject'], 2>>, never>();
  same<Refusing<Handed<MemoryRedis['faults']['crash'], 0>>, never>();
  same<Refusing<NonNullable<ConstructorParameters<typeof TerminalError>[1]>>, never>();

  const maybe: { text?: string; wait?: Duration; signal?: AbortSignal; from?: From } = {};
  const data = { orderId: 1, address: 'x' };
  const page = await started.deadLetters.list();
  await started.deadLetters.list({ actor: maybe.text, after: page.next });
  await started.deadLetters.redrive({ actor: maybe.text, key: maybe.text });
  await started.tell(DispatchProduct, data, { idempotencyKey: maybe.text, delay: maybe.wait, expiresIn: maybe.wait });
  await started.ask(DispatchProduct, data, { correlationId: maybe.text, timeout: maybe.wait, signal: maybe.signal });
  await started.publish(OrderPlaced, data, { correlationId: maybe.text });
  started.events(OrderPlaced, { from: maybe.from });
  ctx.tell(DispatchProduct, data, { delay: maybe.wait });
  redis.faults.crash({ lose: undefined });
  const Unanswered = command('unanswered', { to: 'a', key: () => 'k', data: z.object({}), result: undefined });
  same<ResultOf<typeof Unanswered>, void>();
  const subscribing: ActorClass['subscriptions'] = { placed: { event: OrderPlaced, key: undefined, from: maybe.from } };
  void subscribing;
  // @ts-expect-error -- what has to be given cannot be undefined
  await ActorSystem.start({ name: undefined, redis: 'memory:', actors: [] });
}

const durations: readonly Duration[] = [5, '250ms', '5s', '2m', '1h', '7d'];
// @ts-expect-error -- no such unit
const noDuration: Duration = '5y';

test('the promises of the public types hold: this file compiled', (t) => {
  const shown = [
    inference,
    system,
    outcome,
    Handlers,
    context,
    Dated,
    Mapped,
    Beginless,
    Begun,
    states,
    schemas,
    statics,
    undefinedIsAbsent,
    tree,
    durations,
    noDuration,
  ];
  t.true(shown.every((one) => one !== undefined));
});
