/** A command that is cancelled before its time, and one that was too far gone. */
import { Actor, ActorSystem, actor, command, handles } from 'errand';
import { z } from 'zod';

const Bill = command('bill', { to: 'billing', key: (d) => d.customer, data: z.object({ customer: z.string() }), result: z.string() });

@actor('billing')
class Billing extends Actor {
  @handles(Bill) bill() {
    return 'billed';
  }
}

const system = await ActorSystem.start({ name: 'cancelling', redis: 'memory:', actors: [Billing] });
const later = await system.tell(Bill, { customer: 'ada' }, { delay: '1h', track: true });
console.log(await system.cancel(later.messageId));
await system.attach(Bill, later.messageId).catch((error: { code: string }) => console.log(error.code));

const now = await system.tell(Bill, { customer: 'bob' }, { track: true });
console.log(await system.attach(Bill, now.messageId), await system.cancel(now.messageId));
await system.stop();

// Prints:
// cancelled
// CANCELLED
// billed too-late
