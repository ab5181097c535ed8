/** What the Redis user may do is found out at the start, by name; what a managed service forbids is done without (issue 14, A2). */
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { type ActorClass, ActorSystem, RedisError, type Signal, type StartOptions } from '../../src/index.js';
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
