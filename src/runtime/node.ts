import { Appender } from '../log/appender.js';
import { Link } from '../log/connection.js';
import { Keys } from '../log/keys.js';
import { hostedTypes } from '../log/nodes.js';
import { Reader } from '../log/reader.js';
import { dealingWith } from '../log/redis-error.js';
import { checkRights } from '../log/rights.js';
import { loadScripts } from '../log/scripts.js';
import { checkServer } from '../log/server-check.js';
import { readStates } from '../log/state.js';
import type { Store } from '../log/store.js';
import { recordedSubscriptions } from '../log/subscriptions.js';
import { recordedActorTypes, recordShards } from '../log/system-record.js';
import { ToldTypes } from '../log/told-types.js';
import type { Clock, Timer } from '../message/clock.js';
import { type Duration, milliseconds } from '../message/duration.js';
import { asError, codeOf, ErrandError, IdleTimeoutError, invariant, type Unsettled } from '../message/errors.js';
import { Ids } from '../message/ids.js';
import { type Random, token } from '../message/random.js';
import { SIZES, type Sizes } from '../message/sizes.js';
import { Asks } from './asks.js';
import type { Behavior } from './behavior.js';
import { type Build, versionOf } from './build.js';
import { Cancels } from './cancels.js';
import { DeadLetters } from './dead-letters.js';
import { Gate } from './gate.js';
import type { Deps } from './host.js';
import { type Subscriber, unsettled } from './idle.js';
import { Branch } from './inbox.js';
import { LogWatch } from './log-watch.js';
import { type Logger, silent } from './logger.js';
import { Membership } from './membership.js';
import { Observatory } from './observe.js';
import { Composer } from './outgoing.js';
import { Ownership } from './ownership.js';
import { Pulse } from './pulse.js';
import { type Redact, Redaction } from './redaction.js';
import { Redrives } from './redrives.js';
import { Registration } from './registration.js';
import { Retention } from './retention.js';
import { Sender } from './sender.js';
import { logSignal } from './signal-log.js';
import { Signals } from './signals.js';
import { Supervision } from './supervision.js';
import type { SupervisorSettings } from './supervision-settings.js';

export interface NodeOptions {
  readonly name: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** takes out of errors what must not leave the process */
  readonly redact: Redact | undefined;
  /** undefined: as recorded */
  readonly shards: number | undefined;
  /** how many a new system gets when nobody says; undefined for a client */
  readonly defaultShards: number | undefined;
  readonly lease: number; // ms
  readonly sendTimeout: number; // ms
  readonly allowEviction: boolean;
  readonly behaviors: readonly Behavior[];
  readonly supervisors: readonly SupervisorSettings[];
  /** those that a test lowers */
  readonly sizes?: Partial<Sizes> | undefined;
}

/** Between looks at whether everything is settled, when nothing else says that it is time. */
const IDLE_POLL_MS = 100;
const IDLE_MS = 30_000;
/** A node that fails still appends what it was told before. */
const APPENDS_MS = 10_000;

/**
 * One running system on one process: its connections, its actors, and what users do with it.
 * Connections: `control` for commits and whatever else an owner does; one each for appends, for the blocking read of inboxes,
 * and, once somebody needs them, for observers and for wake-ups.
 */
export class Node {
  readonly id: string;
  readonly signals: Signals;
  private constructor(
    private readonly options: NodeOptions,
    private readonly parts: Parts,
  ) {
    this.id = parts.deps.node;
    this.signals = parts.deps.signals;
  }

