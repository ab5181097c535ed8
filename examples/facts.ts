/** One fact and two actor types that react to it, each in its own way; the publisher knows neither. */
import { Actor, type ActorContext, ActorSystem, actor, command, type DataOf, event, handles, subscribes } from 'errand';
import { z } from 'zod';

const OrderPlaced = event('order-placed', {
  key: (d) => String(d.orderId),
  data: z.object({ orderId: z.number(), cents: z.number() }),
});
const SendEmail = command('send-email', {
  to: 'email',
  key: (d) => String(d.orderId),
  data: z.object({ orderId: z.number() }),
});

@actor('email')
class Email extends Actor {
  // The reaction is a command to itself, so that it has retries, a result and a dead letter of its own.
  @subscribes(OrderPlaced)
  onOrderPlaced({ orderId }: DataOf<typeof OrderPlaced>, ctx: ActorContext) {
    ctx.tell(SendEmail, { orderId });
  }

  @handles(SendEmail)
  sendEmail({ orderId }: DataOf<typeof SendEmail>) {
    console.log(`e-mail for order ${orderId}`);
  }
}

@actor('sales')
class Sales extends Actor<{ cents: number }> {
  override initialState() {
    return { cents: 0 };
  }

  // `key` takes every order in under one key: one actor adds them all up.
  @subscribes(OrderPlaced, { key: () => 'all' })
  onOrderPlaced({ cents }: DataOf<typeof OrderPlaced>) {
    this.state.cents += cents;
  }
}

const system = await ActorSystem.start({ name: 'shop', redis: 'memory:', actors: [Email, Sales] });
await system.publish(OrderPlaced, { orderId: 12005, cents: 1_999 });
await system.idle();
await system.publish(OrderPlaced, { orderId: 12006, cents: 501 });
await system.idle();
console.log(await system.state(Sales, 'all'));
await system.stop();

// Prints:
// e-mail for order 12005
// e-mail for order 12006
// { cents: 2500 }
