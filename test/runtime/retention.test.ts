import test from 'ava';
import { startTestSystem } from '../../src/testing.js';
import { Appended, countActor } from '../support/shop.js';

// Moves days, so only on the in-process store; what it writes (XTRIM MINID) is held against a real one elsewhere.

test('facts are kept for a week, and then until every subscriber has taken them in', async (t) => {
  const first = await startTestSystem({ actors: [countActor() as never], shards: 1, lease: '6h' });
  const { clock, redis } = first;
  const client = redis.client();
  const length = async (): Promise<number> => Number(await client.call('XLEN', '{test:0}:event:appended'));
  const publish = (system: typeof first.system, count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, i) => system.publish(Appended, { key: `k${i}`, word: `w${i}` })));

  await publish(first.system, 500);
  await first.system.idle();
  await clock.advance('6d');
  t.is(await length(), 500, 'not old enough');
  await clock.advance('2d');
  t.true((await length()) < 150, 'old, and taken in');

  await first.system.stop();
  const client2 = await startTestSystem({ actors: [], redis, clock });
  await publish(client2.system, 500);
  await clock.advance('8d');
  t.true((await length()) >= 500, 'old, but the subscriber is away');
  await client2.system.stop();
  client.disconnect();
  await first.stop();
});
