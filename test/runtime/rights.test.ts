/** What the Redis user may do is found out at the start, by name; what a managed service forbids is done without (issue 14, A2). */
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { type ActorClass, ActorSystem, AppendRejected, RedisError, type Signal, type StartOptions } from '../../src/index.js';
import { CLIENT_REQUESTS, NODE_REQUESTS } from '../../src/log/rights.js';
import { redisServerOnPath, startRedisServer } from '../support/redis-server.js';
import { Append, countActor, listActor } from '../support/shop.js';

const real = redisServerOnPath() ? test.serial : test.serial.skip;

type Options = Partial<StartOptions> & { actors?: readonly ActorClass[] };

interface World {
  readonly admin: Redis;
  readonly url: (user: string) => string;
  /** Makes a user anew, who may do nothing but what the rules say. */
  readonly user: (name: string, ...rules: string[]) => Promise<void>;
  /** Stopped at the end. */
  readonly start: (user: string, options?: Options) => Promise<ActorSystem>;
}

async function withServer(t: ExecutionContext, run: (world: World) => Promise<void>): Promise<void> {
  const server = await startRedisServer();
  const admin = new Redis(server.url);
  const systems: ActorSystem[] = [];
  const url = (user: string): string => `redis://${user}:pw@127.0.0.1:${server.port}`;
  try {
    await run({
      admin,
      url,
      user: async (name, ...rules) => {
        await admin.call('ACL', 'SETUSER', name, 'reset', 'on', '>pw', ...rules);
      },
      start: async (user, options = {}) => {
        const own = { name: 'shop', redis: url(user), shards: 2, lease: '2s', actors: [listActor(), countActor()], ...options };
        const system = await ActorSystem.start(own as StartOptions & { actors: [] });
        systems.push(system);
        return system;
      },
    });
  } finally {
    for (const system of systems) await system.stop({ grace: 0 });
    admin.disconnect();
    await server.stop();
  }
  t.pass();
}

/** `+xadd +script|load …` */
function commands(requests: readonly string[]): string[] {
  const names = requests.map((request) =>
    request
      .split(' ')
      .slice(0, request.startsWith('SCRIPT') ? 2 : 1)
      .join('|'),
  );
  return [...new Set(names.map((name) => `+${name.toLowerCase()}`)), '+eval'];
}

const PLACES = ['~shop:*', '~{shop:*', '&shop:*'];
/** What every ioredis client does by itself, refused or not. */
const CONNECTING = ['+client|setname', '+hello', '+ping', '+acl|whoami'];
const NODE = commands([...CLIENT_REQUESTS, ...NODE_REQUESTS]);
const CLIENT = commands(CLIENT_REQUESTS);

/** Does what there is to do: every kind of message, of ending and of waiting, and what people do about them. */
async function everything(node: ActorSystem, client: ActorSystem): Promise<void> {
  await client.ask(Append, { key: 'a', word: 'one' });
  await client.tell(Append, { key: 'a', word: 'twice' }, { idempotencyKey: 'k' });
  await client.tell(Append, { key: 'a', word: 'twice' }, { idempotencyKey: 'k' });
  await client.tell(Append, { key: 'later', word: 'delayed' }, { delay: 200 });
  const { messageId } = await client.tell(Append, { key: 'later', word: 'unwanted' }, { delay: '1h' });
  await client.tell(Append, { key: 'b', word: 'bad' });
  await client.tell(Append, { key: 'b', word: 'good' });
  await client.tell(Append, { key: 'c', word: 'once' });
  await client.tell(Append, { key: 'c', word: 'after' });
  await node.idle({ timeout: '10s' });
  if ((await node.cancel(messageId)) !== 'cancelled') throw new Error('it was not cancelled');
  await node.deadLetters.redrive({});
  await node.idle({ timeout: '10s' });
  await node.deadLetters.discard({});
  await node.idle({ timeout: '10s' });
}

function troublesome(): ReturnType<typeof listActor> {
  const seen = new Set<string>();
  return listActor((word, ctx) => {
    if (word === 'bad') throw new Error('bad');
    if (word === 'once' && !seen.has(ctx.messageId)) {
      seen.add(ctx.messageId);
      throw new Error('once');
    }
  });
}

const POLICY = [{ name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: [50], order: 'park' } }] }];

real('the rights that are looked for are enough for everything', async (t) => {
  await withServer(t, async ({ admin, user, start }) => {
    await user('node', ...NODE, ...PLACES, ...CONNECTING);
    await user('client', ...CLIENT, ...PLACES, ...CONNECTING);
    await user('plain', ...NODE, ...PLACES, ...CONNECTING);
    const node = await start('node', { actors: [troublesome(), countActor()], supervisors: POLICY } as Options);
    const client = await start('client', { actors: [] });
    await admin.call('ACL', 'LOG', 'RESET');
    await everything(node, client);
    const denied = ((await admin.call('ACL', 'LOG')) as unknown[][]).map((entry) => String(entry[entry.indexOf('object') + 1]));
    t.deepEqual(
      denied.filter((object) => !['info', 'client|id', 'client|unblock', 'bgrewriteaof'].includes(object)),
      [],
      'nothing else was refused meanwhile',
    );
  });
});

