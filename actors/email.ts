import { Actor, type ActorContext, actor, type DataOf, handles, subscribes } from 'errand';
import { inject } from 'inversify';
import { Mailer } from './mailer.js';
import { SendEmail } from './messages.js';
import { OrderPlaced } from './order.js';

/** Confirms orders by e-mail. It keeps no state. */
@actor('email')
export class Email extends Actor {
  constructor(@inject(Mailer) private readonly mailer: Mailer) {
    super();
  }

  @subscribes(OrderPlaced)
  onOrderPlaced({ orderId, address, customerId }: DataOf<typeof OrderPlaced>, ctx: ActorContext) {
    ctx.tell(SendEmail, { orderId, address, customerId });
  }

  @handles(SendEmail)
  async sendEmail({ orderId, address, customerId }: DataOf<typeof SendEmail>, ctx: ActorContext) {
    const recipient = mailbox(customerId ?? `order-${orderId}`);
    const mail = {
      orderId,
      recipient,
      subject: `Your order ${orderId}`,
      text: `Thank you for your order ${orderId}.\n\nIt will be sent to:\n${address}\n`,
    };
    return { recipient, sentAs: await this.mailer.send(mail, { idempotencyKey: ctx.idempotencyKey, signal: ctx.signal }) };
  }
}

/** Customers of an example have no addresses of their own; whatever their id holds, this is one recipient and no more. */
function mailbox(name: string): string {
  return `${name.toLowerCase().replace(/[^a-z0-9-]+/g, '-')}@customers.example`;
}
