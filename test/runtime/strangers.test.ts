/** Envelopes that other programs wrote: each is handled, or ends as a dead letter that says why. Issue 14, B17. */
import { z } from 'zod';
import { Actor, type ActorContext, actor, command, type DataOf, handles, onReply, type ResultMessage } from '../../src/index.js';
import { onBoth } from '../support/stores.js';

const Count = command('count', { to: 'counter', key: (d) => d.k, data: z.object({ k: z.string() }) });
const Ask = command('ask', { to: 'elsewhere', key: (d) => d.k, data: z.object({ k: z.string() }), result: z.string() });

@actor('counter')
class Counter extends Actor<{ n: number; heard: string[] }> {
  override initialState() {
    return { n: 0, heard: [] as string[] };
  }
  @handles(Count)
  count(_data: DataOf<typeof Count>, _ctx: ActorContext) {
    this.state.n += 1;
  }
  @onReply(Ask)
  onAnswer(result: ResultMessage<typeof Ask>) {
    this.state.heard.push(result.status === 'failed' ? `${result.error.code}: ${result.error.message}` : result.value);
  }
}

const options = { actors: [Counter], shards: 1 };
const INBOX = '{sut:0}:counter:commands';

onBoth('a command whose subject is not the key of its data works on no state', options, async (t, { system, redis }) => {
  await redis('XADD', INBOX, '*', 'id', 'm-1', 'type', 'count', 'subject', 'victim', 'data', '{"k":"mine"}');
  await system.idle();
  t.is(await system.state(Counter, 'victim'), undefined);
  t.is(await system.state(Counter, 'mine'), undefined);
  const [letter] = (await system.deadLetters.list()).items;
  t.is(letter?.reason, 'WRONG_KEY');
  t.is(letter?.key, 'victim');
});

const LONG = 'x'.repeat(300);
const BAD: readonly (readonly string[])[] = [
  ['id', LONG, 'type', 'ask', 'kind', 'reply', 'subject', 'k', 'status', 'completed', 'data', '"x"'],
  ['id', 'm\u0007', 'type', 'ask', 'kind', 'reply', 'subject', 'k', 'status', 'completed', 'data', '"x"'],
  ['id', LONG, 'type', 'count', 'kind', 'event', 'subject', 'k'],
  ['id', LONG, 'type', 'cancel', 'kind', 'request', 'subject', 'k'],
  ['id', 'm-4', 'type', 'count', 'subject', 'k', 'causationid', LONG, 'data', '{"k":"k"}'],
  ['id', 'm-5', 'type', 'count', 'subject', 'k', 'idempotencykey', LONG, 'data', '{"k":"k"}'],
];

onBoth('ids that break their rules make a dead letter, whatever the kind', options, async (t, { system, redis }) => {
  for (const fields of BAD) await redis('XADD', INBOX, '*', ...fields);
  await system.tell(Count, { k: 'k' });
  await system.idle();
  const { items } = await system.deadLetters.list();
  t.deepEqual(
    items.map(({ reason }) => reason),
    BAD.map(() => 'NO_ENVELOPE'),
  );
  t.deepEqual(await system.state(Counter, 'k'), { n: 1, heard: [] }, 'the healthy message behind them is handled');
});

onBoth('a failed reply without an error is told as one that does not say why', options, async (t, { system, redis }) => {
  for (const data of ['', '[]', '{"code":7}', 'no json']) {
    const fields = ['id', 'm.reply', 'type', 'ask', 'kind', 'reply', 'subject', 'k', 'source', 'elsewhere/k', 'status', 'failed'];
    await redis('XADD', INBOX, '*', ...fields, 'data', data);
  }
  await system.idle();
  const told = 'UNKNOWN_FAILURE: the failed result does not say why';
  t.deepEqual((await system.state(Counter, 'k'))?.heard, [told, told, told, told]);
  t.deepEqual((await system.deadLetters.list()).items, []);
});
