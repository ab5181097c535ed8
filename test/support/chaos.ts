import type { ExecutionContext } from 'ava';
import { z } from 'zod';
import {
  Actor,
  type ActorClass,
  type ActorContext,
  type ActorSystem,
  actor,
  command,
  type DataOf,
  event,
  handles,
  subscribes,
  TerminalError,
} from '../../src/index.js';
import { crc16 } from '../../src/log/shard.js';
import { fraction, seededRandom } from '../../src/message/random.js';

/**
 * One run of everything at once, drawn from one seed: nodes come and go, connections are cut, partitions are stolen, handlers fail, while
 * words are told key by key. Then all heals, and the store must show exactly what was told.
 */

const Word = command('word', {
  to: 'list',
  key: (d) => d.key,
  data: z.object({ key: z.string(), word: z.string() }),
  result: z.object({ length: z.number() }),
});
const Echo = command('echo', { to: 'echo', key: (d) => `echo ${d.word}`, data: z.object({ word: z.string() }) });
const Heard = event('heard', { key: (d) => d.key, data: z.object({ key: z.string(), word: z.string() }) });

/** What a run stands on. */
export interface World {
  /** the system's name, and so the beginning of its keys */
  readonly name: string;
  readonly start: (actors: readonly ActorClass[], options: object) => Promise<ActorSystem>;
  readonly redis: (command: string, ...args: (string | number)[]) => Promise<unknown>;
  /** Lets time pass. */
  readonly pass: (ms: number) => Promise<void>;
  /** Passes time inside a handler. */
  readonly sleep: (ms: number) => Promise<void>;
}

export interface Plan {
  readonly keys: number;
  readonly words: number;
  /** faults, one after the other */
  readonly faults: number;
  readonly lease: `${number}ms`;
}

const SHARDS = 3;
/** Time that a healed system may take to settle everything, ms. */
const HEALED_MS = 20_000;

/** What becomes of a word, drawn from the seed and the word alone. */
function fateOf(seed: number, word: string): { failures: number; declined: boolean; slow: boolean; echoed: boolean } {
  const fate = crc16(`${seed}/${word}`) % 10;
  return { failures: fate < 3 ? fate + 1 : 0, declined: fate === 3, slow: fate === 4 || fate === 2, echoed: fate === 5 || fate === 1 };
}

function actorsOf(seed: number, world: World, pipelined: boolean): readonly ActorClass[] {
  @actor('list', { pipelined })
  class List extends Actor<{ words: string[] }> {
    override initialState() {
      return { words: [] as string[] };
    }

    @handles(Word)
    async onWord({ key, word }: DataOf<typeof Word>, ctx: ActorContext) {
      const { failures, declined, slow, echoed } = fateOf(seed, word);
      this.state.words.push(word);
      ctx.publish(Heard, { key, word });
      if (echoed) ctx.tell(Echo, { word }, { delay: '70ms' });
      if (slow) await world.sleep(40);
      if (declined) throw new TerminalError('declined', { code: 'DECLINED' });
      if (ctx.attempt <= failures) throw new Error(`attempt ${ctx.attempt} at ${word}`);
      return { length: this.state.words.length };
    }
  }

  @actor('echo')
  class Echoing extends Actor<{ words: string[] }> {
    override initialState() {
      return { words: [] as string[] };
    }

    @handles(Echo)
    onEcho({ word }: DataOf<typeof Echo>, ctx: ActorContext) {
      this.state.words.push(word);
      if (ctx.attempt <= fateOf(seed, `echo of ${word}`).failures) throw new Error(`attempt ${ctx.attempt} at the echo of ${word}`);
    }
  }

  @actor('ear')
  class Ear extends Actor<{ words: string[] }> {
    override initialState() {
      return { words: [] as string[] };
    }

    @subscribes(Heard, { key: () => 'all', from: 'start' })
    onHeard({ word }: DataOf<typeof Heard>) {
      this.state.words.push(word);
    }
  }
  return [List, Echoing, Ear];
}

