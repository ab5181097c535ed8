import { type Fault, LimitError, SchemaError } from './errors.js';
import { JSON_DEPTH, PAYLOAD_BYTES } from './limits.js';

/**
 * The JSON rule: what goes on the wire is exactly what comes back from it. `JSON.stringify` drops, rounds and invents in silence
 * (functions, NaN, Dates, holes in arrays); here each of those is a fault with its place.
 */

/** Faults far down have long places; the beginning tells which. */
const SHOWN_PATH = 200;

const within = (step: string, fault: Fault | undefined): Fault | undefined => fault && { path: step + fault.path, message: fault.message };

/** Deeper than most values go; one that contains itself would be looked through once for each level. */
const PLAIN_DEPTH = 16;

/**
 * Whether JSON keeps all of it. Says no, too, of some values that it keeps (deep ones, those of a prototype with enumerable properties), never
 * yes of one that it does not: what it says no to is looked at again by `firstFault`. It makes nothing: most values are without fault.
 */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth === PLAIN_DEPTH || hasToJson(value)) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) if (value[i] === undefined || !isPlain(value[i], depth + 1)) return false;
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) if (key === '__proto__' || !isPlain((value as Record<string, unknown>)[key], depth + 1)) return false;
  return Object.getOwnPropertySymbols(value).length === 0;
}

/**
 * The first thing that JSON does not keep. Its path is put together only once there is a fault: most values have none.
 * @param above what the value stands in, outermost first; as it was when the call returns
 */
function firstFault(value: unknown, above: object[]): Fault | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { path: '', message: `${value} is not a JSON number` };
    case 'object':
      break;
    default:
      return { path: '', message: `a ${typeof value} is not JSON` };
  }
  if (value === null) return undefined;
  if (above.includes(value)) return { path: '', message: 'the value contains itself' };
  if (above.length === JSON_DEPTH) return { path: '', message: `nested deeper than ${JSON_DEPTH} levels` };
  above.push(value);
  const fault = Array.isArray(value) ? faultInArray(value, above) : faultInObject(value, above);
  above.pop();
  return fault;
}

function faultInArray(value: readonly unknown[], above: object[]): Fault | undefined {
  for (let i = 0; i < value.length; i += 1) {
    if (value[i] === undefined) return { path: `[${i}]`, message: 'JSON turns undefined in an array into null' };
    const fault = firstFault(value[i], above);
    if (fault !== undefined) return within(`[${i}]`, fault);
  }
  return hasToJson(value) ? { path: '', message: 'a toJSON method is not JSON' } : undefined;
}

/** Whether it is the `Object.prototype` of this or another realm (a test runner's, `node:vm`'s). */
function isRoot(prototype: object): boolean {
  return prototype === Object.prototype || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'));
}

function faultInObject(value: object, above: object[]): Fault | undefined {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype !== null && !isRoot(prototype)) {
    return { path: '', message: `an instance of ${value.constructor?.name ?? 'a class'} is not plain JSON` };
  }
  for (const key of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[key];
    if (key === '__proto__') return { path: '.__proto__', message: 'a key named __proto__ is refused' };
    const fault = firstFault(inner, above);
    if (fault !== undefined) return within(`.${key}`, fault);
  }
  if (hasToJson(value)) return { path: '', message: 'a toJSON method is not JSON' };
  if (Object.getOwnPropertySymbols(value).length > 0) return { path: '', message: 'a key that is a symbol is not JSON' };
  return undefined;
}

function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function';
}

/** @throws SchemaError `NOT_JSON` */
function assertJson(value: unknown, place: string): void {
  if (isPlain(value, 0)) return;
  const fault = firstFault(value, []);
  if (fault === undefined) return;
  const path = fault.path.startsWith('.') ? fault.path.slice(1) : fault.path;
  const shown = path.length > SHOWN_PATH ? `${path.slice(0, SHOWN_PATH)}…` : path;
  throw new SchemaError('NOT_JSON', place, [{ path: shown, message: fault.message }]);
}

/**
 * The value as JSON text; `undefined` becomes the empty text (a message without data).
 * @throws SchemaError `NOT_JSON` naming the place of the first thing that JSON does not keep
 */
export function toJson(value: unknown, place: string): string {
  assertJson(value, place);
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
  if (text.includes('__proto__') || text.includes('\\u')) assertJson(value, place);
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
