import type { Container } from 'inversify';
import { Keys } from '../log/keys.js';
import { positionAt } from '../log/position.js';
import { createMemoryRedis, type MemoryRedis } from '../memory-redis/index.js';
import { type Command, definitionAt, definitionOf, type Event, type InputOf } from '../message/definition.js';
import type { Duration } from '../message/duration.js';
import { fromFields, type NewEnvelope, toFields } from '../message/envelope.js';
import { asError, ErrandError, failureCodeOf, invariant } from '../message/errors.js';
import { Ids } from '../message/ids.js';
import { fromJson, toJson } from '../message/json.js';
import { checkKey } from '../message/names.js';
import { seededRandom } from '../message/random.js';
import { VirtualClock } from '../message/virtual-clock.js';
import { Attempt } from '../runtime/attempt.js';
import { type Logger, silent } from '../runtime/logger.js';
import { Composer } from '../runtime/outgoing.js';
import type { ActorClass, AnyActor, Checked, StateOf } from './actor.js';
import { behaviorOf } from './actor-definition.js';
import { ActorSystem, type StartOptions } from './actor-system.js';
import { checked } from './container.js';
import { builder } from './injection.js';
import type { ResultMessage } from './messages.js';
import { present, type Some } from './options.js';

export { VirtualClock };

/** A system under virtual time, and what it stands on. `await using` (or `stop()`) ends it all. */
export interface TestSystem extends AsyncDisposable {
  readonly system: ActorSystem;
  /** the one clock under everything */
  readonly clock: VirtualClock;
  /** the in-process Redis below */
  readonly redis: MemoryRedis;
  /** Stops the system and closes the in-process Redis. */
  readonly stop: (options?: { grace?: Duration | undefined }) => Promise<void>;
}

export type TestSystemOptions = Some<Omit<StartOptions, 'redis'>> & {
  /**
   * The in-process Redis. Give the same one to several systems to let them share it.
   * @default one of its own
   */
  redis?: MemoryRedis | undefined;
  /**
   * The clock under everything.
   * @default one that stands at 2030-01-01T00:00:00Z
   */
  clock?: VirtualClock | undefined;
  /**
   * Every id, nonce and jitter comes from it, and from the number of systems that were started on `redis` before.
   * @default 1
   */
  seed?: number | undefined;
};

/** Fewer than in production: each costs a little with every renewal, and tests move hours. */
const SHARDS = 4;

/** Counts the systems started on one in-process Redis; it stands in there, as an append-only file outlives the Redis that wrote it. */
const STARTED = 'errand:test-systems';

/** Counts also where the memory is full. */
const COUNT = "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])";

