import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { ActorSystem, AppendRejected, type ResultMessage } from '../../src/index.js';
import { fraction, seededRandom } from '../../src/message/random.js';
import { pause, until, Worker } from './fleet.js';
import { type RunningRedis, redisServerOnPath, startRedisServer } from './redis-server.js';
import { DEADLY, Word } from './words.js';

/**
 * What the tests of faults stand on: a redis-server that forgets nothing (`appendfsync always`), workers in processes of their own, a client
 * that tells words key by key, and a check that takes the store as the only witness.
 */

const SHARDS = 16;
export const LEASE_MS = 2_000;
/** Section 5 of the design: a dead node's partitions are worked on again within this. */
export const TAKEN_OVER_MS = LEASE_MS + 1_000;
/** An upper bound for everything to be settled after the last fault; what it really takes is a second or two. */
const HEALED_MS = 40_000;
const ARGS = ['--appendonly', 'yes', '--appendfsync', 'always', '--enable-debug-command', 'local'];
const NAME = 'faults';

export interface Load {
  readonly keys: number;
  /** for each key */
  readonly words: number;
  /** over which the words are spread, ms */
  readonly during: number;
  /** characters that each word and each result carry beside what they need; none when left out */
  readonly fill?: number;
  /** asked before each word: false ends it early */
  readonly goOn?: () => boolean;
  /** so many words may wait for their results; any number when left out */
  readonly ahead?: number;
}

export interface Picture {
  readonly states: ReadonlyMap<string, { readonly version: number; readonly words: readonly string[] }>;
  readonly results: { readonly id: string; readonly key: string; readonly data: string }[];
  readonly letters: { readonly id: string; readonly reason: string }[];
  readonly wrong: string[];
}

export class FaultWorld {
  readonly workers: Worker[] = [];
  readonly random;
  readonly #told = new Map<string, string[]>();
  /** message id → which word of which key */
  readonly #ids = new Map<string, string>();
  readonly #seen = new Map<string, number>();
  /** messages that kill whoever handles them */
  readonly #deadly = new Set<string>();
  readonly #everyWorker: Worker[] = [];
  readonly raw: Redis;
  /** what the words carry */
  #fill: { fill?: string } = {};
  #client: ActorSystem | undefined;

  constructor(
    readonly t: ExecutionContext,
    readonly server: RunningRedis,
    seed: number,
  ) {
    this.random = seededRandom(seed);
    this.raw = new Redis(server.url, { protocol: 2, replyMapping: 'legacy' });
    this.raw.on('error', () => undefined); // Redis is killed now and then
  }

  readonly below = (n: number): number => Math.floor(fraction(this.random) * n);

  oneOf<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** One raw command, past all proxies. */
  redis(command: string, ...args: (string | number)[]): Promise<unknown> {
    return this.raw.call(command, ...args);
  }

