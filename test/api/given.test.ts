/** One handler without a system: `given()`. */
import test from 'ava';
import { z } from 'zod';
import {
  Actor,
  type ActorClass,
  type ActorContext,
  actor,
  command,
  type DataOf,
  handles,
  InvalidValueError,
  onReply,
  type ResultMessage,
  SchemaError,
} from '../../src/index.js';
import { given } from '../../src/testing.js';

const order = z.object({ order: z.string() });
const key = (d: { order: string }): string => d.order;
const Reserve = command('reserve', { to: 'stock', key, data: order, result: z.object({ shelf: z.string().transform(Number) }) });
const Notify = command('notify', { to: 'post', key, data: order });
const Ship = command('ship', { to: 'order', key, data: order });

abstract class Prices {
  abstract of(order: string): number;
}

@actor('order')
class Order extends Actor<{ shelf?: number; failed?: string; seen: string[] }> {
  override initialState() {
    return { seen: [] as string[] };
  }
  @handles(Ship)
  ship(data: DataOf<typeof Ship>, ctx: ActorContext) {
    ctx.tell(Reserve, data);
  }
  @onReply(Reserve)
  onReserved(result: ResultMessage<typeof Reserve>, ctx: ActorContext) {
    this.state.seen.push(`${result.key} ${result.type} ${result.messageId === ctx.causationId}`);
    if (result.status === 'failed') {
      this.state.failed = `${result.error.code}: ${result.error.message}`;
      if (result.error.code === 'FIRE') throw new Error('the stock burns');
    } else {
      this.state.shelf = result.value.shelf;
      ctx.tell(Notify, { order: ctx.key });
    }
  }
  @onReply(Notify)
  onNotified(result: ResultMessage<typeof Notify>) {
    this.state.seen.push(result.status);
  }
}

// issue 14, B8
test('the reply to a command is handled as if the actor had told it', async (t) => {
  const { state, told, published } = await given(Order, { key: '7', state: { seen: ['before'] } }).whenReply(
    Reserve,
    { status: 'completed', value: { shelf: '42' } },
    { key: '7/stock' },
  );
  t.deepEqual(state, { seen: ['before', '7/stock reserve true'], shelf: 42 }, "the handler sees the result schema's output");
  t.deepEqual(told, [{ command: Notify, key: '7', data: { order: '7' } }]);
  t.deepEqual(published, []);
});

test('a failed reply carries its code, and one without a value none', async (t) => {
  const one = given(Order, { key: '7' });
  const failed = await one.whenReply(Reserve, { status: 'failed', error: { code: 'SOLD_OUT', message: 'none left' } });
  t.deepEqual(failed.state, { seen: ['7 reserve true'], failed: 'SOLD_OUT: none left' });
  t.deepEqual((await one.whenReply(Notify, { status: 'completed' })).state, { seen: ['completed'] });
});

test('what a handler of a reply throws is thrown', async (t) => {
  const burning = given(Order, { key: '7' }).whenReply(Reserve, { status: 'failed', error: { code: 'FIRE', message: 'hot' } });
  await t.throwsAsync(burning, { message: 'the stock burns' });
});

test('a reply that nobody could have sent is refused', async (t) => {
  const one = given(Order, { key: '7' });
  await t.throwsAsync(one.whenReply(Ship, { status: 'completed' }), { code: 'UNKNOWN_MESSAGE' });
  await t.throwsAsync(one.whenReply(Reserve, { status: 'completed', value: { shelf: 42 as never } }), {
    instanceOf: SchemaError,
    code: 'INVALID_RESULT',
  });
  await t.throwsAsync(one.whenReply(Reserve, { status: 'done' } as never), {
    instanceOf: InvalidValueError,
    message: /^answer to reserve: status: found 'done', expected/,
  });
  await t.throwsAsync(one.whenReply(Reserve, { status: 'failed', error: { code: 5 } } as never), {
    message: /^answer to reserve: error\.code: found 5, expected a string/,
  });
  await t.throwsAsync(one.whenReply(Reserve, { status: 'failed' } as never), {
    message: /^answer to reserve: error: found undefined, expected/,
  });
  await t.throwsAsync(one.whenReply(Reserve, undefined as never), { message: /^answer to reserve: found undefined, expected/ });
});

// issue 14, B8
test('resolve makes the actor, at once or as a promise', async (t) => {
  class Priced extends Actor {
    static actorType = 'order';
    static handlers = { ship: Price };
    constructor(private readonly prices: Prices) {
      super();
    }
    ship({ order: asked }: { order: string }) {
      return this.prices.of(asked);
    }
  }
  const make = (target: ActorClass): Actor<unknown> => new target({ of: (asked: string) => asked.length } as never);
  for (const resolve of [make, async (target: ActorClass) => make(target)]) {
    const { result } = await given(Priced, { key: '7', resolve }).when(Price, { order: 'four' });
    t.like(result, { status: 'completed', value: 4 });
  }
  await t.throwsAsync(given(Priced, { key: '7' }).when(Price, { order: 'four' }), {
    code: 'INJECTION_FAILED',
    message: /^Priced cannot be made: its constructor takes a parameter, and there is neither a container nor a resolve$/,
  });
});

const Price = command('price', { to: 'order', key, data: order, result: z.number() });