/** No two may draw the same ids: Redis would take one's messages for the other's, sent again. */
async function startedBefore(redis: MemoryRedis): Promise<number> {
  const client = redis.client({ lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return Number(await client.eval(COUNT, 1, STARTED)) - 1;
  } catch {
    return 0; // a Redis that is not there: the start will say so
  } finally {
    client.disconnect();
  }
}

/** Spreads what differs by one over all 32 bits (Knuth's multiplicative hash). */
const SPREAD = 0x9e3779b1;

/**
 * Starts a system on an in-process Redis with one virtual clock under both: the production code, with time that moves when you say so.
 * Leases are renewed in that time, too: where a test moves days, a `lease` such as `'1h'` makes it quick.
 * @param options as `ActorSystem.start`; `name` defaults to `test`, `shards` to 4 (one that joins takes what is recorded)
 * @throws as `ActorSystem.start`
 */
export async function startTestSystem<const A extends readonly ActorClass[]>(
  options: TestSystemOptions & { actors: { [I in keyof A]: A[I] & Checked<A[I]> } },
): Promise<TestSystem> {
  const { clock = new VirtualClock(), seed = 1, redis = createMemoryRedis({ clock }), ...rest } = options;
  const own = options.redis === undefined;
  const joins = !own && options.actors.length === 0; // as a client of a system that is there already
  const before = own ? 0 : await startedBefore(redis);
  const system = await ActorSystem.startWith(
    { name: 'test', ...present(rest), actors: options.actors, redis },
    { clock, random: seededRandom(seed + before * SPREAD), newShards: joins ? undefined : SHARDS },
  );
  const stop = async (stopOptions?: { grace?: Duration | undefined }): Promise<void> => {
    await system.stop(stopOptions);
    if (own) await redis.close();
  };
  return { system, clock, redis, stop, [Symbol.asyncDispose]: () => stop() };
}

/** What one handler did. */
export interface Outcome<A extends AnyActor, C extends Command> {
  readonly result: ResultMessage<C>;
  /** after the handler; as it was when the handler failed */
  readonly state: StateOf<A>;
  readonly told: readonly { readonly command: Command; readonly key: string; readonly data: unknown }[];
  readonly published: readonly { readonly event: Event; readonly key: string; readonly data: unknown }[];
}

export interface Given<A extends AnyActor> {
  /** Calls the handler of a command. A handler that throws gives a `failed` result, and nothing is told or published. */
  when<C extends Command>(command: C, data: InputOf<C>): Promise<Outcome<A, C>>;
  /** Calls the handler of a fact. @throws what the handler throws */
  when<E extends Event>(event: E, data: InputOf<E>): Promise<Omit<Outcome<A, Command>, 'result'>>;
}

/**
 * One handler without a system: `const { result, state, told } = await given(Warehouse, { key: '12005' }).when(DispatchProduct, data)`.
 * @param actor its class
 * @param start `key`; `state` as stored, default `initialState()`; `container` for its dependencies
 */
export function given<A extends AnyActor>(
  actor: A,
  start: { key: string; state?: StateOf<A> | undefined; container?: Container | undefined; logger?: Logger | undefined },
): Given<A> {
  const behavior = behaviorOf(actor as unknown as ActorClass, checked(builder(start.container), 'the container'), start.logger ?? silent);
  const clock = new VirtualClock();
  const composer = new Composer(clock, new Ids(clock, seededRandom(1)), new Keys('given', 1));
  const key = checkKey(start.key, 'key');

  const when = async (message: Command | Event, data: unknown): Promise<unknown> => {
    const definition = definitionAt(message, definitionOf(message)?.kind ?? 'command', 'when');
    const { json } = definition.encode(data);
    const sent: NewEnvelope = {
      id: '0.given',
      type: message.name,
      source: 'given',
      subject: key,
      time: clock.now(),
      correlationId: '0.given',
      data: json,
    };
    const envelope = fromFields(toFields({ ...sent, kind: message.kind }));
    invariant(!('fault' in envelope), 'what was just written can be read');
    const known = message.kind === 'command' ? behavior.commands : behavior.subscriptions;
    if (!known.has(message.name))
      throw new ErrandError('UNKNOWN_MESSAGE', `${behavior.type} has no handler for the ${message.kind} '${message.name}'`);
    const instance = behavior.create();
    const place = `state of ${behavior.type}`;
    const before = start.state === undefined ? instance.initialState() : behavior.parseState(toJson(start.state, place));
    const copy = toJson(before, place);
    if (behavior.stateful) instance.state = fromJson(copy, place);
    const attempt = new Attempt(envelope, 1, `${clock.now()}-0`, clock.now() + 30_000, behavior, composer);
    const meta = {
      messageId: envelope.id,
      correlationId: envelope.correlationId,
      key,
      at: new Date(clock.now()),
      position: positionAt(clock.now(), 1),
      type: message.name,
    };
    try {
      await instance.hook('onActivate');
      const returned = await instance.handle(envelope, definition.decode(json), attempt);
      const value = message.kind === 'command' ? definition.decodeResult(definition.encodeResult(returned)) : undefined;
      attempt.end();
      const staged = attempt.staged.map((one) => ({
        shown: one.definition.shown,
        kind: one.definition.kind,
        key: one.key,
        data: fromJson(one.json, one.definition.name),
      }));
      return {
        result: { ...meta, status: 'completed', value },
        state: attempt.forgotten ? undefined : fromJson(toJson(instance.state, place), place),
        told: staged.filter(({ kind }) => kind === 'command').map((one) => ({ command: one.shown, key: one.key, data: one.data })),
        published: staged.filter(({ kind }) => kind === 'event').map((one) => ({ event: one.shown, key: one.key, data: one.data })),
      };
    } catch (thrown) {
      attempt.end();
      if (message.kind === 'event') throw thrown;
      const error = asError(thrown);
      const code = failureCodeOf(error);
      return {
        result: { ...meta, status: 'failed', error: { code, message: error.message } },
        state: fromJson(copy, place),
        told: [],
        published: [],
      };
    }
  };
  return { when } as Given<A>;
}