real('each right that is missing is named at the start, and nothing is written', async (t) => {
  await withServer(t, async ({ admin, user, start }) => {
    for (const rule of NODE) {
      await user('lame', ...NODE.filter((one) => one !== rule), ...PLACES, ...CONNECTING);
      const error = await t.throwsAsync(start('lame'), { instanceOf: RedisError }, rule);
      t.is(error?.code, 'REDIS_PERMISSION', rule);
      t.regex(error?.message ?? '', /'lame'/);
      t.true(error?.message.includes(rule), `${rule}: ${error?.message}`);
    }
    t.deepEqual(await admin.keys('*'), []);
  });
});

real('channels and keys that are missing are named, with the rules that give them', async (t) => {
  await withServer(t, async ({ admin, user, start }) => {
    for (const place of PLACES) {
      await user('lame', ...NODE, ...PLACES.filter((one) => one !== place), ...CONNECTING);
      const error = await t.throwsAsync(start('lame'), { instanceOf: RedisError }, place);
      t.is(error?.code, 'REDIS_PERMISSION', place);
      t.true(error?.message.includes(`add to its rules: ${place}`), error?.message);
      t.false(error?.message.includes('pw'));
    }
    await user('lame', '+@all', '~*', '-publish');
    const error = await t.throwsAsync(start('lame'), { instanceOf: RedisError });
    t.regex(error?.message ?? '', /the Redis user 'lame' may not .*PUBLISH.*add to its rules: .*\+publish/);
    t.deepEqual(await admin.keys('*'), []);
  });
});

real('who may run no script is told so', async (t) => {
  await withServer(t, async ({ user, start }) => {
    await user('lame', '+@all', '-@scripting', '~*', '&*');
    const error = await t.throwsAsync(start('lame'), { instanceOf: RedisError });
    t.is(error?.code, 'REDIS_PERMISSION');
    t.regex(error?.message ?? '', /may not run EVAL; add to its rules: \+eval/);
  });
});

real('where INFO, CONFIG and CLIENT are forbidden it works all the same, and says what it could not look at', async (t) => {
  await withServer(t, async ({ user, start }) => {
    await user('managed', '+@all', '-@dangerous', '-client|id', '~*', '&*');
    const warned: string[] = [];
    const nothing = (): void => undefined;
    const logger = { debug: nothing, info: nothing, error: nothing, warn: (_: object, text: string) => void warned.push(text) };
    const node = await start('managed', { logger });
    const signals: Signal[] = [];
    node.signals.subscribe((signal) => signals.push(signal));
    const client = await start('managed', { actors: [] });
    t.deepEqual(await client.ask(Append, { key: 'a', word: 'one' }), { length: 1 });
    const late = await start('managed'); // its partitions are handed over to it while it reads
    for (let i = 2; i < 6; i += 1) t.deepEqual(await client.ask(Append, { key: 'a', word: `${i}` }), { length: i });
    await late.stop({ grace: 0 });
    t.true(warned.some((text) => text.includes('maxmemory-policy cannot be seen')));
    t.true(warned.some((text) => text.includes('whether Redis has restarted cannot be seen')));
    t.like(
      signals.find(({ kind }) => kind === 'log-not-rewritten'),
      { code: 'REDIS_PERMISSION' },
    );
  });
});

/** What stands in Redis of a list actor's keys: the words of each state, and for each message how many results it has. */
async function account(admin: Redis, shards: number): Promise<{ words: Record<string, string[]>; results: Map<string, number> }> {
  const words: Record<string, string[]> = {};
  const results = new Map<string, number>();
  for (const key of await admin.keys('{shop:*}:list:state:*')) {
    const text = String(await admin.get(key));
    words[key.slice(key.lastIndexOf(':') + 1)] = (JSON.parse(text.slice(text.indexOf(' ') + 1)) as { words: string[] }).words;
  }
  for (let shard = 0; shard < shards; shard += 1) {
    for (const [, fields] of await admin.xrange(`{shop:${shard}}:list:results`, '-', '+')) {
      const of = fields[fields.indexOf('causationid') + 1] ?? '';
      results.set(of, (results.get(of) ?? 0) + 1);
    }
  }
  return { words, results };
}

