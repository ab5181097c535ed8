import { Actor, type ActorContext, actor, type DataOf, handles, subscribes } from 'errand';
import { inject } from 'inversify';
import { Carrier } from './carrier.js';
import { DispatchProduct, ProductDispatched } from './messages.js';
import { OrderPlaced } from './order.js';

/** Sends the goods. One activation per order. */
@actor('warehouse')
export class Warehouse extends Actor<{ dispatched: number }> {
  constructor(@inject(Carrier) private readonly carrier: Carrier) {
    super();
  }

  override initialState() {
    return { dispatched: 0 };
  }

  @subscribes(OrderPlaced)
  onOrderPlaced({ orderId, address }: DataOf<typeof OrderPlaced>, ctx: ActorContext) {
    ctx.tell(DispatchProduct, { orderId, address }); // to its own inbox: the reaction is a command like any other
  }

  @handles(DispatchProduct)
  async dispatchProduct({ orderId, address }: DataOf<typeof DispatchProduct>, ctx: ActorContext) {
    const trackingNumber = await this.carrier.ship(orderId, address, { idempotencyKey: ctx.idempotencyKey, signal: ctx.signal });
    this.state.dispatched += 1;
    ctx.publish(ProductDispatched, { orderId, trackingNumber });
    return { trackingNumber };
  }
}
