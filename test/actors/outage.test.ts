/** The shop with a carrier that fails by script: down for a while, one order poisonous, one refused for good. */
import test from 'ava';
import { type ResultMessage, TerminalError } from 'errand';
import { Container } from 'inversify';
import { Carrier, type OutsideCall, PaperCarrier } from '../../actors/carrier.js';
import { DispatchProduct, Email, Notification, Sales, Warehouse } from '../../actors/index.js';
import { type Mail, Mailer } from '../../actors/mailer.js';
import { buy, type Order } from '../../actors/order.js';
import { ALL_ORDERS } from '../../actors/sales.js';
import { Texter } from '../../actors/texter.js';
import { type Options, onBoth } from '../support/stores.js';

void test;

const DOWN_MS = 3_000; // from its first call on
const POISONOUS = 666;
const REFUSED = 404;

class ScriptedCarrier extends Carrier {
  now: () => number = () => performance.now();
  mended = false;
  readonly keys = new Map<number, Set<string>>();
  readonly shipped = new Map<number, string[]>();
  readonly #paper = new PaperCarrier();
  #began: number | undefined;

  override async ship(orderId: number, address: string, call: OutsideCall): Promise<string> {
    this.#began ??= this.now();
    this.keys.set(orderId, (this.keys.get(orderId) ?? new Set()).add(call.idempotencyKey));
    if (this.now() - this.#began < DOWN_MS) throw new Error('the carrier does not answer');
    if (orderId === REFUSED) throw new TerminalError('we do not go there', { code: 'NO_SUCH_PLACE' });
    if (orderId === POISONOUS && !this.mended) throw new TypeError('cannot read the label');
    const number = await this.#paper.ship(orderId, address, call);
    this.shipped.set(orderId, [...(this.shipped.get(orderId) ?? []), address]);
    return number;
  }
}

class SilentMailer extends Mailer {
  override async send({ orderId }: Mail): Promise<string> {
    return `mail ${orderId}`;
  }
}

class SilentTexter extends Texter {
  override async send(orderId: number): Promise<string> {
    return `text ${orderId}`;
  }
}

type Given = Options & { carrier: ScriptedCarrier };

function shop(): Given {
  const carrier = new ScriptedCarrier();
  const container = new Container();
  container.bind(Carrier).toConstantValue(carrier);
  container.bind(Mailer).toConstantValue(new SilentMailer());
  container.bind(Texter).toConstantValue(new SilentTexter());
  const recoverability = { immediate: 1, delayed: ['500ms' as const, '1s' as const, '1s' as const], order: 'block' as const };
  const breaker = { failures: 10, probeEvery: '200ms' as const };
  const supervisors = [{ name: 'fulfilment', children: [{ actor: 'warehouse', recoverability, breaker }] }];
  return { actors: [Warehouse, Email, Notification, Sales], supervisors, container, carrier };
}

const ORDERS: readonly Order[] = [...Array.from({ length: 40 }, (_, i) => 1_000 + i), POISONOUS, REFUSED].map((orderId, i) => ({
  orderId,
  address: `${i} Roadford Avenue`,
  lines: [{ productId: 1, unitPrice: 9.8, quantity: 3 + i, discount: 0.15 }],
}));
/** Σ 9.8 × quantity × 0.85, in units of 1/10,000 */
const REVENUE = ORDERS.reduce((sum, { lines }) => sum + 98 * (lines?.[0]?.quantity ?? 0) * 850, 0);
/** Dispatched in parts, which have to leave in their order. */
const IN_PARTS = [2_001, 2_002, 2_003];
const PARTS = ['first part', 'second part', 'third part'];

onBoth(
  'every healthy order completes, one is refused, one is set down with its story and dispatched after the mend',
  shop,
  async (t, store, given) => {
    const { system, clock, pass } = store;
    const { carrier } = given as Given;
    if (clock !== undefined) carrier.now = () => clock.now();
    const results: ResultMessage<typeof DispatchProduct>[] = [];
    const opened: string[] = [];
    system.results(DispatchProduct).subscribe((result) => results.push(result));
    system.signals.subscribe(({ kind }) => kind.startsWith('breaker') && opened.push(kind));

    for (const order of ORDERS) await buy(system, order, `order-${order.orderId}`);
    for (const address of PARTS) for (const orderId of IN_PARTS) await system.tell(DispatchProduct, { orderId, address });
    const settled = system.idle({ timeout: '2m' });
    await pass('30s');
    await settled;

    const failed = results.filter(({ status }) => status === 'failed');
    t.is(results.length, ORDERS.length + IN_PARTS.length * PARTS.length, 'one result each');
    t.deepEqual(
      new Map(failed.map((result) => [result.key, result.status === 'failed' && result.error.code])),
      new Map([
        [String(REFUSED), 'NO_SUCH_PLACE'],
        [String(POISONOUS), 'DEAD_LETTERED'],
      ]),
      'every healthy order is dispatched',
    );
    for (const orderId of IN_PARTS) t.deepEqual(carrier.shipped.get(orderId), PARTS, 'in order');
    t.deepEqual(opened, ['breaker-opened', 'breaker-closed'], 'the outage was noticed, and its end');

    const { items } = await system.deadLetters.list();
    t.is(items.length, 1, 'what was refused is an answer and no letter');
    const [letter] = items;
    t.like(letter, {
      actor: 'warehouse',
      key: String(POISONOUS),
      reason: 'HANDLER_FAILED',
      attempts: 5,
      correlationId: `order-${POISONOUS}`,
      parked: false,
    });
    t.like(letter?.error, { name: 'TypeError', message: 'cannot read the label' });
    t.is(letter?.origin, `warehouse/${POISONOUS}`, 'it was told by the reaction to the fact');
    t.deepEqual(new Set(letter?.history.map(({ message }) => message)).has('cannot read the label'), true);

    carrier.mended = true;
    await system.deadLetters.redrive({ actor: 'warehouse' });
    const again = system.idle();
    await pass('1s');
    await again;
    t.like(results.at(-1), { status: 'completed', key: String(POISONOUS), correlationId: `order-${POISONOUS}` });
    t.is(carrier.keys.get(POISONOUS)?.size, 1, 'the carrier has seen one idempotency key throughout');
    t.is(carrier.shipped.size, ORDERS.length - 1 + IN_PARTS.length);
    t.deepEqual((await system.deadLetters.list()).items, []);
    t.deepEqual(await system.state(Sales, ALL_ORDERS), { orders: ORDERS.length, revenue: REVENUE }, 'sales agree to the cent');
  },
);
