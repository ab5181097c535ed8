import { timeOf } from '../log/entry.js';
import { positionAt } from '../log/position.js';
import type { MessageDefinition } from '../message/definition.js';
import type { Envelope } from '../message/envelope.js';
import { ErrandError } from '../message/errors.js';
import { fromJson } from '../message/json.js';
import type { Behavior } from './behavior.js';
import type { Held } from './held.js';

/** What a message is to this actor; undefined when it has no handler for it. */
export function definitionFor(behavior: Behavior, { kind, type }: Envelope): MessageDefinition | undefined {
  if (kind === 'command') return behavior.commands.get(type);
  if (kind === 'event') return behavior.subscriptions.get(type)?.event;
  return kind === 'reply' ? behavior.replies.get(type) : undefined;
}

export function unknownMessage(behavior: Behavior, { kind, type }: Envelope): ErrandError {
  return new ErrandError('UNKNOWN_MESSAGE', `${behavior.type} has no handler for the ${kind} '${type}'`);
}

/** The data as its handler receives it. @throws SchemaError `INVALID_DATA`, `INVALID_RESULT`, `NOT_JSON`, `ASYNC_SCHEMA` */
export function decode(held: Held, definition: MessageDefinition, shards: number): unknown {
  return held.envelope.kind === 'reply' ? reply(held, definition, shards) : definition.decode(held.envelope.data);
}

/** A result, as `@onReply` receives it. */
function reply({ envelope, entry }: Held, definition: MessageDefinition, shards: number): unknown {
  // One written by hand may not say when it was sent.
  const time = Number.isNaN(envelope.time) ? timeOf(entry) : envelope.time;
  const meta = {
    messageId: envelope.causationId ?? envelope.id,
    correlationId: envelope.correlationId,
    type: envelope.type,
    key: envelope.source.slice(envelope.source.indexOf('/') + 1),
    at: new Date(time),
    position: positionAt(time, shards),
  };
  if (envelope.status === 'failed') return { ...meta, status: 'failed', error: fromJson(envelope.data, 'a reply') };
  return { ...meta, status: 'completed', value: definition.decodeResult(envelope.data) };
}
