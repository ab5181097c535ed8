import { ENTRY_VALUES, ID_BYTES } from './limits.js';
import { idFault, keyFault } from './names.js';

/**
 * The envelope of every message, as it stands in a stream entry: CloudEvents' attribute names, plain texts, readable in redis-cli
 * and writable from any language. Only `id`, `type` and `subject` must be there.
 */

/**
 * `command` is not written; a fact taken into an inbox is an `event`, a result returned to its asker's inbox a `reply`. A `request` is for
 * the inbox's owner itself, not for an actor.
 */
export type MessageKind = 'command' | 'event' | 'reply' | 'request';

export interface Envelope {
  readonly id: string;
  readonly type: string;
  readonly kind: MessageKind;
  /** who sent it: `warehouse/12005`, or the node's name for what came from outside */
  readonly source: string;
  /** the key of the actor it is for */
  readonly subject: string;
  /** when it was sent, ms since the epoch; NaN when the sender did not say */
  readonly time: number;
  readonly correlationId: string;
  readonly causationId: string | undefined;
  /** the id of the first message in a line of redrives; the message's own id otherwise */
  readonly idempotencyKey: string;
  /** JSON text; empty when there is none */
  readonly data: string;
  /** the return address `type/key`: a copy of the result goes to that inbox */
  readonly replyTo: string | undefined;
  /** the node that waits for the outcome */
  readonly replyNode: string | undefined;
  /** the outcome is recorded; the value is the data's fingerprint, or `-` */
  readonly track: string | undefined;
  /** ms since the epoch; not handled after this */
  readonly expires: number | undefined;
  /** ms since the epoch; not handled before this */
  readonly due: number | undefined;
  /** of a result and a reply */
  readonly status: 'completed' | 'failed' | undefined;
  readonly traceparent: string | undefined;
}

/** What a sender must say; the rest has defaults. */
export type NewEnvelope = Pick<Envelope, 'id' | 'type' | 'source' | 'subject' | 'time' | 'correlationId' | 'data'> &
  Partial<{ [K in keyof Envelope]: Envelope[K] | undefined }>;

let isoOf = Number.NaN;
let iso = '';

/** Most messages of a batch are of one millisecond, and formatting it costs as much as the rest of an envelope. */
function isoTime(ms: number): string {
  if (ms !== isoOf) {
    iso = new Date(ms).toISOString();
    isoOf = ms;
  }
  return iso;
}

/** The flat list of names and values that `XADD` takes. */
export function toFields(e: NewEnvelope): string[] {
  const { id, type, source, subject, correlationId, causationId, status, data, replyNode, track } = e;
  const time = isoTime(e.time);
  const json = JSON_TYPE;
  const result = status !== undefined && causationId !== undefined;
  const asked = !result && replyNode !== undefined && track !== undefined;
  // What every result, every asked command and every other one has stands in one piece: a list that grows is made anew.
  // biome-ignore format: a name and its value stand beside each other
  const fields =
    result
      ? ['id', id, 'type', type, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', json,
         'correlationid', correlationId, 'causationid', causationId, 'status', status, 'data', data]
      : asked
        ? ['id', id, 'type', type, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', json,
           'correlationid', correlationId, 'data', data, 'replynode', replyNode, 'track', track]
        : ['id', id, 'type', type, 'source', source, 'subject', subject, 'time', time, 'datacontenttype', json,
           'correlationid', correlationId, 'data', data];
  if (status === undefined && causationId !== undefined) fields.push('causationid', causationId);
  if (status !== undefined && causationId === undefined) fields.push('status', status);
  if (e.kind !== undefined && e.kind !== 'command') fields.push('kind', e.kind);
  if (e.idempotencyKey !== undefined && e.idempotencyKey !== id) fields.push('idempotencykey', e.idempotencyKey);
  if (e.replyTo !== undefined) fields.push('replyto', e.replyTo);
  if (!asked && replyNode !== undefined) fields.push('replynode', replyNode);
  if (!asked && track !== undefined) fields.push('track', track);
  if (e.expires !== undefined) fields.push('expirytime', new Date(e.expires).toISOString());
  if (e.due !== undefined) fields.push('duetime', new Date(e.due).toISOString());
  if (e.traceparent !== undefined) fields.push('traceparent', e.traceparent);
  return fields;
}

/** The names in an envelope that has nothing but what each has: a command or fact from outside; a result; an asked command. `datacontenttype` is always the same. */
export const COMMAND_NAMES = ['id', 'type', 'source', 'subject', 'time', 'datacontenttype', 'correlationid', 'data'] as const;
export const RESULT_NAMES = [...COMMAND_NAMES.slice(0, -1), 'causationid', 'status', 'data'] as const;
export const ASKED_NAMES = [...COMMAND_NAMES, 'replynode', 'track'] as const;
export const JSON_TYPE = 'application/json';

/** Of the fields that an envelope may have. */
export const FIELD_NAMES: readonly string[] = [
  'id',
  'type',
  'kind',
  'source',
  'subject',
  'time',
  'datacontenttype',
  'correlationid',
  'causationid',
  'idempotencykey',
  'data',
  'replyto',
  'replynode',
  'track',
  'expirytime',
  'duetime',
  'status',
  'traceparent',
];

