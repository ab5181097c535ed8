import test from 'ava';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';

/** Notes the name in `done` when the request has its reply. */
async function note(done: string[], name: string, request: Promise<unknown>): Promise<void> {
  await request;
  done.push(name);
}

test('CLIENT PAUSE WRITE holds back what may write, and nothing else', async (t) => {
  const clock = new VirtualClock();
  const redis = createMemoryRedis({ clock });
  const [admin, setter, scripter, reader] = [redis.client(), redis.client(), redis.client(), redis.client()];
  await admin.eval('return 1', 0);
  await admin.client('PAUSE', 1000, 'WRITE');
  const done: string[] = [];
  const held = [note(done, 'set', setter.set('a', '1')), note(done, 'eval', scripter.eval('return 1', 0))];
  t.is(await reader.get('a'), null);
  t.deepEqual(await reader.multi().get('a').exec(), [[null, null]]);
  t.is(await reader.eval('#!lua flags=no-writes\nreturn redis.call("GET", KEYS[1])', 1, 'a'), null);
  await clock.advance(999);
  t.is(await reader.get('a'), null);
  t.deepEqual(done, []);
  await clock.advance(1);
  await Promise.all(held);
  t.is(await reader.get('a'), '1');
  await redis.close();
});

test('CLIENT UNPAUSE lets the held back go on at once, in the order in which they came', async (t) => {
  const redis = createMemoryRedis({ clock: new VirtualClock() });
  const [admin, first, second] = [redis.client(), redis.client(), redis.client()];
  for (const client of [admin, first, second]) await client.ping();
  await admin.client('PAUSE', 60_000, 'WRITE');
  const done: string[] = [];
  const held = [note(done, 'second', second.set('a', 'second'))];
  t.is(await admin.get('a'), null);
  held.push(note(done, 'first', first.set('a', 'first')));
  t.is(await admin.get('a'), null);
  await admin.client('UNPAUSE');
  await Promise.all(held);
  t.deepEqual(done, ['second', 'first']);
  t.is(await admin.get('a'), 'first');
  await redis.close();
});
