import type { Observable } from 'rxjs';
import type { From } from '../log/position.js';
import { openStore, type RedisTarget } from '../log/store.js';
import { type Clock, systemClock, within } from '../message/clock.js';
import { type Command, definitionAt, type Event, type InputOf, type ResultOf } from '../message/definition.js';
import { type Duration, milliseconds } from '../message/duration.js';
import { DefinitionError, ErrandError, InvalidValueError, invariant } from '../message/errors.js';
import { MOST_SHARDS } from '../message/limits.js';
import { checkKey, checkName } from '../message/names.js';
import { outside } from '../message/outside.js';
import { type Random, systemRandom } from '../message/random.js';
import type { Sizes } from '../message/sizes.js';
import type { Cancellation } from '../runtime/cancels.js';
import type { DeadLetters } from '../runtime/dead-letters.js';
import { guarded, type Logger, silent } from '../runtime/logger.js';
import { Node } from '../runtime/node.js';
import type { Redact } from '../runtime/redaction.js';
import type { SendOptions, SentReceipt, WaitOptions } from '../runtime/sender.js';
import type { Signal } from '../runtime/signals.js';
import type { SupervisorSettings } from '../runtime/supervision-settings.js';
import type { ActorClass, AnyActor, Checked, StateOf } from './actor.js';
import { behaviorOf, isActorClass, type Provable, typeOf } from './actor-definition.js';
import { importModules } from './config-modules.js';
import { type Container, loadInjection, type Resolve, resolverFor } from './container.js';
import type { EventMessage, Receipt, ResultMessage } from './messages.js';
import { present, type Some } from './options.js';
import type { Supervisor } from './supervisor-options.js';
import { type SupervisorTree, supervisorTree } from './supervisor-tree.js';

/** How a system is started. */
export interface StartOptions {
  /**
   * Names the system in Redis. Systems of one name on one Redis are one system.
   * @bound 1 to 100 letters, digits, `.`, `_`, `-`
   */
  name: string;
  /**
   * `'memory:'` for an in-process Redis of its own, `redis://…`, `rediss://…`, ioredis options, an ioredis client of this or another
   * version (its options are taken), or a MemoryRedis to share. Required: nobody loses data by omission.
   */
  redis: RedisTarget;
  /**
   * Slices of all keys. Fixed for the life of the system; another number is refused (`SHARDS_MISMATCH`).
   * @default as recorded in Redis; 16 for a new system
   * @bound 1 to `MOST_SHARDS`
   */
  shards?: number | undefined;
  /**
   * How long a node that has gone silent keeps its partitions: the time that others wait after a crash.
   * @default '10s'
   * @bound at least '500ms'; in a config file at least '2s'
   */
  lease?: Duration | undefined;
  /**
   * How long a send waits for a Redis that is away or full.
   * @default '60s'
   * @bound at least 1 ms
   */
  sendTimeout?: Duration | undefined;
  /**
   * Supervisors as in the config file. Actor types that none of them names hang below the root, with the defaults.
   * @default none
   */
  supervisors?: readonly Supervisor[] | undefined;
  /**
   * An inversify container (7 or 8) that resolves the actors' dependencies. The start makes one actor of each class: what is not bound, or
   * bound to a promise, is refused then (`INJECTION_FAILED`).
   * @default none
   */
  container?: Container | undefined;
  /**
   * Makes an actor, in the place of a container: `(ActorClass) => instance`, or a promise of it, which each new activation waits for. Likewise
   * asked once at the start.
   * @default none
   */
  resolve?: Resolve | undefined;
  /**
   * A pino-shaped logger.
   * @default silent
   */
  logger?: Logger | undefined;
  /**
   * Takes out of an error's message or stack what must not stand in signals, logs, results and dead letters. An error's own properties and the
   * values that a schema quotes are left out without it. When it throws, the text is left out.
   * @default none: messages and stacks are kept as they are
   */
  redact?: Redact | undefined;
  /**
   * Runs on a Redis whose `maxmemory-policy` may delete keys. It will lose messages.
   * @default false
   */
  allowEviction?: boolean | undefined;
}