/** Lets time pass until `work` is done, or `ms` have passed. */
async function during(world: World, work: Promise<unknown>, ms: number): Promise<void> {
  const state = { over: false };
  const done = work.finally(() => {
    state.over = true;
  });
  done.catch(() => undefined);
  for (let waited = 0; !state.over && waited < ms; waited += 50) await world.pass(50);
  if (!state.over) throw new Error(`not done within ${ms} ms`);
  await done;
}

/** @throws AssertionError naming the seed, on anything that is not as it was told */
export async function chaos(t: ExecutionContext, world: World, seed: number, plan: Plan): Promise<void> {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(fraction(random) * n);
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const history: string[] = [];
  const settings = { concurrency: oneOf([1, 3, 256]), prefetch: oneOf([1, 5, 1_000]), passivateAfter: '300ms' };
  const recoverability = { immediate: 1, delayed: ['50ms', '150ms', '50ms'], order: 'block' };
  const child = (name: string): object => ({ actor: name, ...settings, recoverability });
  const options = { shards: SHARDS, lease: plan.lease, supervisors: [{ name: 's', children: ['list', 'echo', 'ear'].map(child) }] };
  const actors = actorsOf(seed, world, below(3) === 0);
  const node = (hosted: readonly ActorClass[] = actors): Promise<ActorSystem> =>
    world.start(hosted, hosted.length === 0 ? { shards: SHARDS } : options);

  const nodes: ActorSystem[] = [await node()];
  const client = await node([]);
  const seen = new Map<string, number>();
  client.results(Word, { from: 'start' }).subscribe(({ messageId }) => seen.set(messageId, (seen.get(messageId) ?? 0) + 1));

  const told = new Map<string, string[]>();
  const ids = new Set<string>();
  let telling = plan.keys;
  const tellAll = async (key: string): Promise<void> => {
    const words: string[] = [];
    told.set(key, words);
    for (let i = 0; i < plan.words; i += 1) {
      const word = `${key}.${i}`;
      for (let attempt = 1; ; attempt += 1) {
        try {
          const from = attempt === 1 ? oneOf([client, ...nodes]) : client;
          // The client is never stopped: what it tells lands once by its producer's sequence alone.
          const once = from === client && below(2) === 0 ? {} : { idempotencyKey: word };
          const { messageId } = await from.tell(Word, { key, word }, once);
          ids.add(messageId);
          break;
        } catch (error) {
          history.push(`${word} again: ${(error as Error).message}`);
          if (attempt > 20) throw error;
        }
      }
      words.push(word);
      if (below(3) === 0) await world.sleep(below(30));
    }
    telling -= 1;
  };

  const kill = async (purpose: string): Promise<void> => {
    const lines = String(await world.redis('CLIENT', 'LIST')).split('\n');
    const killed = lines.filter((line) => line.includes(`name=errand:${world.name}:${purpose}`) && below(2) === 0);
    for (const line of killed) await world.redis('CLIENT', 'KILL', 'ID', /\bid=(\d+)/.exec(line)?.[1] ?? '');
  };
  const faults: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['kill control', () => kill('control')],
    ['kill append', () => kill('append')],
    ['kill read', () => kill('read')],
    ['kill anything', () => kill('')],
    [
      'steal a partition',
      async () => {
        const [seconds] = (await world.redis('TIME')) as [string];
        const partition = `{${world.name}:${below(SHARDS)}}:${oneOf(['list', 'echo', 'ear'])}:partition`;
        await world.redis(
          'HSET',
          partition,
          'nonce',
          `thief ${below(1e6)}`,
          'node',
          'thief',
          'until',
          Number(seconds) * 1_000 + below(1_500),
        );
      },
    ],
    ['flush the scripts', () => world.redis('SCRIPT', 'FLUSH')],
    ['another node', async () => nodes.length < 3 && nodes.push(await node())],
    [
      'a node stops',
      async () => {
        if (nodes.length < 2) nodes.push(await node());
        const [gone] = nodes.splice(below(nodes.length), 1);
        const stopped = gone?.stop({ grace: oneOf([0, 20, 1_000]) });
        await world.pass(1_000);
        await stopped;
      },
    ],
  ];

  const tellers = Promise.all(Array.from({ length: plan.keys }, (_, i) => tellAll(`k${i}`)));
  tellers.catch(() => undefined);
  for (let i = 0; i < plan.faults; i += 1) {
    await world.pass(below(120));
    const [name, fault] = oneOf(faults);
    history.push(name);
    await during(world, fault(), 30_000); // starting and stopping may need time to pass
  }

  const settled = (async () => {
    await tellers;
    await client.idle({ timeout: HEALED_MS });
  })();
  try {
    await during(world, settled, 3 * HEALED_MS);
    t.is(telling, 0, 'everything was told');
    await world.pass(1_200);
    await check(t, world, seed, told, ids, seen);
  } catch (error) {
    t.log(`seed ${seed}: ${JSON.stringify({ ...settings, history })}`);
    throw error;
  } finally {
    const stops = [client, ...nodes].map((one) => one.stop({ grace: 0 }));
    await world.pass(10);
    await Promise.all(stops);
  }
}