real('rights that are taken away while it runs cost nothing but time: no loss, nothing twice, and it is said', async (t) => {
  t.timeout(240_000);
  await withServer(t, async ({ admin, user, start }) => {
    await user('node', ...NODE, ...PLACES, ...CONNECTING);
    const failed = new Set<string>();
    // Every fourth word fails once, so that keys wait and go on.
    const List = listActor((word) => {
      if (word.endsWith('3') && !failed.has(word)) {
        failed.add(word);
        throw new Error('once');
      }
    });
    const supervisors = [
      { name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: [20, 20, 20], order: 'block' as const } }] },
    ];
    const node = await start('node', { actors: [List, countActor()], supervisors });
    const said: string[] = [];
    node.signals.subscribe((signal) => {
      if (signal.kind === 'partition-lost') said.push(signal.reason);
      if (signal.kind === 'fault') said.push(signal.message);
    });
    await admin.call('ACL', 'SETUSER', 'client', 'reset', 'on', '>pw', '~*', '&*', '+@all');
    const client = await start('client', { actors: [] });
    const told: Record<string, string[]> = { a: [], b: [], c: [], d: [] };
    const ids = new Set<string>();
    const asked: Promise<number[]>[] = [];
    const phase = { telling: true };
    const tellers = Object.entries(told).map(async ([key, list]) => {
      for (let i = 0; phase.telling; i += 1) {
        const word = `${key}.${i}`;
        if (i % 5 === 4) asked.push(client.ask(Append, { key, word }, { timeout: '60s' }).then(({ length }) => [length, i + 1]));
        else ids.add((await client.tell(Append, { key, word }, i % 2 === 0 ? { idempotencyKey: word } : {})).messageId);
        list.push(word);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    });
    const taken = [...NODE, ...PLACES];
    const silent: string[] = [];
    for (const rule of taken) {
      const before = said.length;
      if (rule.startsWith('+')) await admin.call('ACL', 'SETUSER', 'node', `-${rule.slice(1)}`);
      else await user('node', ...NODE, ...PLACES.filter((place) => place !== rule), ...CONNECTING);
      await new Promise((resolve) => setTimeout(resolve, 250));
      await user('node', ...NODE, ...PLACES, ...CONNECTING);
      if (said.length === before) silent.push(rule);
    }
    phase.telling = false;
    await Promise.all(tellers);
    await node.idle({ timeout: '60s' });
    const { words, results } = await account(admin, 2);
    t.deepEqual(words, told, 'each word once, in its order');
    t.is(results.size, ids.size + asked.length);
    t.true([...ids].every((id) => results.has(id)));
    for (const [length, place] of await Promise.all(asked)) t.is(length, place, 'whoever asked was told what happened');
    t.true(
      [...results.values()].every((count) => count === 1),
      'one result for each message',
    );
    t.true(
      said.some((text) => /may not do this.*XTRIM/.test(text)),
      said.slice(0, 20).join('\n'),
    );
    t.log(`nothing was said of ${silent.join(', ')}: they were not needed in that moment`);
    t.deepEqual(
      ['+xadd', '+xtrim', '+mset', '+rpush', '+evalsha', '+xread', '~{shop:*'].filter((rule) => silent.includes(rule)),
      [],
    );
  });
});

real('who may no longer publish or record an outcome is told so; nothing is half done', async (t) => {
  await withServer(t, async ({ admin, user, start }) => {
    await user('node', ...NODE, ...PLACES, ...CONNECTING);
    const node = await start('node');
    const signals: Signal[] = [];
    node.signals.subscribe((signal) => signals.push(signal));
    await user('client', ...CLIENT, ...PLACES, ...CONNECTING);
    const client = await start('client', { actors: [] });
    await client.ask(Append, { key: 'a', word: 'one' });
    await user('node', ...NODE.filter((one) => one !== '+publish'), ...PLACES, ...CONNECTING);
    t.deepEqual(await client.ask(Append, { key: 'a', word: 'two' }, { timeout: '20s' }), { length: 2 }, 'the answer is looked for');
    t.deepEqual(
      signals.filter(({ kind }) => kind === 'partition-lost'),
      [],
    );
    t.like(
      signals.find(({ kind }) => kind === 'fault'),
      { code: 'REDIS_PERMISSION' },
    );
    await node.idle();
    await node.stop({ grace: 0 });

    await user(
      'client',
      ...CLIENT,
      '~shop:*',
      '~{shop:*}:list:*',
      '~{shop:*}:producer:*',
      '%R~{shop:*}:outcome:*',
      '&shop:*',
      ...CONNECTING,
    );
    const told = client.tell(Append, { key: 'a', word: 'three' }, { idempotencyKey: 'k' });
    t.is((await t.throwsAsync(told, { instanceOf: AppendRejected }))?.code, 'REDIS_PERMISSION');
    t.is(await admin.xlen('{shop:0}:list:commands'), 0);
    await user('client', ...CLIENT, ...PLACES, ...CONNECTING);
    t.false((await client.tell(Append, { key: 'a', word: 'three' }, { idempotencyKey: 'k' })).duplicate);
    t.is((await admin.xlen('{shop:0}:list:commands')) + (await admin.xlen('{shop:1}:list:commands')), 1);
  });
});