  /** Connects, checks that this Redis will do, records what must be recorded, and begins to work. */
  static async start(options: NodeOptions): Promise<Node> {
    const { clock, random, store, name } = options;
    const node = token(random);
    const signals = new Signals(() => clock.now());
    if (options.logger !== silent) signals.observable.subscribe((signal) => logSignal(options.logger, signal));
    const links: Link[] = [];
    const logWatch = new LogWatch(clock, signals, options.logger, node);
    let root: Branch | undefined;
    // A server that is too old cannot even read the scripts: nothing is asked of it before it is known to be new enough.
    let fit = false;
    const link: MakeLink = (purpose, greet) => {
      const greeting: Greeting = async (redis) => {
        if (!fit) return;
        await logWatch.greet((command, ...args) => redis.call(command, ...args));
        await greet?.(redis);
      };
      const reads = purpose === 'read' || purpose === 'observe'; // what others have written, however large it is
      const made = new Link({ store, name: `errand:${name}:${purpose}`, clock, random, greet: greeting, patient: reads });
      links.push(made);
      return made;
    };
    try {
      const control = link('control', loadScripts);
      await control.open();
      for (const unseen of await checkServer(control, options.allowEviction)) options.logger.warn({ node }, unseen);
      await logWatch.greet((command, ...args) => control.call(command, args));
      fit = true;
      if (!store.inProcess)
        await checkRights(
          control,
          keysToCome(options),
          options.behaviors.map(({ type }) => type),
        );
      const shards = await recordShards(control, name, options.shards, options.defaultShards);
      const parts = assemble(options, node, signals, control, new Keys(name, shards), link);
      ({ root } = parts);
      const started = new Node(options, { ...parts, links });
      await started.#begin();
      logWatch.started();
      return started;
    } catch (error) {
      for (const made of links) made.close();
      root?.stop(); // nact keeps what is not stopped
      await store.close();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const { behaviors, logger } = this.options;
    const { deps, append, read, registration, ownership, supervision } = this.parts;
    supervision.actOn(ownership);
    this.parts.failure.then((reason) => this.stop(0, reason)).catch(() => undefined);
    const { link, keys, reader, signals } = deps;
    await append.open();
    link.onDown(() => signals.emit({ kind: 'disconnected' }));
    link.onUp(() => signals.emit({ kind: 'connected' }));
    if (behaviors.length > 0) {
      await read.open();
      await registration.record();
      reader.start();
      await ownership.start();
    }
    this.parts.retention.start();
    const actors = supervision.hosts.map(({ type }) => type);
    signals.emit({ kind: 'started', node: this.id, actors });
    logger.info({ node: this.id, actors, shards: keys.shards }, `${this.options.name} started`);
  }

  get shards(): number {
    return this.parts.deps.keys.shards;
  }
  get sender(): Sender {
    this.#assertRunning();
    return this.parts.sender;
  }
  get observatory(): Observatory {
    this.#assertRunning();
    return this.parts.observatory;
  }
  get deadLetters(): DeadLetters {
    this.#assertRunning();
    return this.parts.deadLetters;
  }
  get cancels(): Cancels {
    this.#assertRunning();
    return this.parts.cancels;
  }
  get supervision(): Supervision {
    return this.parts.supervision;
  }

  /** The committed state's JSON text, or undefined. */
  async state(type: string, key: string): Promise<string | undefined> {
    this.#assertRunning();
    const { keys, link, composer } = this.parts.deps;
    const [stored] = await readStates(link, [keys.state(type, composer.shardOf(key), key)]);
    if (stored instanceof Error) throw stored;
    return stored?.json;
  }

  /** @throws IdleTimeoutError `IDLE_TIMEOUT` with what is left; the signal's reason; ErrandError `STOPPED` */
  async idle(options: { timeout?: Duration | undefined; signal?: AbortSignal | undefined }): Promise<void> {
    this.#assertRunning();
    const timeout = milliseconds(options.timeout ?? IDLE_MS, 'timeout');
    const { clock } = this.options;
    const { deps, supervision, appender } = this.parts;
    const own = (): Build =>
      new Map(supervision.hosts.flatMap(({ state, type, version }) => (state === 'stopped' ? [] : [[type, version] as const])));
    let subscribers: readonly Subscriber[] | undefined;
    const look = async (): Promise<Unsettled[] | undefined> => {
      try {
        subscribers ??= await this.#subscribers();
        return await unsettled(deps.link, deps.keys, clock, subscribers, own());
      } catch (error) {
        if (over || !dealingWith(error).wait) throw error;
        return undefined; // waited out, like everywhere else
      }
    };
    let over = false;
    let limit: Timer | undefined;
    const expired = new Promise<void>((resolve) => {
      limit = clock.after(timeout, () => {
        over = true;
        resolve();
      });
    });
    try {
      for (;;) {
        this.#assertRunning();
        if (options.signal?.aborted) throw asError(options.signal.reason);
        // From before the look on: what is settled while it is under way must not be missed.
        const beat = deps.pulse.next();
        // Nothing can be settled while something is still in this process's own hands.
        const busy =
          appender.pending > 0 || supervision.hosts.some(({ partitions }) => [...partitions.values()].some(({ quiet }) => !quiet));
        if (!busy || over) {
          const left = await look();
          if (left?.length === 0 && appender.pending === 0) return;
          if (over && left !== undefined) throw new IdleTimeoutError(left, timeout);
        }
        await this.#pause(expired, beat);
      }
    } finally {
      limit?.cancel();
    }
  }

  /** A while, or less when this node settles something meanwhile. */
  async #pause(expired: Promise<void>, beat: Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const passed = new Promise<void>((resolve) => {
      timer = this.options.clock.after(IDLE_POLL_MS, resolve);
    });
    await Promise.race([passed, expired, beat]);
    timer?.cancel();
  }

  async #subscribers(): Promise<Subscriber[]> {
    const { link, keys } = this.parts.deps;
    const [types, subscriptions] = await Promise.all([recordedActorTypes(link, keys), recordedSubscriptions(link, keys)]);
    return types.map((type) => ({ type, events: subscriptions.filter((one) => one.type === type).map(({ event }) => event) }));
  }

  #stopping: Promise<void> | undefined;

  /**
   * Drains and releases everything; the same promise however often it is called.
   * @param reason when nobody asked for it: a supervisor at the top has failed
   */
  stop(grace: number, reason?: ErrandError): Promise<void> {
    this.#stopping ??= this.#stop(grace, reason);
    return this.#stopping;
  }

  async #stop(grace: number, reason: ErrandError | undefined): Promise<void> {
    const { deps, appender, retention, ownership, observatory, supervision, root, links } = this.parts;
    supervision.end();
    appender.close();
    retention.stop();
    // What was told meanwhile is no part of a failure.
    await Promise.all([ownership.stop(grace), appender.drained(reason === undefined ? grace : APPENDS_MS)]);
    appender.abandon();
    deps.asks.stop();
    await observatory.stop();
    await deps.reader.stop();
    supervision.stopAll();
    root.stop();
    for (const link of links) link.close();
    await this.options.store.close();
    const { name, logger } = this.options;
    if (reason === undefined) {
      deps.signals.emit({ kind: 'stopped', node: this.id });
      logger.info({ node: this.id }, `${name} stopped`);
    } else {
      const { code, message } = reason;
      deps.signals.emit({ kind: 'stopped', node: this.id, reason: { code, message } });
      logger.error({ node: this.id, err: deps.redaction.logged(reason) }, `${name} stopped by itself`);
    }
    deps.signals.complete();
  }

  #assertRunning(): void {
    if (this.#stopping !== undefined) throw new ErrandError('STOPPED', 'the system was stopped');
  }
}

