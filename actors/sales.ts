import { Actor, actor, type DataOf, subscribes } from 'errand';
import { orderUnits } from './money.js';
import { OrderPlaced } from './order.js';

/** The one key under which all orders are added up. */
export const ALL_ORDERS = 'all';

export interface SalesFigures {
  orders: number;
  /** in units of 1/10,000 */
  revenue: number;
}

/** Listens, and adds up. Its one key sees every order; it acts on nothing outside, so it may run ahead of its commits (pipelined). */
@actor('sales', { pipelined: true })
export class Sales extends Actor<SalesFigures> {
  override initialState() {
    return { orders: 0, revenue: 0 };
  }

  @subscribes(OrderPlaced, { key: () => ALL_ORDERS })
  onOrderPlaced({ orderId, lines }: DataOf<typeof OrderPlaced>) {
    const revenue = this.state.revenue + Number(orderUnits(lines ?? []));
    if (!Number.isSafeInteger(revenue)) throw new Error(`the revenue can no longer be counted with order ${orderId}`);
    this.state.orders += 1;
    this.state.revenue = revenue;
  }
}
