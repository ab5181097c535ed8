import { timeOf } from '../log/entry.js';
import { positionAt } from '../log/position.js';
import type { MessageDefinition } from '../message/definition.js';
import { ErrandError } from '../message/errors.js';
import { fromJson } from '../message/json.js';
import type { Behavior } from './behavior.js';
import type { Held } from './held.js';

/** How a message's data is read for this actor, or why it cannot be: there is no handler for it. */
export function decoder(behavior: Behavior, held: Held, shards: number): (() => unknown) | Error {
  const { envelope } = held;
  let definition: MessageDefinition | undefined;
  if (envelope.kind === 'command') definition = behavior.commands.get(envelope.type);
  else if (envelope.kind === 'event') definition = behavior.subscriptions.get(envelope.type)?.event;
  else if (envelope.kind === 'reply') definition = behavior.replies.get(envelope.type);
  if (definition === undefined) {
    return new ErrandError('UNKNOWN_MESSAGE', `${behavior.type} has no handler for the ${envelope.kind} '${envelope.type}'`);
  }
  const known = definition;
  return envelope.kind === 'reply' ? () => reply(held, known, shards) : () => known.decode(envelope.data);
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
