/**
 * What errors may say outside the process: in signals, logs, results and dead letters. An error's own properties (a client's request, with its
 * token) are left out; its name, code, message, causes and stack are kept, and go through the user's hook.
 */
import { type Cause, causesOf, messageOf, nameOf } from '../message/causes.js';
import { asError, failureCodeOf, ownCodeOf } from '../message/errors.js';
import { STACK_CHARACTERS } from '../message/limits.js';
import { redactedStack } from '../message/stack.js';

/** Where a text comes from. */
export interface RedactAbout {
  readonly part: 'message' | 'stack';
  /** the actor type; undefined for what concerns the whole node */
  readonly actor: string | undefined;
}

/** Takes out of an error's message or stack what must not leave the process. */
export type Redact = (text: string, about: RedactAbout) => string;

/** In the place of a text whose hook failed: the text itself may be what must not be seen. */
const FAILED = '(the redact hook failed)';

/** An error as it is logged: pino prints it like an Error. */
export interface LoggedError {
  readonly type: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly causes: readonly Cause[];
}

export class Redaction {
  constructor(private readonly hook: Redact | undefined) {}

  /** Never throws. */
  text(text: string, part: RedactAbout['part'], actor: string | undefined): string {
    if (this.hook === undefined) return text;
    try {
      const redacted: unknown = this.hook(text, { part, actor });
      if (typeof redacted === 'string') return redacted;
      Promise.resolve(redacted).catch(() => undefined); // an asynchronous hook's rejection, which nobody else hears
      return FAILED;
    } catch {
      return FAILED;
    }
  }

  message(error: Error, actor: string | undefined): string {
    return this.text(messageOf(error), 'message', actor);
  }

  causes(error: Error, actor: string | undefined): Cause[] {
    const causes = causesOf(error);
    return this.hook === undefined ? causes : causes.map((cause) => ({ ...cause, message: this.text(cause.message, 'message', actor) }));
  }

  /** Class and frames, without paths of the machine; undefined when there is none that can be read. */
  stack(error: Error, actor: string | undefined): string | undefined {
    try {
      const { stack } = error as { stack?: unknown };
      if (typeof stack !== 'string') return undefined;
      return this.text(redactedStack(nameOf(error), stack).slice(0, STACK_CHARACTERS), 'stack', actor);
    } catch {
      return undefined;
    }
  }

  /** For a logger, which would print every property of the error itself. */
  logged(thrown: unknown, actor?: string): LoggedError {
    const error = asError(thrown);
    return {
      type: nameOf(error),
      code: ownCodeOf(error) ?? failureCodeOf(error),
      message: this.message(error, actor),
      stack: this.stack(error, actor),
      causes: this.causes(error, actor),
    };
  }
}