/** The ports that tests replace. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  /** of a new system when nobody says how many; default 16, for one with actors */
  readonly newShards?: number | undefined;
  /** bounds that a test lowers */
  readonly sizes?: Partial<Sizes> | undefined;
}

const SHARDS = 16;
const LEASE_MS = 10_000;
const SHORTEST_LEASE_MS = 500; // renewed every third of it: shorter ones are lost to an ordinary pause
const SEND_TIMEOUT_MS = 60_000;
const GRACE_MS = 10_000;

/** A durable actor system, embedded in this process. One process may embed several. */
export class ActorSystem implements AsyncDisposable {
  readonly #node: Node;
  readonly #classes: ReadonlyMap<string, ActorClass>;
  readonly #logger: Logger;

  private constructor(
    /** the name it was started with */
    readonly name: string,
    node: Node,
    classes: ReadonlyMap<string, ActorClass>,
    logger: Logger,
  ) {
    this.#node = node;
    this.#classes = classes;
    this.#logger = logger;
  }

  /**
   * Connects, records the system's settings and subscriptions, and begins to work. With `actors: []` it is a client only.
   * @throws InvalidValueError `INVALID_NAME`, `INVALID_OPTION`, `INVALID_DURATION`, `SHARDS_MISMATCH`; DefinitionError `NOT_AN_ACTOR`,
   *   `DUPLICATE_ACTOR`, `UNDEFINED_MESSAGE`, `WRONG_ACTOR`, `TWO_HANDLERS`, `UNKNOWN_ACTOR`; ErrandError `INJECTION_FAILED`; ConfigError for
   *   supervisors;
   *   RedisError `REDIS_UNREACHABLE`, `REDIS_AUTH`, `REDIS_TOO_OLD`, `REDIS_CLUSTER`, `REDIS_EVICTION`, …
   */
  static start<const A extends readonly ActorClass[]>(
    options: StartOptions & { actors: { [I in keyof A]: A[I] & Checked<A[I]> } },
  ): Promise<ActorSystem> {
    return ActorSystem.startWith(options, { clock: systemClock, random: systemRandom });
  }

  /**
   * Starts what a config file describes; its modules are imported, and their `bind(container)` is called.
   * @param path a YAML or JSON file
   * @param overrides win over what the file says; what is `undefined` does not
   * @throws ConfigError naming file, path, found and expected; otherwise as `start`
   */
  static async fromConfig(path: string, overrides: Some<StartOptions> = {}): Promise<ActorSystem> {
    const { checkActors, loadConfig } = await configReader();
    const config = await loadConfig(path);
    const { actors, binds } = await importModules<ActorClass, Container>(config, isActorClass);
    checkActors(
      config,
      actors.map((target) => typeOf(target).type),
    );
    let { container } = overrides;
    if (binds.length > 0) {
      container ??= (await loadInjection(`for bind(container) in ${path}`)).newContainer();
      for (const bind of binds) await bind(container);
    }
    const { file: _, modules: __, supervisors, ...given } = config;
    const ports = { clock: systemClock, random: systemRandom };
    const tree = overrides.supervisors === undefined ? supervisors : undefined;
    return ActorSystem.startWith({ ...given, ...present(overrides), container, actors }, ports, tree);
  }

  /** @internal `start` with the clock and chance of a test */
  static async startWith(
    options: StartOptions & { actors: readonly ActorClass[] },
    { newShards, ...ports }: Ports,
    parsed?: readonly SupervisorSettings[],
  ): Promise<ActorSystem> {
    const supervisors = parsed ?? (await supervisorsOf(options));
    const { name, redis, actors, allowEviction = false } = options;
    const logger = guarded(options.logger ?? silent);
    checkName(name, 'name');
    if (!Array.isArray(actors)) throw new InvalidValueError('INVALID_OPTION', 'actors', actors, 'a list of actor classes');
    const classes = new Map<string, ActorClass>();
    for (const target of actors as readonly ActorClass[]) {
      const { type } = typeOf(target);
      const other = classes.get(type);
      if (other !== undefined)
        throw new DefinitionError('DUPLICATE_ACTOR', `${other.name} and ${target.name} are both the actor '${type}'`);
      classes.set(type, target);
    }
    const { resolve, foreign } = await resolverFor(classes.values(), options.container, options.resolve);
    const behaviors = [...classes.values()].map((target) => behaviorOf(target, resolve, logger));
    if (foreign) for (const behavior of behaviors) await proven(behavior, ports.clock);
    const startOptions = {
      ...ports,
      name,
      logger,
      redact: options.redact,
      allowEviction,
      behaviors,
      supervisors,
      lease: atLeast(options.lease ?? LEASE_MS, SHORTEST_LEASE_MS, 'lease'),
      sendTimeout: atLeast(options.sendTimeout ?? SEND_TIMEOUT_MS, 1, 'sendTimeout'),
      shards: options.shards === undefined ? undefined : checkShards(options.shards),
      defaultShards: newShards ?? (behaviors.length > 0 ? SHARDS : undefined),
      store: await openStore(redis, ports.clock),
    };
    const node = await outside(() => Node.start(startOptions));
    return new ActorSystem(name, node, classes, logger);
  }

