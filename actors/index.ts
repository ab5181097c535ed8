/** What a config's `modules` takes from the shop: its actors, and `bind` for what they depend on. */
import type { Container } from 'inversify';
import { Carrier, PaperCarrier } from './carrier.js';
import { Mailer, OutboxMailer, SmtpMailer } from './mailer.js';
import { Outbox } from './outbox.js';
import { OutboxTexter, Texter } from './texter.js';

export { Email } from './email.js';
export { DispatchProduct, ProductDispatched, SendEmail, SendText } from './messages.js';
export { Notification } from './notification.js';
export { OrderPlaced } from './order.js';
export { Sales } from './sales.js';
export { Warehouse } from './warehouse.js';

/** Where mails and texts go unless OUTBOX names another folder. */
export const DEFAULT_OUTBOX = './outbox';

/** Binds the ports, those that somebody has bound before excepted: e-mail through SMTP_URL when that is set, all else to the folder OUTBOX. */
export function bind(container: Container, env: NodeJS.ProcessEnv = process.env): void {
  const outbox = new Outbox(env.OUTBOX || DEFAULT_OUTBOX);
  if (!container.isBound(Carrier)) container.bind(Carrier).toConstantValue(new PaperCarrier());
  if (!container.isBound(Texter)) container.bind(Texter).toConstantValue(new OutboxTexter(outbox));
  if (container.isBound(Mailer)) return;
  container.bind(Mailer).toConstantValue(env.SMTP_URL ? new SmtpMailer(env.SMTP_URL) : new OutboxMailer(outbox));
}
