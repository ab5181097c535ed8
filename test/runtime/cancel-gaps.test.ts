/** What cancelling does not keep to yet. Each of these tests must fail; one that passes belongs into cancel.test.ts. */
import test from 'ava';
import { type ActorClass, type ActorSystem } from '../../src/index.js';
import { createMemoryRedis, type MemoryRedis } from '../../src/memory-redis/index.js';
import { derivedId } from '../../src/message/ids.js';
import { startTestSystem, VirtualClock } from '../../src/testing.js';
import { type Hooks, hooked } from '../support/hooked.js';
import { Append, listActor } from '../support/shop.js';

let seeds = 0;

async function start(redis: MemoryRedis, clock: VirtualClock, actors: readonly ActorClass[]): Promise<ActorSystem> {
  seeds += 1;
  return (await startTestSystem({ name: 'sut', shards: 1, actors: actors as [], redis, clock, seed: seeds })).system;
}

// A message is looked for only among the actor types that some node has hosted.
test.failing('what waits for an actor type that nobody has hosted yet is cancelled', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const client = await start(redis, clock, []);
  const { messageId } = await client.tell(Append, { key: 'a', word: 'one' });
  const answer = await client.cancel(messageId);
  const host = await start(redis, clock, [listActor()]);
  await host.idle();
  const kept = await host.state(listActor(), 'a');
  await Promise.all([client, host].map((system) => system.stop({ grace: 0 })));
  await redis.close();
  t.deepEqual({ answer, kept }, { answer: 'cancelled', kept: undefined });
});

// Whoever finds nothing takes the mark away, also when somebody else has made it too and has found the message since.
test.failing('of two who cancel a message at the moment it is sent, the one who finds it is told the truth', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  await (await start(redis, clock, [listActor()])).stop(); // the actor type is known, and no owner lives
  let onLooked: () => void = () => undefined;
  const looked = new Promise<void>((resolve) => (onLooked = resolve));
  let goOn: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const hooks: Hooks = {
    // It has looked everywhere, and asks whether the message was cancelled meanwhile.
    before: (command) => {
      if (command !== 'XREVRANGE') return undefined;
      onLooked();
      return held;
    },
  };
  const early = await start(hooked(redis, hooks), clock, []);
  const late = await start(redis, clock, []);
  const messageId = derivedId(0, 'command:list:append', 'a', 'x');
  const tooEarly = early.cancel(messageId);
  await looked;
  const told = await late.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'x' });
  const answer = await late.cancel(messageId);
  goOn();
  const answers = { early: await tooEarly, late: answer };
  const host = await start(redis, clock, [listActor()]);
  await host.idle();
  const kept = await host.state(listActor(), 'a');
  await Promise.all([early, late, host].map((system) => system.stop({ grace: 0 })));
  await redis.close();
  t.deepEqual(
    { ...answers, kept, same: told.messageId === messageId },
    { early: 'too-late', late: 'cancelled', kept: undefined, same: true },
  );
});
