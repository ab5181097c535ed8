import ms from 'ms';
import { InvalidValueError } from './errors.js';

/** Milliseconds, or a whole number or fraction with a unit: `'250ms' | '5s' | '2m' | '1h' | '7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const WITH_UNIT = /^\d+(\.\d+)?(ms|s|m|h|d)$/;

/** `ms` throws on more than 100 characters, and no duration that anybody means needs half as many. */
const LONGEST = 50;

/** Is this text a duration with a unit? */
export function isDurationText(text: string): text is Extract<Duration, string> {
  return text.length <= LONGEST && WITH_UNIT.test(text);
}

/**
 * A duration in milliseconds.
 * @param name what the value is called where it was given; it appears in the message
 * @throws InvalidValueError `INVALID_DURATION` for anything that is not a finite, non-negative duration
 */
export function milliseconds(value: Duration, name = 'duration'): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  if (typeof value === 'string' && isDurationText(value)) return ms(value);
  throw new InvalidValueError('INVALID_DURATION', name, value, "milliseconds, or a text such as '250ms', '5s', '2m', '1h', '7d'");
}
