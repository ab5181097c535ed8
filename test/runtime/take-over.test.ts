/** When the partitions of a node that dies, stops or cannot renew are worked on again, under virtual time and the default lease. */
import test from 'ava';
import type { ActorSystem } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { startTestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { hooked } from '../support/hooked.js';
import { Append, listActor, type Script } from '../support/shop.js';

const LEASE_MS = 10_000;
const SHARDS = 8;
const LOOK_MS = 50;

function stage() {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const raw = redis.client();
  let seed = 0;
  const connections = async (): Promise<string[]> =>
    String(await raw.call('CLIENT', 'LIST'))
      .split('\n')
      .flatMap((line) => /\bid=(\d+)/.exec(line)?.[1] ?? []);
  /** A node, and a way for it to die without a word. */
  const start = async (script?: Script): Promise<{ system: ActorSystem; die: () => Promise<void> }> => {
    seed += 1;
    const before = new Set(await connections());
    let dead = false;
    const through = hooked(redis, { refuses: () => dead });
    const options = { name: 'sut', shards: SHARDS, actors: [listActor(script)], redis: through, clock, seed };
    const { system } = await startTestSystem(options as unknown as TestSystemOptions & { actors: [] });
    const own = (await connections()).filter((id) => !before.has(id));
    const die = async (): Promise<void> => {
      dead = true;
      for (const id of own) await raw.call('CLIENT', 'KILL', 'ID', id).catch(() => undefined);
    };
    return { system, die };
  };
  const owners = (): Promise<(string | null)[]> =>
    Promise.all(
      Array.from({ length: SHARDS }, (_, shard) => raw.call('HGET', `{sut:${shard}}:list:partition`, 'node') as Promise<string | null>),
    );
  /** Lets time pass until `condition` holds; how much has passed, ms. */
  const until = async (most: number, condition: () => Promise<boolean>): Promise<number> => {
    for (let passed = 0; passed <= most; passed += LOOK_MS) {
      if (await condition()) return passed;
      await clock.advance(LOOK_MS);
    }
    return Number.POSITIVE_INFINITY;
  };
  const close = async (...systems: readonly ActorSystem[]): Promise<void> => {
    for (const system of systems) await system.stop({ grace: 0 });
    raw.disconnect();
    await redis.close();
  };
  return { clock, redis, start, owners, until, close };
}

test('the partitions of a node that dies have new owners within a lease and a second, whenever it dies', async (t) => {
  const took: number[] = [];
  for (let phase = 0; phase < 12; phase += 1) {
    const { clock, start, owners, until, close } = stage();
    const { system, die } = await start();
    const [node] = await owners();
    await clock.advance(7_000);
    const other = await start();
    await clock.advance(3_000 + phase * 300); // at another moment between two renewals
    t.true((await owners()).includes(node as string), 'it owns something');
    await die();
    const passed = await until(LEASE_MS + 1_000, async () => !(await owners()).includes(node as string));
    t.true(passed <= LEASE_MS + 1_000, `${passed} ms`);
    took.push(passed);
    await close(system, other.system);
  }
  t.log(`taken over after ${Math.min(...took)} to ${Math.max(...took)} ms of virtual time; the bound is ${LEASE_MS + 1_000} ms`);
  t.true(
    took.every((passed) => passed > LEASE_MS / 2),
    'not while the lease was good',
  );
});

test('the partitions of a node that stops move on within a second, not after the lease', async (t) => {
  const { clock, start, owners, until, close } = stage();
  const { system } = await start();
  const [node] = await owners();
  const other = await start();
  await clock.advance(5_000);
  const stopped = system.stop();
  const passed = await until(1_000, async () => (await owners()).every((owner) => owner !== node && owner !== null));
  t.true(passed <= 1_000, `${passed} ms`);
  t.log(`worked on again after ${passed} ms of virtual time`);
  await stopped;
  await close(other.system);
});

test('a node that cannot renew aborts its handlers a second before its lease could end, and begins nothing more', async (t) => {
  const { clock, redis, start, close } = stage();
  let aborted = false;
  let starts = 0;
  const { system } = await start((_word, ctx) => {
    starts += 1;
    ctx.signal.addEventListener('abort', () => (aborted = true));
    return new Promise<void>(() => undefined);
  });
  const lost: string[] = [];
  system.signals.subscribe((signal) => signal.kind === 'partition-lost' && lost.push(signal.reason));
  await clock.advance(LEASE_MS / 3 + 100); // it has just renewed
  await system.tell(Append, { key: 'a', word: 'long' });
  await clock.settle();
  // Nothing that it asks on that connection arrives any more, and nothing says so.
  redis.faults.inject(({ client }) => client.endsWith(':control'), 'drop-request', { times: 1_000 });
  await clock.advance(LEASE_MS - 1_000 - 200);
  t.false(aborted);
  await clock.advance(200);
  t.true(aborted);
  t.deepEqual([...new Set(lost)], ['lease not renewed']);
  t.is(starts, 1);
  let over = false;
  const stopped = system.stop({ grace: 0 }).then(() => (over = true));
  await clock.advance(1_000);
  t.true(over, 'stop does not wait for a Redis that does not answer');
  await stopped;
  redis.faults.clear();
  await close();
});
