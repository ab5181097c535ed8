import { DefinitionError, InvalidValueError } from './errors.js';
import { ID_BYTES, KEY_BYTES, NAME_LENGTH } from './limits.js';

/**
 * Names (of systems, actor types, messages) and keys stand inside Redis keys, where braces choose the slot and a colon separates parts.
 */

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
// oxlint-disable-next-line no-control-regex -- refusing them is the point
const UNPRINTABLE = /[\u0000-\u001f\u007f]/;

/** Actor types that the key layout keeps for itself. */
const RESERVED = new Set(['event', 'outcome', 'producer']);

export function isName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= NAME_LENGTH && NAME.test(name);
}

/** @throws InvalidValueError `INVALID_NAME` */
export function checkName(name: unknown, place: string): string {
  if (isName(name)) return name;
  throw new InvalidValueError(
    'INVALID_NAME',
    place,
    name,
    `1 to ${NAME_LENGTH} letters, digits, '.', '_' or '-', beginning with a letter or digit`,
  );
}

/** @throws InvalidValueError `INVALID_NAME`, DefinitionError `RESERVED_NAME` */
export function checkActorType(type: unknown, place: string): string {
  const name = checkName(type, place);
  if (RESERVED.has(name))
    throw new DefinitionError('RESERVED_NAME', `${place}: '${name}' is reserved; the reserved actor types are ${[...RESERVED].join(', ')}`);
  return name;
}

/** Printable ASCII without braces, which come after 'z': nothing is wrong with a short text of these. */
const SIMPLE = /^[ -z]+$/;
const SHORT = 100;

const isSimple = (text: string): boolean => text.length <= SHORT && SIMPLE.test(text);

/** What is wrong with an actor's key, or undefined. */
export function keyFault(key: unknown): string | undefined {
  if (typeof key !== 'string' || key === '') return 'a text that is not empty';
  if (isSimple(key)) return undefined;
  if (key.includes('{') || key.includes('}')) return 'a text without braces';
  if (UNPRINTABLE.test(key)) return 'a text without control characters';
  if (!key.isWellFormed()) return 'well-formed Unicode';
  if (key.length * 3 > KEY_BYTES && Buffer.byteLength(key) > KEY_BYTES) return `at most ${KEY_BYTES} bytes`;
  return undefined;
}

/** @throws InvalidValueError `INVALID_KEY` */
export function checkKey(key: unknown, place: string): string {
  const fault = keyFault(key);
  if (fault === undefined) return key as string;
  throw new InvalidValueError('INVALID_KEY', place, key, fault);
}

/** What is wrong with an id that comes from outside, or undefined. */
export function idFault(id: unknown, most = ID_BYTES): string | undefined {
  if (typeof id === 'string' && isSimple(id)) return undefined;
  const fits = typeof id === 'string' && id !== '' && (id.length * 3 <= most || Buffer.byteLength(id) <= most);
  return fits && !UNPRINTABLE.test(id) ? undefined : `a text of 1 to ${most} bytes without control characters`;
}

/** For ids and keys of idempotency that come from outside. @throws InvalidValueError with the given code */
export function checkId(id: unknown, place: string, code: 'INVALID_ID' | 'INVALID_OPTION' = 'INVALID_ID'): string {
  const fault = idFault(id);
  if (fault === undefined) return id as string;
  throw new InvalidValueError(code, place, id, fault);
}
