import { type FailedAttempt, REQUESTS } from '../log/aside.js';
import type { Entry } from '../log/entry.js';
import type { Envelope } from '../message/envelope.js';

/** One message in memory: read, not settled. */
export interface Held {
  /** id of the inbox entry it is, or was */
  readonly entry: string;
  readonly envelope: Envelope;
  readonly fields: readonly string[];
  /** why it is no message after all; only of one that was set aside and changed there by hand */
  readonly fault?: string;
  /** attempts made so far */
  attempts: number;
  /** how the latest of them failed */
  history: readonly FailedAttempt[];
  /** which draining of its key's aside list brought it, or took it over; undefined for one that stands in the inbox */
  drain: number | undefined;
  /** `routed`: it is in its key's inbox; `begun`: it is being worked at; `over`: what becomes of it is handed to the committer */
  stage: 'read' | 'routed' | 'begun' | 'over';
  /** by its key's activation */
  counted: boolean;
  /** the commit that removes its inbox entry is on its way, or done */
  removed: boolean;
  /** that commit removes it with all that stood before it */
  trimmed: boolean;
  /** behind it in its key's queue */
  next: Held | undefined;
}

/** The key behind whose aside list it waits: requests, which are for no actor, have a list of their own. */
export function listOf({ envelope }: Pick<Held, 'envelope'>): string {
  return envelope.kind === 'request' ? REQUESTS : envelope.subject;
}

const NO_HISTORY: readonly FailedAttempt[] = [];

/** A class for the same reason as an envelope that was read. */
class ReadMessage implements Held {
  attempts = 0;
  history = NO_HISTORY;
  drain: number | undefined = undefined;
  stage: Held['stage'] = 'read';
  counted = false;
  removed = false;
  trimmed = false;
  next: Held | undefined = undefined;

  constructor(
    readonly entry: string,
    readonly envelope: Envelope,
    readonly fields: readonly string[],
  ) {}
}

/** As it was read. */
export function heldOf({ id, fields }: Entry, envelope: Envelope): Held {
  return new ReadMessage(id, envelope, fields);
}

/** Stands in for the envelope of an entry that has none. */
export const NOBODY: Envelope = {
  id: '',
  type: '',
  kind: 'command',
  source: '',
  subject: '',
  time: Number.NaN,
  correlationId: '',
  causationId: undefined,
  idempotencyKey: '',
  data: '',
  replyTo: undefined,
  replyNode: undefined,
  track: undefined,
  expires: undefined,
  due: undefined,
  status: undefined,
  traceparent: undefined,
};
