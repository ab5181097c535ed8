/** Interleavings that are rare by nature, made certain: each of these once lost, doubled or delayed something. */
import test from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import type { ActorClass, ActorSystem } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { startTestSystem, type TestSystemOptions, VirtualClock } from '../../src/testing.js';
import { type Hooks, hooked, turns } from '../support/hooked.js';
import { Append, Appended, countActor, listActor } from '../support/shop.js';

const supervisors = [{ name: 's', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: ['500ms' as const] } }] }];

function stage(hooks: Hooks = {}) {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const raw = redis.client();
  const kill = async (purpose: string): Promise<void> => {
    for (const line of String(await raw.call('CLIENT', 'LIST')).split('\n')) {
      if (line.includes(`name=errand:sut:${purpose}`)) await raw.call('CLIENT', 'KILL', 'ID', /\bid=(\d+)/.exec(line)?.[1] ?? '');
    }
  };
  const through = hooked(redis, hooks);
  let seed = 0;
  const start = async (actors: readonly ActorClass[], options: Omit<TestSystemOptions, 'redis'> = {}): Promise<ActorSystem> => {
    seed += 1;
    const given = { name: 'sut', shards: 1, ...options, actors, redis: through, clock, seed };
    return (await startTestSystem(given as TestSystemOptions & { actors: [] })).system;
  };
  const close = async (...systems: readonly ActorSystem[]): Promise<void> => {
    for (const system of systems) await system.stop({ grace: 0 });
    raw.disconnect();
    await redis.close();
  };
  const steal = (shard: number, ms: number): Promise<unknown> =>
    raw.call('HSET', `{sut:${shard}}:list:partition`, 'nonce', 'thief', 'node', 'thief', 'until', clock.now() + ms);
  return { clock, start, raw, kill, steal, close };
}

test('a scheduled message goes back into the inbox once, also when its key is looked at again meanwhile', async (t) => {
  const hooks: Hooks = {};
  const { clock, start, close } = stage(hooks);
  const List = listActor((word, ctx) => {
    if (word === 'flaky' && ctx.attempt === 1) throw new Error('not yet');
  });
  const system = await start([List], { supervisors });
  await system.tell(Append, { key: 'a', word: 'later' }, { delay: '50ms' });
  await clock.settle();
  let times = 0;
  hooks.after = (command) => {
    if (command !== 'HMGET') return undefined;
    times += 1;
    // While the due messages are being read, another key begins to wait, and the alarm is set anew.
    return times > 1 ? undefined : system.tell(Append, { key: 'b', word: 'flaky' }).then(() => turns(40));
  };
  await clock.advance('50ms');
  await clock.advance('1s');
  await system.idle();
  t.deepEqual(await system.state(List, 'a'), { words: ['later'] });
  t.deepEqual(await system.state(List, 'b'), { words: ['flaky'] });
  await close(system);
});