  /** how many slices all keys are cut into */
  get shards(): number {
    return this.#node.shards;
  }

  /** What happens, as it happens. */
  get signals(): Observable<Signal> {
    return this.#node.signals.observable;
  }

  /** Messages that reached their terminal failure, or wait for somebody to decide: `list`, `get`, `redrive`, `discard`. */
  get deadLetters(): DeadLetters {
    return this.#node.deadLetters;
  }

  /** The supervision tree of this node, as data; `spawn` and `stop` change it. */
  get supervisors(): SupervisorTree {
    return supervisorTree(this.#node.supervision);
  }

  /**
   * Sends a command, fire and forget. Resolves once it is durably appended.
   * @throws SchemaError `INVALID_DATA`, `NOT_JSON`, `ASYNC_SCHEMA`; LimitError `PAYLOAD_TOO_LARGE`; InvalidValueError `INVALID_KEY`, `INVALID_OPTION`;
   *   AppendRejected (not applied) `INBOX_FULL`, `IDEMPOTENCY_CONFLICT`, `PRODUCER_FULL`, or Redis' reason after `sendTimeout`;
   *   AppendUnknown `APPEND_UNKNOWN`; ErrandError `STOPPED`
   */
  tell<C extends Command>(command: C, data: InputOf<C>, options: SendOptions = {}): Promise<Receipt<C>> {
    return this.#send('command', 'tell', command, data, options);
  }

  /**
   * Sends a command and waits for its result. The answer survives the caller: `attach` finds it later, from any process.
   * @param options `timeout` default 30 s
   * @throws as `tell`; CommandFailed with the failure's code; AskTimeoutError `ASK_TIMEOUT`: the outcome is unknown, never failed
   */
  ask<C extends Command>(command: C, data: InputOf<C>, options: SendOptions & WaitOptions = {}): Promise<ResultOf<C>> {
    try {
      return this.#node.sender.ask(definitionAt(command, 'command', 'ask'), data, options) as Promise<ResultOf<C>>;
    } catch (error) {
      return Promise.reject(error); // as `#send`
    }
  }

  /**
   * The answer to a command sent earlier, from any process: of an `ask`, or a `tell` with `track` or `idempotencyKey`. Kept for a day.
   * @throws CommandFailed; AskTimeoutError `ASK_TIMEOUT`; ErrandError `NOT_TRACKED`, `STOPPED`
   */
  async attach<C extends Command>(command: C, messageId: string, options: WaitOptions = {}): Promise<ResultOf<C>> {
    return this.#node.sender.attach(definitionAt(command, 'command', 'attach'), messageId, options) as Promise<ResultOf<C>>;
  }

  /**
   * Cancels a command, wherever it was sent from. A running handler's `signal` is aborted, and what it did is not committed.
   * @returns `'cancelled'`: it ends as `failed`, `CANCELLED`, and never completes, at once where its partition has an owner. `'too-late'`: it has its outcome already, or there is no such command
   * @throws InvalidValueError `INVALID_ID`; RedisError
   */
  async cancel(messageId: string): Promise<Cancellation> {
    return this.#node.cancels.cancel(messageId);
  }

  /** Records a fact for whoever subscribes. Resolves and throws as `tell`, but no backlog refuses it. */
  publish<E extends Event>(event: E, data: InputOf<E>, options: SendOptions = {}): Promise<Receipt<E>> {
    return this.#send('event', 'publish', event, data, options);
  }

  /** Not `async`, which would make a second promise for the sender's, three turns late. */
  #send(kind: 'command' | 'event', verb: string, message: unknown, data: unknown, options: SendOptions): Promise<SentReceipt> {
    try {
      return this.#node.sender.send(definitionAt(message, kind, verb), data, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The results of a command, of all keys. What this system sends after `subscribe()` is always seen; for anyone else's use `from`.
   * @param options `from` default `'now'`
   * @throws InvalidValueError `INVALID_POSITION`
   */
  results<C extends Command>(command: C, options: { from?: From | undefined } = {}): Observable<ResultMessage<C>> {
    const definition = definitionAt(command, 'command', 'results');
    return this.#node.observatory.results(definition, options.from ?? 'now') as Observable<ResultMessage<C>>;
  }

  /** The facts of one kind; likewise. */
  events<E extends Event>(event: E, options: { from?: From | undefined } = {}): Observable<EventMessage<E>> {
    const definition = definitionAt(event, 'event', 'events');
    return this.#node.observatory.events(definition, options.from ?? 'now') as Observable<EventMessage<E>>;
  }

  /**
   * The committed state of one actor, from any node; undefined when it has none.
   * @throws InvalidValueError `INVALID_KEY`; SchemaError `INVALID_STATE`; DefinitionError `NOT_AN_ACTOR`
   */
  async state<A extends AnyActor>(actor: A, key: string): Promise<StateOf<A> | undefined> {
    const { type } = typeOf(actor);
    const json = await this.#node.state(type, checkKey(key, 'key'));
    if (json === undefined) return undefined;
    const target = this.#classes.get(type) ?? (actor as unknown as ActorClass);
    return behaviorOf(target, neverMade, this.#logger).parseState(json) as StateOf<A>;
  }

  /**
   * Resolves when everything appended that a live node can settle is settled, and everything due now has fired. Keys that wait for a retry
   * count; parked messages and schedules for later do not.
   * @param options `timeout` default 30 s
   * @throws IdleTimeoutError `IDLE_TIMEOUT` with what is left, per partition
   */
  async idle(options: WaitOptions = {}): Promise<void> {
    await this.#node.idle(options);
  }

  /** Drains: finishes what is in hand, commits, releases. @param options `grace` how long that may take; default 10 s */
  async stop(options: { grace?: Duration | undefined } = {}): Promise<void> {
    await this.#node.stop(milliseconds(options.grace ?? GRACE_MS, 'grace'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Loaded when first needed: its schemas and YAML take a third of the time that `import 'errand'` would. */
const configReader = (): Promise<typeof import('./config.js')> => import('./config.js');

async function supervisorsOf({ supervisors }: StartOptions): Promise<readonly SupervisorSettings[]> {
  return supervisors === undefined ? [] : (await configReader()).parseSupervisors(supervisors, 'supervisors');
}

/** How long the start waits for the user's `resolve` to make one actor. */
const MAKING_MS = 30_000;

async function proven(behavior: Provable, clock: Clock): Promise<void> {
  let settled = false;
  const proof = behavior.prove().finally(() => (settled = true));
  await within(clock, MAKING_MS, proof);
  if (!settled)
    throw new ErrandError('INJECTION_FAILED', `the actor ${behavior.type} cannot be made: resolve has not answered within ${MAKING_MS} ms`);
  await proof;
}

/** For a class that is only asked how to read its state. */
const neverMade: Resolve = ({ name }) => {
  invariant(false, `no ${name} is made to read a state`);
};

function atLeast(value: Duration, least: number, name: string): number {
  const ms = milliseconds(value, name);
  if (ms < least) throw new InvalidValueError('INVALID_DURATION', name, value, `at least ${least} ms`);
  return ms;
}

function checkShards(count: number): number {
  if (Number.isInteger(count) && count >= 1 && count <= MOST_SHARDS) return count;
  throw new InvalidValueError('INVALID_OPTION', 'shards', count, `a whole number from 1 to ${MOST_SHARDS}`);
}
