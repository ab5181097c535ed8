/** A process manager: it reserves, then charges, and takes the reservation back when the charge fails. */
import {
  Actor,
  type ActorContext,
  ActorSystem,
  actor,
  command,
  type DataOf,
  handles,
  onReply,
  type ResultMessage,
  TerminalError,
} from 'errand';
import { z } from 'zod';

const Order = z.object({ orderId: z.string(), cents: z.number() });
const key = (order: { orderId: string }): string => order.orderId;
const PlaceOrder = command('place-order', { to: 'checkout', key, data: Order });
const Reserve = command('reserve', { to: 'stock', key, data: Order });
const Release = command('release', { to: 'stock', key, data: Order });
const Charge = command('charge', { to: 'payment', key, data: Order });

type Step = 'new' | 'reserving' | 'charging' | 'paid' | 'given up';

@actor('checkout')
class Checkout extends Actor<{ step: Step; cents: number }> {
  override initialState() {
    return { step: 'new' as Step, cents: 0 };
  }

  @handles(PlaceOrder)
  place(order: DataOf<typeof PlaceOrder>, ctx: ActorContext) {
    this.state = { step: 'reserving', cents: order.cents };
    ctx.tell(Reserve, order); // its result comes back to this very actor, as a message in its inbox
  }

  @onReply(Reserve)
  onReserved(result: ResultMessage<typeof Reserve>, ctx: ActorContext) {
    if (result.status === 'failed') this.state.step = 'given up';
    else {
      this.state.step = 'charging';
      ctx.tell(Charge, { orderId: ctx.key, cents: this.state.cents });
    }
  }

  @onReply(Charge)
  onCharged(result: ResultMessage<typeof Charge>, ctx: ActorContext) {
    this.state.step = result.status === 'completed' ? 'paid' : 'given up';
    if (result.status === 'failed') ctx.tell(Release, { orderId: ctx.key, cents: this.state.cents });
  }
}

@actor('stock')
class Stock extends Actor<{ reserved: boolean }> {
  override initialState() {
    return { reserved: false };
  }
  @handles(Reserve) reserve() {
    this.state.reserved = true;
  }
  @handles(Release) release() {
    this.state.reserved = false;
  }
}

@actor('payment')
class Payment extends Actor {
  @handles(Charge)
  charge({ cents }: DataOf<typeof Charge>) {
    if (cents > 10_000) throw new TerminalError('the card was declined', { code: 'DECLINED' });
  }
}

const system = await ActorSystem.start({ name: 'sagas', redis: 'memory:', actors: [Checkout, Stock, Payment] });
for (const order of [
  { orderId: '12005', cents: 1_999 },
  { orderId: '12006', cents: 99_999 },
]) {
  await system.tell(PlaceOrder, order);
  await system.idle();
  const checkout = await system.state(Checkout, order.orderId);
  const stock = await system.state(Stock, order.orderId);
  console.log(order.orderId, checkout?.step, stock);
}
await system.stop();

// Prints:
// 12005 paid { reserved: true }
// 12006 given up { reserved: false }