async function check(
  t: ExecutionContext,
  { name, redis }: World,
  seed: number,
  told: ReadonlyMap<string, readonly string[]>,
  ids: ReadonlySet<string>,
  seen: ReadonlyMap<string, number>,
): Promise<void> {
  const states = new Map<string, { version: number; words: string[] }>();
  const results = new Map<string, number>();
  const strays: string[] = [];
  for (const key of ((await redis('KEYS', `*`)) as string[]).filter((one) => one.includes(`${name}:`)).sort()) {
    const place = key.slice(key.indexOf('}:') + 2);
    const state = /^(\w+):state:(.*)$/.exec(place);
    if (state !== null) {
      const text = String(await redis('GET', key));
      const gap = text.indexOf(' ');
      const { words } = JSON.parse(text.slice(gap + 1)) as { words: string[] };
      states.set(`${state[1]}/${state[2]}`, { version: Number(text.slice(0, gap)), words });
    } else if (place === 'list:results') {
      for (const [, fields] of (await redis('XRANGE', key, '-', '+')) as [string, string[]][]) {
        const id = fields[fields.indexOf('causationid') + 1] as string;
        results.set(id, (results.get(id) ?? 0) + 1);
      }
    } else if (/^\w+:commands$/.test(place)) {
      if ((await redis('XLEN', key)) !== 0) strays.push(key);
    } else if (place === 'ear:partition') {
      const [last] = (await redis('XREVRANGE', key.replace('ear:partition', 'event:heard'), '+', '-', 'COUNT', 1)) as [string][];
      if (last !== undefined) t.is(await redis('HGET', key, 'cursor:heard'), last[0], `seed ${seed}: ${key} stands at the end`);
    } else if (!/^(types|list:partition|echo:(partition|results)|event:heard|outcome:.*|producer:.*|\w+.*:(system|nodes))$/.test(place)) {
      strays.push(key);
    }
  }
  t.deepEqual(strays, [], `seed ${seed}: nothing is left over`);
  const kept = [...told.values()].flat().filter((word) => !fateOf(seed, word).declined);
  for (const [key, words] of told) {
    const expected = words.filter((word) => !fateOf(seed, word).declined);
    t.deepEqual(states.get(`list/${key}`), { version: expected.length, words: expected }, `seed ${seed}: ${key}`);
  }
  t.deepEqual([...results.keys()].sort(), [...ids].sort(), `seed ${seed}: a result for each message`);
  t.deepEqual(
    [...results].filter(([, count]) => count !== 1),
    [],
    `seed ${seed}: one result for each message`,
  );
  t.deepEqual(Object.fromEntries(seen), Object.fromEntries(results), `seed ${seed}: an observer saw each result once`);
  t.deepEqual(states.get('ear/all')?.words.toSorted(), kept.toSorted(), `seed ${seed}: each fact was taken in once`);
  const echoes = [...states].filter(([key]) => key.startsWith('echo/')).flatMap(([, { words }]) => words);
  t.deepEqual(
    echoes.sort(),
    kept.filter((word) => fateOf(seed, word).echoed).sort(),
    `seed ${seed}: each delayed message was handled once`,
  );
}
