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

/** Binds the ports: e-mail through SMTP_URL when that is set, everything else to the folder named by OUTBOX. */
export function bind(container: Container, env: NodeJS.ProcessEnv = process.env): void {
  const outbox = new Outbox(env.OUTBOX || DEFAULT_OUTBOX);
  container.bind(Carrier).toConstantValue(new PaperCarrier());
  container.bind(Mailer).toConstantValue(env.SMTP_URL ? new SmtpMailer(env.SMTP_URL) : new OutboxMailer(outbox));
  container.bind(Texter).toConstantValue(new OutboxTexter(outbox));
}