  get client(): ActorSystem {
    if (this.#client === undefined) throw new Error('the client is not started');
    return this.#client;
  }

  /** How many of the words told so far have their result. */
  get settled(): number {
    return this.#seen.size;
  }
  get told(): number {
    return this.#ids.size;
  }

  async startWorker(redis: string = this.server.url): Promise<Worker> {
    const worker = new Worker({ name: NAME, redis, shards: SHARDS, lease: `${LEASE_MS}ms` });
    this.#everyWorker.push(worker);
    await worker.ready();
    this.workers.push(worker);
    return worker;
  }

  async startWorkers(count: number, redis?: string): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.startWorker(redis)));
    await until('every partition has an owner', HEALED_MS, async () => (await this.owners()).every((node) => node !== null));
  }

  /** A system that hosts nothing, in this process. The first one is the client that tells and sees the results. */
  async startClient({ redis = this.server.url, sendTimeout = 60_000 } = {}): Promise<ActorSystem> {
    const client = await ActorSystem.start({ name: NAME, redis, shards: SHARDS, sendTimeout, actors: [] });
    if (this.#client === undefined) {
      this.#client = client;
      client.results(Word, { from: 'start' }).subscribe((result: ResultMessage<typeof Word>) => {
        this.#seen.set(result.messageId, (this.#seen.get(result.messageId) ?? 0) + 1);
      });
    } else this.t.teardown(() => client.stop({ grace: 0 }));
    return client;
  }

  partition(shard: number): string {
    return `{${NAME}:${shard}}:list:partition`;
  }

  /** Which node Redis takes for the owner, for each shard. */
  async owners(): Promise<(string | null)[]> {
    return Promise.all(
      Array.from({ length: SHARDS }, (_, shard) => this.redis('HGET', this.partition(shard), 'node') as Promise<string | null>),
    );
  }

  /** The shards that `worker` owns, in Redis' eyes. */
  async ownedBy({ node }: Worker): Promise<number[]> {
    return (await this.owners()).flatMap((owner, shard) => (owner === node ? [shard] : []));
  }

  /** A worker that owns something: its fair share of a few partitions may be none. */
  async anOwner(): Promise<Worker> {
    let found: Worker | undefined;
    await until('a worker owns something', HEALED_MS, async () => {
      const owners = await this.owners();
      const candidates = this.workers.filter(({ node }) => owners.includes(node));
      if (candidates.length > 0) found = this.oneOf(candidates);
      return found !== undefined;
    });
    return found as Worker;
  }

  /** Messages that stand in the inboxes. */
  backlog(): Promise<number> {
    return this.#lengths('commands');
  }

  /** Results that stand in Redis, whether or not the client has seen them. */
  results(): Promise<number> {
    return this.#lengths('results');
  }

  async #lengths(stream: string): Promise<number> {
    const keys = Array.from({ length: SHARDS }, (_, shard) => `{${NAME}:${shard}}:list:${stream}`);
    const lengths = await Promise.all(keys.map((key) => this.redis('XLEN', key)));
    return lengths.reduce((sum: number, length) => sum + Number(length), 0);
  }

  /**
   * Tells word after word, each key's in order, each awaited. A refusal is told again: it was not applied. That nobody knows may only happen to a
   * word with an idempotency key; every second word has none, and must land once by its producer's sequence alone.
   */
  async tell(
    { keys, words, during, fill = 0, goOn = () => true, ahead }: Load,
    from: ActorSystem = this.client,
    prefix = 'k',
  ): Promise<void> {
    const begun = performance.now();
    this.#fill = fill === 0 ? {} : { fill: 'x'.repeat(fill) };
    const tellAll = async (key: string): Promise<void> => {
      const list: string[] = [];
      this.#told.set(key, list);
      for (let i = 0; i < words && goOn(); i += 1) {
        const early = begun + (during * i) / words - performance.now();
        if (early > 0) await pause(early);
        if (ahead !== undefined) await this.#settledUpTo(ahead, goOn);
        const word = `${key}.${i}`;
        const options = i % 2 === 0 ? {} : { idempotencyKey: word };
        for (;;) {
          try {
            const { messageId } = await from.tell(Word, { key, word, work: i % 5, ...this.#fill }, options);
            this.#ids.set(messageId, word);
            break;
          } catch (error) {
            if (!(error instanceof AppendRejected) && i % 2 === 0) throw error;
          }
        }
        list.push(word);
      }
    };
    await Promise.all(Array.from({ length: keys }, (_, i) => tellAll(`${prefix}${i}`)));
  }

  /** Fewer than so many of the words told wait for their results, or nothing more is to be told. */
  async #settledUpTo(ahead: number, goOn: () => boolean): Promise<void> {
    while (this.told - this.settled >= ahead && goOn()) await pause(2);
  }

  /** Tells a word that kills whoever handles it: it must end as a dead letter, with the words of its key after it untouched. */
  async tellDeadly(key: string): Promise<string> {
    const { messageId } = await this.client.tell(Word, { key, word: 'deadly', work: DEADLY });
    this.#deadly.add(messageId);
    return messageId;
  }

  /** Waits until everything has its result, then holds the store against what was told. */
  async check(): Promise<void> {
    const { t } = this;
    try {
      await until('every word has its result', HEALED_MS, () => this.#seen.size >= this.#ids.size + this.#deadly.size);
      await until('the inboxes are empty', HEALED_MS, async () => (await this.backlog()) === 0);
    } catch (error) {
      t.log(`${this.#ids.size} told, ${this.#seen.size} results, backlog ${await this.backlog()}, owners ${String(await this.owners())}`);
      for (const worker of this.workers) t.log(`worker ${worker.pid}: ${JSON.stringify(worker.signals.slice(-12))}`);
      throw error;
    }
    const { states, results: all, letters: wrote, wrong } = await this.picture();
    const results = new Map<string, number>();
    const letters = wrote.map(({ reason, id }) => `${reason} ${id}`);
    for (const { id, data } of all) {
      results.set(id, (results.get(id) ?? 0) + 1);
      if (this.#deadly.has(id)) {
        if (!data.includes('DEAD_LETTERED')) wrong.push(`${id}: ${data}`);
        continue;
      }
      const word = this.#ids.get(id) ?? '';
      const length = Number(word.slice(word.indexOf('.') + 1)) + 1;
      if (data !== JSON.stringify({ word, length, ...this.#fill })) wrong.push(`${word}: ${data.slice(0, 200)}`);
    }
    t.deepEqual(wrong, [], 'nothing is left over, and each result is its own');
    const expected = [...this.#told].map(([key, words]) => [key, { version: words.length, words }] as const);
    for (const [key, list] of expected) t.deepEqual(states.get(key), list, `the words of ${key}, in their order, each once`);
    t.is(states.size, expected.length, 'no other state');
    t.deepEqual(letters.sort(), [...this.#deadly].map((id) => `POISON ${id}`).sort(), 'the deadly words are dead letters, and no other');
    t.deepEqual([...results.keys()].sort(), [...this.#ids.keys(), ...this.#deadly].sort(), 'a result for each message');
    t.true(
      [...results.values()].every((count) => count === 1),
      'one result for each message',
    );
    t.deepEqual(Object.fromEntries(this.#seen), Object.fromEntries(results), 'an observer saw each result once');
  }

  /** What the store holds: states by key, results in the order of their streams, and keys that should not be there. */
  async picture(): Promise<Picture> {
    const states = new Map<string, { version: number; words: string[] }>();
    const results: Picture['results'] = [];
    const letters: Picture['letters'] = [];
    const wrong: string[] = [];
    for (const key of ((await this.redis('KEYS', '*')) as string[]).sort()) {
      const place = key.slice(key.startsWith('{') ? key.indexOf('}:') + 2 : 0);
      if (place.startsWith('list:state:')) {
        const text = String(await this.redis('GET', key));
        const gap = text.indexOf(' ');
        states.set(place.slice('list:state:'.length), {
          version: Number(text.slice(0, gap)),
          ...(JSON.parse(text.slice(gap + 1)) as { words: string[] }),
        });
      } else if (place === 'list:results') {
        for (const [, fields] of (await this.redis('XRANGE', key, '-', '+')) as [string, string[]][]) {
          const field = (name: string): string => fields[fields.indexOf(name) + 1] as string;
          results.push({ id: field('causationid'), key: field('subject'), data: field('data') });
        }
      } else if (place === 'list:dead') {
        for (const [, fields] of (await this.redis('XRANGE', key, '-', '+')) as [string, string[]][])
          letters.push({ id: fields[fields.indexOf('id') + 1] as string, reason: fields[fields.indexOf('reason') + 1] as string });
      } else if (place === 'list:commands') {
        if ((await this.redis('XLEN', key)) !== 0) wrong.push(`${key} is not empty`);
      } else if (!/^(types|list:partition|outcome:.*|producer:.*|faults:(system|nodes))$/.test(place)) wrong.push(`${key} is left over`);
    }
    return { states, results, letters, wrong };
  }

  async stop(): Promise<void> {
    await this.#client?.stop({ grace: 0 });
    await Promise.all(this.#everyWorker.filter(({ over }) => !over).map((worker) => worker.kill()));
    this.raw.disconnect();
  }
}

/** `FAULTS_SEED` draws other faults; what time does to a run of real processes no seed repeats. */
export const SEED = Number(process.env['FAULTS_SEED'] ?? 1);

const present = redisServerOnPath();
let told = false;

/** One test on a redis-server of its own. `ms`: what it may take at most. */
export function faultTest(title: string, ms: number, body: (world: FaultWorld) => Promise<void>): void {
  if (!present) {
    if (!told) console.warn('redis-server is not on PATH: the faults on real processes are left out');
    told = true;
    return test.skip(title, (t) => t.fail());
  }
  test.serial(title, async (t) => {
    t.timeout(ms);
    const server = await startRedisServer({ args: ARGS });
    const world = new FaultWorld(t, server, SEED);
    try {
      await body(world);
    } finally {
      await world.stop();
      await server.stop();
    }
  });
}
