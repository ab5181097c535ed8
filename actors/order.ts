import { type ActorSystem, event, type InputOf, type Receipt } from 'errand';
import { z } from 'zod';
import { orderUnits } from './money.js';

const MOST = 1_000_000_000; // for a price as for a quantity: beyond it somebody's decimal point has slipped
const amount = z.number().min(0).max(MOST);

/** What a customer orders; also what each line of an orders file has to be. */
export const Order = z.object({
  orderId: z.int().min(0),
  address: z.string().min(1).max(1_000),
  customerId: z.string().min(1).max(100).optional(),
  orderedOn: z
    .union([z.iso.date(), z.iso.datetime({ offset: true, local: true })], { error: 'expected an ISO date, such as 2026-05-17' })
    .optional(),
  lines: z
    .array(
      z.object({
        productId: z.union([z.int(), z.string()], { error: 'expected a whole number or a text' }),
        unitPrice: amount,
        quantity: amount,
        discount: z.number().min(0).max(1),
      }),
    )
    .max(10_000)
    .refine((lines) => orderUnits(lines) <= BigInt(Number.MAX_SAFE_INTEGER), { error: 'the order adds up to more than can be counted' })
    .optional(),
});
export type Order = z.output<typeof Order>;

/** The fact that everything else in the shop reacts to. */
export const OrderPlaced = event('order-placed', { key: (order) => String(order.orderId), data: Order });

/**
 * The [BUY] button: records the fact, and that is all. Pressing it again for the same order changes nothing for a day (`duplicate` in the
 * receipt), because the order's number is the idempotency key.
 * @param correlationId what the results of all reactions will carry
 */
export function buy(system: ActorSystem, order: InputOf<typeof OrderPlaced>, correlationId: string): Promise<Receipt<typeof OrderPlaced>> {
  return system.publish(OrderPlaced, order, { idempotencyKey: String(order.orderId), correlationId });
}
