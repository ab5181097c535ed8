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

/**
 * The data as its handler receives it.
 * @throws SchemaError `INVALID_DATA`, `INVALID_RESULT`, `NOT_JSON`, `ASYNC_SCHEMA`; InvalidValueError `INVALID_KEY`; ErrandError `WRONG_KEY` for a command
 *   whose `subject` is not the key of its data: a stranger wrote it, and it would work on another key's state
 */
export function decode(held: Pick<Held, 'envelope' | 'entry'>, definition: MessageDefinition, shards: number): unknown {
  const { kind, subject, data } = held.envelope;
  if (kind === 'reply') return reply(held, definition, shards);
  const decoded = definition.decode(data);
  if (kind === 'command') {
    const key = definition.keyOf(decoded);
    if (key !== subject) {
      throw new ErrandError('WRONG_KEY', `the data of ${definition.name} has the key '${key}', the entry's subject is '${subject}'`);
    }
  }
  return decoded;
}

/** A result, as `@onReply` receives it. */
function reply({ envelope, entry }: Pick<Held, 'envelope' | 'entry'>, definition: MessageDefinition, shards: number): unknown {
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
  if (envelope.status === 'failed') return { ...meta, status: 'failed', error: failureOf(envelope.data) };
  return { ...meta, status: 'completed', value: definition.decodeResult(envelope.data) };
}

/** The error of a failed result or reply, whatever a stranger wrote in its place. Never throws. */
export function failureOf(data: string): { code: string; message: string } {
  let error: unknown;
  try {
    error = fromJson(data, 'a failure');
  } catch {
    // As below.
  }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return {
    code: typeof code === 'string' && code !== '' ? code : 'UNKNOWN_FAILURE',
    message: typeof message === 'string' ? message : 'the failed result does not say why',
  };
}