/** Why an entry is no envelope. */
export interface NoEnvelope {
  readonly fault: string;
}

const KINDS: ReadonlySet<string> = new Set<MessageKind>(['command', 'event', 'reply', 'request']);

/** It is the first word of the outcome record. */
const TRACK = /^[\w-]{1,64}$/;

function instant(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

let sentAs = '';
let sent = Number.NaN;

/** As `isoTime`, the other way round. */
function timeSent(text: string | undefined): number {
  if (text === undefined) return Number.NaN;
  if (text !== sentAs) {
    sent = Date.parse(text);
    sentAs = text;
  }
  return sent;
}

export const TOO_MANY_FIELDS = `the entry has more than ${ENTRY_VALUES / 2} fields`;

/** As it is made of an entry. A class: what a literal makes V8 sooner or later puts straight among its old objects (bench/NOTES.md). */
class ReadEnvelope implements Envelope {
  constructor(
    readonly id: string,
    readonly type: string,
    readonly kind: MessageKind,
    readonly source: string,
    readonly subject: string,
    readonly time: number,
    readonly correlationId: string,
    readonly causationId: string | undefined,
    readonly idempotencyKey: string,
    readonly data: string,
    readonly replyTo: string | undefined,
    readonly replyNode: string | undefined,
    readonly track: string | undefined,
    readonly expires: number | undefined,
    readonly due: number | undefined,
    readonly status: 'completed' | 'failed' | undefined,
    readonly traceparent: string | undefined,
  ) {}
}

/** Bytes of `.result`, and some more for words to come. */
const ANSWER_BYTES = 16;

/** @param checked a value that is known to be right; most of these fields hold the message's own id, or its correlation */
function faultOf(field: string, value: string | undefined, checked: string | undefined): string | undefined {
  if (value === undefined || value === checked) return undefined;
  const fault = idFault(value);
  return fault === undefined ? undefined : `the field '${field}' must be ${fault}`;
}

/** Reads an entry's fields; unknown ones are left alone, and what is missing gets its default. */
export function fromFields(fields: readonly string[]): Envelope | NoEnvelope {
  let id,
    type,
    kind,
    source,
    subject,
    time,
    correlationId,
    causationId,
    idempotencyKey,
    data,
    replyTo,
    replyNode,
    track,
    expires,
    due,
    status,
    traceparent: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1];
    switch (fields[i]) {
      case 'id':
        id = value;
        break;
      case 'type':
        type = value;
        break;
      case 'kind':
        kind = value;
        break;
      case 'source':
        source = value;
        break;
      case 'subject':
        subject = value;
        break;
      case 'time':
        time = value;
        break;
      case 'correlationid':
        correlationId = value;
        break;
      case 'causationid':
        causationId = value;
        break;
      case 'idempotencykey':
        idempotencyKey = value;
        break;
      case 'data':
        data = value;
        break;
      case 'replyto':
        replyTo = value;
        break;
      case 'replynode':
        replyNode = value;
        break;
      case 'track':
        track = value;
        break;
      case 'expirytime':
        expires = value;
        break;
      case 'duetime':
        due = value;
        break;
      case 'status':
        status = value;
        break;
      case 'traceparent':
        traceparent = value;
        break;
    }
  }
  if (fields.length > ENTRY_VALUES) return { fault: TOO_MANY_FIELDS };
  if (id === undefined || id === '') return { fault: "the entry has no field 'id'" };
  if (type === undefined || type === '') return { fault: "the entry has no field 'type'" };
  const badKey = keyFault(subject);
  if (badKey !== undefined) return { fault: `the field 'subject' must be ${badKey}` };
  if (kind !== undefined && !KINDS.has(kind)) return { fault: "the field 'kind' must be command, event, reply or request" };
  if (status !== undefined && status !== 'completed' && status !== 'failed')
    return { fault: "the field 'status' must be completed or failed" };
  // The id of a result or reply is that of its command and a word more.
  const badId = idFault(id, status === undefined ? ID_BYTES : ID_BYTES + ANSWER_BYTES);
  if (badId !== undefined) return { fault: `the field 'id' must be ${badId}` };
  const bad =
    faultOf('correlationid', correlationId, id) ??
    faultOf('causationid', causationId, correlationId) ??
    faultOf('idempotencykey', idempotencyKey, id);
  if (bad !== undefined) return { fault: bad };
  if (track !== undefined && !TRACK.test(track)) return { fault: "the field 'track' must be '-' or a fingerprint" };
  return new ReadEnvelope(
    id,
    type,
    (kind as MessageKind | undefined) ?? 'command',
    source ?? '',
    subject as string,
    timeSent(time),
    correlationId ?? id,
    causationId,
    idempotencyKey ?? id,
    data ?? '',
    replyTo,
    replyNode,
    track,
    instant(expires),
    instant(due),
    status,
    traceparent,
  );
}

/** The value of one field, of an entry that may be no envelope. */
export function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
}
