import { Actor, type ActorContext, actor, type DataOf, handles, subscribes } from 'errand';
import { inject } from 'inversify';
import { SendText } from './messages.js';
import { OrderPlaced } from './order.js';
import { Texter } from './texter.js';

/** Confirms orders by text message. It keeps no state. */
@actor('notification')
export class Notification extends Actor {
  constructor(@inject(Texter) private readonly texter: Texter) {
    super();
  }

  @subscribes(OrderPlaced)
  onOrderPlaced({ orderId, address }: DataOf<typeof OrderPlaced>, ctx: ActorContext) {
    ctx.tell(SendText, { orderId, address });
  }

  @handles(SendText)
  async sendText({ orderId, address }: DataOf<typeof SendText>, ctx: ActorContext) {
    const text = `Order ${orderId} is on its way to ${address}.`;
    return { sentAs: await this.texter.send(orderId, text, { idempotencyKey: ctx.idempotencyKey, signal: ctx.signal }) };
  }
}
