import { createTransport } from 'nodemailer';
import type { OutsideCall } from './carrier.js';
import type { Outbox } from './outbox.js';

export interface Mail {
  readonly orderId: number;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
}

/** Whoever sends e-mail. */
export abstract class Mailer {
  /** Resolves to what the mail was sent as: a file, or the mail server's answer. */
  abstract send(mail: Mail, call: OutsideCall): Promise<string>;
}

const SENDER = 'The shop <orders@shop.example>';

/** The message id is made from the idempotency key: a mail server or reader that sees it twice can tell. */
function compose(mail: Mail, idempotencyKey: string) {
  const messageId = `<${encodeURIComponent(idempotencyKey)}@shop.example>`;
  return { from: SENDER, to: mail.recipient, subject: mail.subject, text: mail.text, messageId };
}

/** Writes each mail as an `.eml` file, which mail programs open. */
export class OutboxMailer extends Mailer {
  readonly #transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });

  constructor(private readonly outbox: Outbox) {
    super();
  }

  override async send(mail: Mail, call: OutsideCall): Promise<string> {
    const { message } = await this.#transport.sendMail(compose(mail, call.idempotencyKey));
    if (!Buffer.isBuffer(message)) throw new Error('the stream transport gave no buffer');
    return this.outbox.put(mail.orderId, 'eml', message, call);
  }
}

/** Sends through a mail server, `smtp://user:password@host:port`. */
export class SmtpMailer extends Mailer {
  readonly #transport;

  constructor(url: string) {
    super();
    this.#transport = createTransport(url);
  }

  override async send(mail: Mail, call: OutsideCall): Promise<string> {
    call.signal.throwIfAborted();
    const { messageId } = await this.#transport.sendMail(compose(mail, call.idempotencyKey));
    return messageId;
  }
}
