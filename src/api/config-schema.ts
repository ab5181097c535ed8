/**
 * What a config may say, as zod schemas: one dialect for files (a duration needs its unit, for a bare number in a file leaves everybody
 * guessing) and one for the same objects given in code (a number is milliseconds). The JSON Schema that editors use is made from the first.
 *
 * Two rules for all schemas here: the `error` text of a schema says what it *expects*, since the caller knows what was found; and every
 * default comes from runtime/supervision-settings, so that a child nobody mentions and a child mentioned without details are the same.
 */
import { z } from 'zod';
import { type Duration, milliseconds } from '../message/duration.js';
import { MOST_SHARDS, NAME_LENGTH } from '../message/limits.js';
import { checkActorType, checkName } from '../message/names.js';
import {
  type ChildSettings,
  DEFAULT_SUPERVISOR,
  DIRECTIVES,
  type Directive,
  defaultChildSettings,
  type SupervisorSettings,
} from '../runtime/supervision-settings.js';

export type Dialect = 'file' | 'code';

/** One thing that is wrong. `known` lists what could stand there instead, when that is a short list of names. */
export interface Problem {
  readonly code: string;
  readonly path: readonly (string | number)[];
  readonly expected: string;
  readonly known?: readonly string[];
  /** the value was read from a text and the schema wants this type: an environment variable may be converted */
  readonly wanted?: 'number' | 'boolean';
}

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** A config file's content, with the supervisors' defaults filled in and durations in milliseconds. */
export interface ConfigData {
  readonly name: string;
  readonly redis: string;
  readonly shards?: number | undefined;
  readonly lease?: number | undefined;
  readonly sendTimeout?: number | undefined;
  readonly allowEviction: boolean;
  readonly modules: readonly string[];
  readonly supervisors: readonly SupervisorSettings[];
}

const SECOND = 1_000;
const DAY = 86_400_000;

const ENV_REFERENCE = '\\$\\{.+\\}';
const DURATION_PATTERN = `^\\d+(\\.\\d+)?(ms|s|m|h|d)$|${ENV_REFERENCE}`;

/** Of a duration, its least and its most: what JSON Schema cannot say of a string. Only the page of options is told. */
const BOUNDS = 'errandDuration';

/** The duration as a person would write it: 120000 is `2m`. */
function durationText(ms: number): string {
  for (const [unit, size] of [
    ['d', DAY],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', SECOND],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

function duration(dialect: Dialect, least: number, most: number) {
  const forms =
    dialect === 'file'
      ? "a duration with its unit, such as '250ms', '5s', '2m', '1h' or '7d'"
      : "milliseconds, or a text such as '250ms', '5s', '2m', '1h', '7d'";
  return z
    .unknown()
    .transform((value, context): number => {
      const fail = (code: string, message: string): never => {
        context.addIssue({ code: 'custom', message, params: { errand: code } });
        return z.NEVER;
      };
      if (dialect === 'file' && typeof value === 'number') return fail('CONFIG_DURATION', forms);
      let ms: number;
      try {
        ms = milliseconds(value as Duration);
      } catch {
        return fail('CONFIG_DURATION', forms);
      }
      return ms >= least && ms <= most ? ms : fail('CONFIG_RANGE', `from ${durationText(least)} to ${durationText(most)}`);
    })
    .meta({ type: 'string', pattern: DURATION_PATTERN, [BOUNDS]: [durationText(least), durationText(most)] });
}

function whole(least: number, most: number) {
  const error = `a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

function number(least: number, most: number) {
  const error = `a number from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: values.join(', ') });
}

/** Strict: a key that is not known is a mistake, not a comment. */
function mapping<T extends z.core.$ZodLooseShape>(shape: T) {
  const keys = Object.keys(Object.getOwnPropertyDescriptors(shape));
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? keys.filter((key) => key !== '$schema').join(', ')
        : `a mapping with ${keys.slice(0, 3).join(', ')}, …`,
  });
}

