import { type Fault, LimitError, SchemaError } from './errors.js';
import { PAYLOAD_BYTES } from './limits.js';

/**
 * The JSON rule: what goes on the wire is exactly what comes back from it. `JSON.stringify` drops, rounds and invents in silence
 * (functions, NaN, Dates, holes in arrays); here each of those is a fault with its place.
 */

const step = (path: string, key: string | number): string =>
  typeof key === 'number' ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;

function firstFault(value: unknown, path: string, above: readonly object[]): Fault | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { path, message: `${value} is not a JSON number` };
    case 'object':
      break;
    default:
      return { path, message: `a ${typeof value} is not JSON` };
  }
  if (value === null) return undefined;
  if (above.includes(value)) return { path, message: 'the value contains itself' };
  const below = [...above, value];
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) {
      if (value[i] === undefined) return { path: step(path, i), message: 'JSON turns undefined in an array into null' };
      const fault = firstFault(value[i], step(path, i), below);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return { path, message: `an instance of ${value.constructor?.name ?? 'a class'} is not plain JSON` };
  }
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') return { path: step(path, key), message: 'a key named __proto__ is refused' };
    const fault = firstFault(inner, step(path, key), below);
    if (fault !== undefined) return fault;
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return { path, message: 'a toJSON method is not JSON' };
  return undefined;
}

/**
 * The value as JSON text; `undefined` becomes the empty text (a message without data).
 * @throws SchemaError `NOT_JSON` naming the place of the first thing that JSON does not keep
 */
export function toJson(value: unknown, place: string): string {
  const fault = firstFault(value, '', []);
  if (fault !== undefined) throw new SchemaError('NOT_JSON', place, [fault]);
  return value === undefined ? '' : JSON.stringify(value);
}

/**
 * The value of a JSON text; the empty text is `undefined`.
 * @throws SchemaError `NOT_JSON` when it is no JSON, or holds a key named `__proto__`
 */
export function fromJson(text: string, place: string): unknown {
  if (text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SchemaError('NOT_JSON', place, [{ path: '', message: 'the text is not JSON' }]);
  }
  // The key may be written with escapes; only texts that could hold it are searched.
  if (text.includes('__proto__') || text.includes('\\u')) {
    const fault = firstFault(value, '', []);
    if (fault !== undefined) throw new SchemaError('NOT_JSON', place, [fault]);
  }
  return value;
}

/** The same text for the same value, whatever the order of its keys: what a fingerprint is taken of. */
export function canonicalJson(value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/** @throws LimitError `PAYLOAD_TOO_LARGE` or `STATE_TOO_LARGE` when `text` has more than `limit` bytes */
export function checkSize(
  text: string,
  place: string,
  code: 'PAYLOAD_TOO_LARGE' | 'STATE_TOO_LARGE' = 'PAYLOAD_TOO_LARGE',
  limit: number = PAYLOAD_BYTES,
): string {
  if (text.length * 3 <= limit) return text; // a UTF-16 unit is at most three bytes of UTF-8
  const bytes = Buffer.byteLength(text);
  if (bytes > limit) throw new LimitError(code, place, bytes, limit, 'bytes');
  return text;
}
