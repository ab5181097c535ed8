/** What stands beneath an error: its `cause`, and the `errors` of an AggregateError, each with theirs. */
import { asError, ownCodeOf } from './errors.js';
import { CAUSE_CHARACTERS, CAUSES_TOLD } from './limits.js';

/** One error beneath another. */
export interface Cause {
  readonly name: string;
  readonly code: string | undefined;
  readonly message: string;
}

/** The class's name; `Error` where none can be read. Never throws. */
export function nameOf(error: Error): string {
  try {
    const { name, constructor: made } = error as { name?: unknown; constructor?: { name?: unknown } };
    if (typeof name === 'string' && name !== '' && name !== 'Error') return name;
    return typeof made?.name === 'string' && made.name !== '' ? made.name : 'Error';
  } catch {
    return 'Error';
  }
}

/** `cause` and `errors`, whatever they are. Never throws. */
function beneath(error: Error): unknown[] {
  const found: unknown[] = [];
  try {
    const { errors } = error as { errors?: unknown };
    if (Array.isArray(errors)) found.push(...(errors as unknown[]).slice(0, CAUSES_TOLD));
  } catch {
    // A getter that throws: nothing can be told of it.
  }
  try {
    if (error.cause !== undefined && error.cause !== null) found.push(error.cause);
  } catch {
    // Likewise.
  }
  return found;
}

/** At most `CAUSES_TOLD` of them, nearest first, each once: errors may point at each other in a circle. Never throws. */
export function causesOf(error: Error): Cause[] {
  const seen = new Set<unknown>([error]);
  const causes: Cause[] = [];
  for (let level = beneath(error); level.length > 0 && causes.length < CAUSES_TOLD; ) {
    const next: unknown[] = [];
    for (const thrown of level) {
      if (seen.has(thrown) || causes.length === CAUSES_TOLD) continue;
      seen.add(thrown);
      const cause = asError(thrown);
      causes.push({ name: nameOf(cause), code: ownCodeOf(cause), message: cause.message.slice(0, CAUSE_CHARACTERS) });
      next.push(...beneath(cause));
    }
    level = next;
  }
  return causes;
}

/** The error's message; where that is empty, as an AggregateError's often is, the messages beneath it. */
export function messageOf(error: Error): string {
  if (error.message !== '') return error.message;
  return causesOf(error)
    .map(({ message }) => message)
    .filter((message) => message !== '')
    .join('; ');
}