const NAME = `1 to ${NAME_LENGTH} letters, digits, '.', '_' or '-', beginning with a letter or digit`;

const passes = (rule: (text: string, place: string) => string) => (text: string) => {
  try {
    return rule(text, '') === text;
  } catch {
    return false;
  }
};

const name = z.string({ error: NAME }).refine(passes(checkName), { error: NAME, params: { errand: 'CONFIG_NAME' } });

/** Also refuses the types that the key layout keeps for itself. */
const actorType = z.string({ error: NAME }).refine(passes(checkActorType), {
  error: `an actor type: ${NAME}; event, outcome and producer are reserved`,
  params: { errand: 'CONFIG_NAME' },
});

/** A name of its own in the JSON Schema, which only files have; the tree refers to it at every depth. */
function identified<T>(dialect: Dialect, schema: z.ZodType<T>): z.ZodType<T> {
  return dialect === 'file' ? schema.meta({ id: 'supervisor' }) : schema;
}

function supervisorSchema(dialect: Dialect): z.ZodType<SupervisorSettings> {
  const standard = defaultChildSettings('');
  /** A duration's default, as it would be written in this dialect. */
  const given = (ms: number): Duration => (dialect === 'file' ? (durationText(ms) as Duration) : ms);

  const backoff = mapping({
    min: duration(dialect, 0, DAY).prefault(given(DEFAULT_SUPERVISOR.backoff.min)).describe('Wait before the first restart'),
    max: duration(dialect, 0, DAY).prefault(given(DEFAULT_SUPERVISOR.backoff.max)).describe('Longest wait'),
    factor: number(1, 100).prefault(DEFAULT_SUPERVISOR.backoff.factor).describe('Each wait is this many times the one before'),
    jitter: number(0, 1).prefault(DEFAULT_SUPERVISOR.backoff.jitter).describe('Random share of each wait'),
  }).superRefine((value, context) => {
    if (value.min > value.max) {
      context.addIssue({
        code: 'custom',
        path: ['min'],
        message: `at most max, ${durationText(value.max)}`,
        params: { errand: 'CONFIG_RANGE' },
      });
    }
  });

  const recoverability = mapping({
    immediate: whole(0, 100).prefault(standard.recoverability.immediate).describe('Attempts made at once after the first'),
    delayed: z
      .array(duration(dialect, 0, 365 * DAY), { error: 'a list of durations' })
      .max(100, { error: 'at most 100 delays' })
      .prefault(standard.recoverability.delayed.map(given))
      .describe('One more attempt after each of these'),
    order: oneOf(['block', 'park', 'skip'])
      .prefault(standard.recoverability.order)
      .describe("A failing key's later messages wait for the retry (block), are parked with it (park), or go on without it (skip)"),
  });

  const codes = z.array(z.string({ error: 'an error code' }).min(1, { error: 'an error code' }), { error: 'a list of error codes' });
  const directives = mapping({
    retry: codes.prefault([]).describe('Tried again as recoverability says; what every code without a directive gets'),
    resume: codes.prefault([]).describe('The message is settled as failed, the actor keeps running'),
    stop: codes.prefault([]).describe('The message is settled as failed, the actor leaves memory'),
    escalate: codes.prefault([]).describe('The message stays, its attempt counted; the supervisor applies its strategy'),
  }).transform((value, context): ReadonlyMap<string, Directive> => {
    const chosen = new Map<string, Directive>();
    for (const directive of DIRECTIVES) {
      for (const [at, code] of value[directive].entries()) {
        if (chosen.has(code)) {
          const message = `each code once; it is under ${chosen.get(code)} already`;
          context.addIssue({ code: 'custom', path: [directive, at], message, params: { errand: 'CONFIG_VALUE' } });
        } else chosen.set(code, directive);
      }
    }
    return chosen;
  });

  const breaker = mapping({
    failures: whole(0, 1_000_000)
      .prefault(standard.breaker.failures)
      .describe('Different keys that fail in a row and open it; 0 turns it off'),
    probeEvery: duration(dialect, 1, DAY)
      .prefault(given(standard.breaker.probeEvery))
      .describe('One message at a time is tried, this long after the last one failed, until one succeeds'),
  });

  const state = mapping({
    keepFor: duration(dialect, SECOND, 36_500 * DAY)
      .optional()
      .describe('State untouched for this long is deleted; without it, kept for ever'),
    maxBytes: whole(1, 67_108_864).prefault(standard.state.maxBytes).describe("Largest state of one key, as JSON's bytes"),
  }).transform((value) => ({ keepFor: value.keepFor, maxBytes: value.maxBytes }));

  const child: z.ZodType<ChildSettings> = mapping({
    actor: actorType.describe('The actor type, as in @actor(...)'),
    restart: oneOf(['permanent', 'temporary'])
      .prefault(standard.restart)
      .describe('permanent: back after every escalation; temporary: never'),
    concurrency: whole(1, 100_000).prefault(standard.concurrency).describe('Activations working at once on one node'),
    prefetch: whole(1, 1_000_000).prefault(standard.prefetch).describe('Messages held in memory per node; the rest stays in the log'),
    passivateAfter: duration(dialect, 0, 365 * DAY)
      .prefault(given(standard.passivateAfter))
      .describe('An activation idle for this long leaves memory'),
    recoverability: recoverability.prefault({}).describe('What happens to a message whose handler failed'),
    directives: directives
      .prefault({})
      .describe("Error codes and what they mean for the actor and its message; its class's own onFailure comes first"),
    breaker: breaker.prefault({}).describe('Keeps a broken dependency from turning the backlog into dead letters'),
    attemptTimeout: duration(dialect, 1, 7 * DAY)
      .prefault(given(standard.attemptTimeout))
      .describe('A handler that takes longer has failed'),
    unhandledTimeout: duration(dialect, 0, 365 * DAY)
      .prefault(given(standard.unhandledTimeout))
      .describe('A message without a handler here waits so long for a node of another version that has one; then it is a dead letter'),
    state: state.prefault({}),
  });

  const supervisor: z.ZodType<SupervisorSettings> = identified(
    dialect,
    mapping({
      name: name.describe('Unique in the whole tree'),
      strategy: oneOf(['one-for-one', 'one-for-all', 'rest-for-one'])
        .prefault(DEFAULT_SUPERVISOR.strategy)
        .describe('Which siblings restart with the failed one'),
      intensity: whole(0, 1_000_000)
        .prefault(DEFAULT_SUPERVISOR.intensity)
        .describe('More than this many escalations within the period, and the supervisor itself fails, upward'),
      period: duration(dialect, 1, 365 * DAY).prefault(given(DEFAULT_SUPERVISOR.period)),
      backoff: backoff.prefault({}).describe('Waits between restarts'),
      children: z.array(child, { error: 'a list of children' }).prefault([]),
      get supervisors(): z.ZodType<readonly SupervisorSettings[]> {
        return z.array(supervisor, { error: 'a list of supervisors' }).prefault([]);
      },
    }),
  );
  return supervisor;
}

