import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Fault, SchemaError } from './errors.js';

/** Any schema of any library that follows Standard Schema. */
export type Schema = StandardSchemaV1;

function fault(issue: StandardSchemaV1.Issue): Fault {
  let path = '';
  for (const segment of issue.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment;
    path += typeof key === 'number' ? `[${key}]` : path === '' ? String(key) : `.${String(key)}`;
  }
  return { path, message: issue.message };
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
  if (answer instanceof Promise) {
    answer.catch(() => undefined); // its outcome is not wanted, and must not surface as an unhandled rejection
    throw new SchemaError('ASYNC_SCHEMA', place, [
      { path: '', message: 'the schema validates asynchronously; errand needs a synchronous one' },
    ]);
  }
  if (answer.issues !== undefined) throw new SchemaError(code, place, answer.issues.map(fault));
  return answer.value;
}
