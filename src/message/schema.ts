import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { type Fault, SchemaError } from './errors.js';

/** Any schema of any library that follows Standard Schema. */
export type Schema = StandardSchemaV1;

function fault(issue: StandardSchemaV1.Issue, root: unknown): Fault {
  let path = '';
  let value: unknown = root;
  for (const segment of issue.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment;
    path += typeof key === 'number' ? `[${key}]` : path === '' ? String(key) : `.${String(key)}`;
    value = value !== null && typeof value === 'object' ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }
  return { path, message: withoutValues(issue.message, value) };
}

/** Values that are looked for in a message: a library quotes what it found, and that may be a card's number. */
const MOST_VALUES = 200;
/** Shorter words stand in rules as well (`at least 3`). */
const SHORTEST_VALUE = 4;

/** The message without the values that it quotes from the data: the rule stays, and the path says where. */
function withoutValues(message: string, value: unknown): string {
  let shown = message;
  const open: unknown[] = [value];
  for (let seen = 0; open.length > 0 && seen < MOST_VALUES; seen += 1) {
    const one = open.pop();
    if (one !== null && typeof one === 'object') open.push(...Object.values(one).slice(0, MOST_VALUES));
    else if (typeof one === 'string' || typeof one === 'number' || typeof one === 'bigint') {
      const text = String(one);
      for (const quote of ['"', "'", '`']) shown = shown.replaceAll(`${quote}${text}${quote}`, `${quote}…${quote}`);
      if (text.length >= SHORTEST_VALUE) shown = shown.replaceAll(text, '…');
    }
  }
  return shown;
}

/** What the schema takes, as far as its library can say so; schemas that differ may have the same description. */
export function describeSchema(schema: Schema): string {
  const standard = schema['~standard'] as Schema['~standard'] & Partial<StandardJSONSchemaV1['~standard']>;
  try {
    return JSON.stringify(standard.jsonSchema?.input({ target: 'draft-2020-12' })) ?? standard.vendor;
  } catch {
    return standard.vendor; // it holds what JSON Schema has no words for
  }
}

/**
 * The schema's output for `value`.
 * @throws SchemaError with the given code and every fault; `ASYNC_SCHEMA` when the schema answers with a promise
 */
export function validate(
  schema: Schema,
  value: unknown,
  code: 'INVALID_DATA' | 'INVALID_RESULT' | 'INVALID_STATE',
  place: string,
): unknown {
  const answer = schema['~standard'].validate(value);
  if ('then' in answer) {
    Promise.resolve(answer).catch(() => undefined); // its outcome is not wanted, and must not surface as an unhandled rejection
    throw new SchemaError('ASYNC_SCHEMA', place, [
      { path: '', message: 'the schema validates asynchronously; errand needs a synchronous one' },
    ]);
  }
  if (answer.issues !== undefined)
    throw new SchemaError(
      code,
      place,
      answer.issues.map((issue) => fault(issue, value)),
    );
  return answer.value;
}