const REDIS = "'memory:', 'redis://…' or 'rediss://…'";

function isRedisAddress(text: string): boolean {
  return text === 'memory:' || (/^rediss?:\/\/[^/]/.test(text) && URL.canParse(text));
}

const fileSchema: z.ZodType<ConfigData> = mapping({
  $schema: z.string({ error: 'the address of a JSON Schema' }).optional(),
  name: name.describe("The system's name; the first part of all its keys in Redis"),
  redis: z
    .string({ error: REDIS })
    .refine(isRedisAddress, { error: REDIS, params: { errand: 'CONFIG_REDIS' } })
    .describe(`${REDIS}; memory: is an in-process Redis that ends with the process`),
  shards: whole(1, MOST_SHARDS).optional().describe('Slices of all keys, 16 unless given; fixed for the life of the system'),
  lease: duration('file', 2 * SECOND, 3_600_000)
    .optional()
    .describe('How long a node that has gone silent keeps its partitions; 10s unless given'),
  sendTimeout: duration('file', 1, DAY).optional().describe('How long a send waits for a lost connection; 60s unless given'),
  allowEviction: z
    .boolean({ error: 'true or false' })
    .prefault(false)
    .describe('Run on a Redis whose maxmemory-policy may delete keys. It will lose messages'),
  modules: z
    .array(z.string({ error: "a path such as './actors/index.js', or a package" }).min(1, { error: 'a path or a package' }), {
      error: 'a list of modules',
    })
    .max(1_000, { error: 'at most 1000 modules' })
    .prefault([])
    .describe('Each exports its actor classes, and may export bind(container). A path is relative to this file'),
  supervisors: z.array(supervisorSchema('file'), { error: 'a list of supervisors' }).prefault([]),
});