/** As many as the system has or will have: the rights to a key do not depend on how many there are. */
function keysToCome({ name, shards, defaultShards }: NodeOptions): Keys {
  return new Keys(name, shards ?? defaultShards ?? 1);
}

interface Parts {
  readonly deps: Deps;
  readonly append: Link;
  readonly read: Link;
  readonly appender: Appender;
  readonly sender: Sender;
  readonly observatory: Observatory;
  readonly registration: Registration;
  readonly ownership: Ownership;
  readonly supervision: Supervision;
  /** resolves when a supervisor at the top has failed */
  readonly failure: Promise<ErrandError>;
  readonly retention: Retention;
  readonly deadLetters: DeadLetters;
  readonly cancels: Cancels;
  readonly root: Branch;
  readonly links: readonly Link[];
}

type Greeting = typeof loadScripts;
type MakeLink = (purpose: string, greet?: Greeting) => Link;

function assemble(options: NodeOptions, node: string, signals: Signals, control: Link, keys: Keys, link: MakeLink): Omit<Parts, 'links'> {
  const { clock, random, logger, name, sendTimeout, lease, behaviors, supervisors } = options;
  const fault = (where: string, error: Error): void =>
    signals.emit({ kind: 'fault', where, code: codeOf(error, 'FAULT'), message: error.message });
  const ids = new Ids(clock, random);
  const sizes = { ...SIZES, ...options.sizes };
  const composer = new Composer(clock, ids, keys, sizes);
  const append = link('append', loadScripts);
  const told = new ToldTypes();
  for (const one of [append, control]) one.onDown(() => told.forget());
  const appender = new Appender({ link: append, keys, clock, producer: token(random), told, sendTimeout });
  let reader: Reader | undefined;
  const read = link('read', (redis) => {
    invariant(reader !== undefined, 'the reader is made before its connection');
    return reader.greeting(redis);
  });
  reader = new Reader(read, control, clock, (error) => fault('reader', error), 1, sizes.entry);
  const asks = new Asks(node, keys, clock, control, link('wake'));
  const observatory = new Observatory(keys, control, clock, (greet) => link('observe', greet), fault, sizes.entry);
  const build = new Map(behaviors.map((behavior) => [behavior.type, versionOf(behavior)]));
  const deps: Deps = {
    node,
    keys,
    clock,
    random,
    composer,
    link: control,
    reader,
    told,
    asks,
    signals,
    logger,
    redaction: new Redaction(options.redact),
    pulse: new Pulse(),
    gate: new Gate(),
    membership: new Membership({ node, keys, link: control }, lease, build),
  };
  const root = Branch.root(`${name}-${node}`);
  let failed: (reason: ErrandError) => void = () => undefined;
  const failure = new Promise<ErrandError>((resolve) => {
    failed = resolve;
  });
  const supervision = new Supervision(deps, root, behaviors, supervisors, (reason) => failed(reason));
  const registration = new Registration(deps, behaviors);
  const ownership = new Ownership(deps, supervision, lease, registration);
  const unhosted = new Unhosted(deps, supervision);
  const sender = new Sender(name, keys, composer, appender, asks, observatory, (type) => unhosted.check(type));
  const retention = new Retention(deps, supervision);
  const deadLetters = new DeadLetters(keys, control, new Redrives(keys, control, appender, clock, ids, signals));
  const cancels = new Cancels(keys, control, appender, clock, ids);
  return {
    deps,
    append,
    read,
    appender,
    sender,
    observatory,
    registration,
    ownership,
    supervision,
    failure,
    retention,
    deadLetters,
    cancels,
    root,
  };
}

const AGAIN_MS = 10_000;

/** Says so when a command goes to a type that no live node hosts; looked up at most once in a while for each type. */
class Unhosted {
  /** when each type was looked up last, monotonic ms */
  readonly #last = new Map<string, number>();

  constructor(
    private readonly deps: Deps,
    private readonly supervision: Supervision,
  ) {}

  check(type: string): void {
    if (this.supervision.runs(type)) return;
    const now = this.deps.clock.monotonic();
    const last = this.#last.get(type);
    if (last !== undefined && now - last < AGAIN_MS) return;
    this.#last.set(type, now);
    const { link, keys, signals } = this.deps;
    hostedTypes(link, keys).then(
      (live) => {
        if (!live.has(type)) signals.emit({ kind: 'unhosted', actor: type });
      },
      () => undefined, // away for now: nothing can be said
    );
  }
}
