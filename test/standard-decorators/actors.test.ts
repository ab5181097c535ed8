/** The standard decorators (TC39), which TypeScript compiles when `experimentalDecorators` is off; this folder has a tsconfig of its own. */
import test from 'ava';
import { Container } from 'inversify';
import { z } from 'zod';
import {
  Actor,
  type ActorContext,
  actor,
  command,
  type DataOf,
  DefinitionError,
  event,
  handles,
  onReply,
  type ResultMessage,
  subscribes,
} from '../../src/index.js';
import { given } from '../../src/testing.js';
import { onBoth } from '../support/stores.js';

const order = z.object({ order: z.string() });
const key = (d: { order: string }): string => d.order;
const Place = command('place', { to: 'order', key, data: order });
const Reserve = command('reserve', { to: 'stock', key, data: order, result: z.object({ shelf: z.number() }) });
const Placed = event('placed', { key, data: order });

@actor('order')
class Order extends Actor<{ status: string; shelf?: number }> {
  override initialState() {
    return { status: 'new' };
  }
  @handles(Place)
  place(data: DataOf<typeof Place>, ctx: ActorContext) {
    this.state.status = 'reserving';
    ctx.publish(Placed, data);
    ctx.tell(Reserve, data);
  }
  @onReply(() => Reserve)
  onReserved(result: ResultMessage<typeof Reserve>) {
    this.state.status = result.status === 'completed' ? `shelf ${result.value.shelf}` : 'failed';
    if (result.status === 'completed') this.state.shelf = result.value.shelf;
  }
}

abstract class Shelves {
  abstract next(): number;
}

@actor('stock', { pipelined: true })
class Stock extends Actor<{ placed: number }> {
  static inject = [Shelves];
  constructor(private readonly shelves: Shelves) {
    super();
  }
  override initialState() {
    return { placed: 0 };
  }
  @handles(Reserve)
  async reserve(_data: DataOf<typeof Reserve>) {
    await Promise.resolve();
    return { shelf: this.shelves.next() };
  }
  @subscribes(Placed, { key: () => 'all', from: 'start' })
  onPlaced() {
    this.state.placed += 1;
  }
}

@actor('stock')
class Annex extends Stock {}

function container(): Container {
  const made = new Container();
  made.bind(Shelves).toConstantValue({ next: () => 42 });
  return made;
}

onBoth('standard decorators say the same as the legacy ones', { actors: [Order, Stock], container: container() }, async (t, { system }) => {
  await system.tell(Place, { order: 'a' });
  await system.idle();
  const state = await system.state(Order, 'a');
  t.deepEqual(state, { status: 'shelf 42', shelf: 42 });
  t.is(state?.shelf, 42, 'a field that the state begins without is known');
  t.deepEqual(await system.state(Stock, 'all'), { placed: 1 });
});

test('a subclass gets the dependencies of its base', async (t) => {
  const { result } = await given(Annex, { key: 'a', container: container() }).when(Reserve, { order: 'a' });
  t.deepEqual(result.status === 'completed' && result.value, { shelf: 42 });
});

test('a message on what is no public method is refused, naming it', (t) => {
  const decorate = handles(Place) as (method: unknown, context: unknown) => void;
  const method = (): void => undefined;
  const contexts: readonly [object, RegExp][] = [
    [{ kind: 'method', name: 'fixed', static: true, private: false }, /^@handles on fixed: /],
    [{ kind: 'method', name: '#hidden', static: false, private: true }, /^@handles on #hidden: /],
    [{ kind: 'method', name: Symbol('x'), static: false, private: false }, /^@handles on Symbol\(x\): /],
    [{ kind: 'getter', name: 'got', static: false, private: false }, /^@handles on got: /],
  ];
  for (const [context, message] of contexts)
    t.throws(() => decorate(method, context), { instanceOf: DefinitionError, code: 'NOT_A_METHOD', message });
  t.throws(() => decorate(undefined, { kind: 'field', name: 'field', static: false, private: false }), {
    code: 'NOT_A_METHOD',
    message: /field/,
  });
});

test('a message that is undefined is an error that names class and method', (t) => {
  const Missing = undefined as unknown as typeof Place;
  const define = (): unknown => {
    @actor('order')
    class Broken extends Actor {
      @handles(Missing)
      place(_data: DataOf<typeof Place>) {}
    }
    return Broken;
  };
  t.throws(define, { instanceOf: DefinitionError, code: 'UNDEFINED_MESSAGE', message: /^@handles on Broken\.place: found undefined/ });
});
