/** The shop's commands and what comes of them. This module imports no actor, so that whoever only sends need not load who receives. */
import { command, event } from 'errand';
import { z } from 'zod';

const orderId = z.int().min(0);
const key = (data: { orderId: number }): string => String(data.orderId); // one inbox per order

export const DispatchProduct = command('dispatch-product', {
  to: 'warehouse',
  key,
  data: z.object({ orderId, address: z.string().min(1) }),
  result: z.object({ trackingNumber: z.string() }),
});

export const ProductDispatched = event('product-dispatched', { key, data: z.object({ orderId, trackingNumber: z.string() }) });

/** The order's confirmation, by e-mail; the result says what it was sent as. */
export const SendEmail = command('send-email', {
  to: 'email',
  key,
  data: z.object({ orderId, address: z.string().min(1), customerId: z.string().optional() }),
  result: z.object({ recipient: z.string(), sentAs: z.string() }),
});

/** The order's confirmation, as a text message. */
export const SendText = command('send-text', {
  to: 'notification',
  key,
  data: z.object({ orderId, address: z.string().min(1) }),
  result: z.object({ sentAs: z.string() }),
});
