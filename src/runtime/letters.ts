import type { FailedAttempt } from '../log/aside.js';
import { writeDeadLetter } from '../log/dead-letter.js';
import type { Oversize } from '../log/entry.js';
import { nameOf } from '../message/causes.js';
import { fieldOf } from '../message/envelope.js';
import { ErrandError, ownCodeOf } from '../message/errors.js';
import { ENTRY_BYTES, ENTRY_VALUES, ERROR_CHARACTERS, KEY_BYTES, NAME_LENGTH } from '../message/limits.js';
import type { Gathering } from './committer.js';
import type { Deps } from './host.js';

/** What a dead letter says of its message. */
export interface Condemned {
  readonly entry: string;
  readonly fields: readonly string[];
  readonly attempts: number;
  readonly history: readonly FailedAttempt[];
  readonly messageId: string | undefined;
  /** it is not over: the message waits at the head of its key's aside list */
  readonly parked: boolean;
  /** it never came into an inbox: a fact that could not be taken in */
  readonly fact: boolean;
  /** only the beginning of it was read */
  readonly oversize?: Oversize | undefined;
}

/** Why an entry that is too large is a dead letter. */
export function tooLarge({ bytes, values }: Oversize): ErrandError {
  const most = `${ENTRY_BYTES} bytes in ${ENTRY_VALUES / 2} fields`;
  return new ErrandError('ENTRY_TOO_LARGE', `the entry has ${bytes} bytes in ${Math.ceil(values / 2)} fields, at most ${most} are taken`);
}

/** Adds the dead letter to a commit, and says so once it is committed. */
export function condemn(
  deps: Deps,
  type: string,
  shard: number,
  gathering: Gathering,
  condemned: Condemned,
  reason: string,
  error: Error,
): void {
  const { entry, fields, attempts, history, messageId, parked, fact, oversize } = condemned;
  const { redaction } = deps;
  const message = redaction.message(error, type).slice(0, ERROR_CHARACTERS);
  const thrown = attempts > 0; // by a handler; otherwise the reason says it all
  writeDeadLetter(
    gathering.batch,
    deps.keys,
    { type, shard },
    {
      reason,
      message,
      errorClass: thrown ? nameOf(error) : undefined,
      errorCode: thrown ? ownCodeOf(error)?.slice(0, NAME_LENGTH) : undefined,
      stack: thrown ? redaction.stack(error, type) : undefined,
      causes: thrown ? redaction.causes(error, type) : [],
      attempts,
      history,
      parked,
      fact,
      node: deps.node,
      at: deps.clock.now(),
      entry,
      fields,
      oversize,
    },
  );
  const [key, messageType, correlationId] = ['subject', 'type', 'correlationid'].map((name) => fieldOf(fields, name)?.slice(0, KEY_BYTES));
  gathering.after(() =>
    deps.signals.emit({
      kind: 'dead-letter',
      actor: type,
      shard,
      entry,
      messageId,
      key,
      type: messageType,
      correlationId,
      attempt: attempts,
      reason,
      message,
    }),
  );
}
