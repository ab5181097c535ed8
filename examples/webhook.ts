/** A webhook that its sender repeats: the sender's own id is the idempotency key, so that the money is booked once. */
import { Actor, ActorSystem, AppendRejected, actor, command, type DataOf, handles } from 'errand';
import { z } from 'zod';

const BookPayment = command('book-payment', {
  to: 'ledger',
  key: (d) => d.customer,
  data: z.object({ customer: z.string(), cents: z.number() }),
});

@actor('ledger')
class Ledger extends Actor<{ cents: number }> {
  override initialState() {
    return { cents: 0 };
  }
  @handles(BookPayment)
  book({ cents }: DataOf<typeof BookPayment>) {
    this.state.cents += cents;
  }
}

const system = await ActorSystem.start({ name: 'webhooks', redis: 'memory:', actors: [Ledger] });

const first = await system.tell(BookPayment, { customer: 'ada', cents: 500 }, { idempotencyKey: 'evt_1' });
const again = await system.tell(BookPayment, { customer: 'ada', cents: 500 }, { idempotencyKey: 'evt_1' });
console.log(first.duplicate, again.duplicate, first.messageId === again.messageId);

// The same id with other data is a mistake of the sender's: refused, and nothing is booked.
await system.tell(BookPayment, { customer: 'ada', cents: 900 }, { idempotencyKey: 'evt_1' }).catch((error: unknown) => {
  if (error instanceof AppendRejected) console.log(error.code);
});
await system.idle();
console.log(await system.state(Ledger, 'ada'));
await system.stop();

// Prints:
// false true true
// IDEMPOTENCY_CONFLICT
// { cents: 500 }
