import { asError, describe, ErrandError } from '../message/errors.js';
import type { Attempt } from './attempt.js';
import type { Hook, Instance } from './behavior.js';
import { isThenable } from './deadline.js';
import { DIRECTIVES, type Directive } from './supervision-settings.js';

/** What an actor class says about its own life: whatever it throws or answers harms nobody but itself. */

export type OnFault = (where: string, error: Error) => void;

/** An attempt that failed: why, and who made it. */
export interface Failure {
  readonly error: Error;
  readonly attempt: Attempt;
  /** undefined when the actor could not even be made */
  readonly instance: Instance | undefined;
  /** its handler has not settled and may still change what the instance holds */
  readonly running: boolean;
}

/** Tells an actor that it leaves memory. Nobody waits for it. */
export function farewell(instance: Instance, hook: Hook, onFault: OnFault): void {
  try {
    const told = instance.hook(hook);
    if (isThenable(told)) Promise.resolve(told).catch((thrown: unknown) => onFault(hook, asError(thrown))); // most have no such hook
  } catch (thrown) {
    onFault(hook, asError(thrown));
  }
}

/** What the class's `onFailure` chooses; undefined when it has none, answers nothing, or cannot answer. */
export function ownChoice({ instance, error, attempt }: Failure, onFault: OnFault): Directive | undefined {
  let answer: unknown;
  try {
    answer = instance?.onFailure(error, attempt);
  } catch (thrown) {
    onFault('onFailure', asError(thrown));
    return undefined;
  }
  if (answer === undefined) return undefined;
  const directive = DIRECTIVES.find((one) => one === answer);
  if (directive === undefined) {
    Promise.resolve(answer).catch((thrown: unknown) => onFault('onFailure', asError(thrown))); // a promise's rejection, which nobody else hears
    const text = `onFailure answered ${describe(answer)}, expected one of ${DIRECTIVES.join(', ')}, or nothing`;
    onFault('onFailure', new ErrandError('INVALID_DIRECTIVE', text));
  }
  return directive;
}