const codeSchema = z.array(supervisorSchema('code'), { error: 'a list of supervisors' });

const isIndexed = (key: PropertyKey): key is string | number => typeof key !== 'symbol';

/** What zod found, in errand's terms. */
function problems(issues: readonly z.core.$ZodIssue[], root: unknown): Problem[] {
  return issues.flatMap((issue): Problem[] => {
    const path = issue.path.filter(isIndexed);
    const expected = issue.message;
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({
          code: 'CONFIG_UNKNOWN_KEY',
          path: [...path, key],
          expected: `one of ${expected}`,
          known: expected.split(', '),
        }));
      case 'invalid_value':
        return valueAt(root, path) === undefined
          ? [{ code: 'CONFIG_MISSING', path, expected: `one of ${expected}` }]
          : [{ code: 'CONFIG_VALUE', path, expected: `one of ${expected}`, known: expected.split(', ') }];
      case 'too_small':
      case 'too_big':
        return [{ code: 'CONFIG_RANGE', path, expected }];
      case 'custom':
        return [{ code: typeof issue.params?.errand === 'string' ? issue.params.errand : 'CONFIG_VALUE', path, expected }];
      default: {
        const wanted =
          issue.code !== 'invalid_type'
            ? undefined
            : issue.expected === 'boolean'
              ? 'boolean'
              : ['number', 'int'].includes(issue.expected)
                ? 'number'
                : undefined;
        return [
          {
            code: valueAt(root, path) === undefined ? 'CONFIG_MISSING' : 'CONFIG_TYPE',
            path,
            expected,
            ...(wanted !== undefined && { wanted }),
          },
        ];
      }
    }
  });
}

/** The value at a path of own properties; undefined where there is none. */
export function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function check<T>(schema: z.ZodType<T>, value: unknown): Checked<T> {
  const parsed = schema.safeParse(value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problems: problems(parsed.error.issues, value) };
}

/** A config file's content, already substituted, against the schema. */
export function checkConfig(value: unknown): Checked<ConfigData> {
  return check(fileSchema, value);
}

/** The supervisors that were given in code, against the schema. */
export function checkSupervisors(value: unknown): Checked<readonly SupervisorSettings[]> {
  return check(codeSchema, value);
}

/** The JSON Schema (draft 7, which editors know best) of a config file as it is written: with defaults left out, units on durations, and `${VAR}` anywhere a value stands. */
export function configJsonSchema({ bounds = false } = {}): Record<string, unknown> {
  const schema = z.toJSONSchema(fileSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (!bounds) delete (jsonSchema as Record<string, unknown>)[BOUNDS];
      const plain = ['integer', 'number', 'boolean'].includes(String(jsonSchema.type)) || jsonSchema.enum !== undefined;
      if (!plain) return;
      const { description, default: standard, ...rest } = jsonSchema;
      for (const key of Object.keys(rest)) delete (jsonSchema as Record<string, unknown>)[key];
      Object.assign(
        jsonSchema,
        { anyOf: [rest, { type: 'string', pattern: ENV_REFERENCE }] },
        description && { description },
        standard !== undefined && { default: standard },
      );
    },
  });
  return { ...schema, title: "errand's config" };
}
