/**
 * A config file, read: text → data → environment → schema → settings. Data only; nothing in it is evaluated, and importing the modules
 * it names is a step of its own (config-modules).
 *
 * Every fault is a `ConfigError` that names the file, the line where there is one, the path in the file, what was found and what was
 * expected. The first fault is thrown and carries the others in `more`, so that a file is mended in one go.
 */
import { createRequire } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, describe } from '../message/errors.js';
import { nearest } from '../message/nearest.js';
import type { SupervisorSettings } from '../runtime/supervision-settings.js';
import { type Environment, pathId, substitute } from './config-environment.js';
import { checkConfig, checkSupervisors, type Problem, valueAt } from './config-schema.js';
import { type LineOf, type Path, parseText, readText } from './config-text.js';

/** A system as its config file describes it; durations in milliseconds, defaults of the supervision tree filled in. */
export interface SystemConfig {
  /** the file, as it was named */
  readonly file: string;
  readonly name: string;
  readonly redis: string;
  readonly shards?: number;
  readonly lease?: number; // ms
  readonly sendTimeout?: number; // ms
  /** whether a `maxmemory-policy` other than `noeviction` is put up with */
  readonly allowEviction: boolean;
  /** what to import: `file:` addresses, or packages that are not found from the file's folder */
  readonly modules: readonly string[];
  readonly supervisors: readonly SupervisorSettings[];
}

/** `supervisors[0].children[1].concurrency` */
export function pathText(path: Path): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

/**
 * Reads and checks a config file.
 * @param path a `.yaml`, `.yml` or `.json` file
 * @param env where `${VAR}` is looked up; the process' environment unless given
 * @throws ConfigError `CONFIG_NOT_FOUND`, `CONFIG_FORMAT`, `CONFIG_TOO_LARGE`, `CONFIG_TOO_DEEP`, `CONFIG_SYNTAX`, `CONFIG_ALIASES`, `CONFIG_ENV`,
 * `CONFIG_TYPE`, `CONFIG_MISSING`, `CONFIG_UNKNOWN_KEY`, `CONFIG_VALUE`, `CONFIG_NAME`, `CONFIG_REDIS`, `CONFIG_DURATION`, `CONFIG_RANGE`,
 * `CONFIG_DUPLICATE_ACTOR`, `CONFIG_DUPLICATE_SUPERVISOR`
 */
export async function loadConfig(path: string, env: Environment = process.env): Promise<SystemConfig> {
  const { data, lineOf } = parseText(await readText(path), path);
  const substituted = substitute(data, env);
  refuse(
    path,
    substituted.faults.map((fault) => [fault.code, fault.path, fault.found, fault.expected]),
    lineOf,
  );
  const checked = checkReferences(substituted.value, substituted.references);
  if (!checked.ok) throw unfit(path, substituted.value, checked.problems, lineOf);
  const { name, redis, shards, lease, sendTimeout, allowEviction, modules, supervisors } = checked.value;
  refuseDuplicates(path, supervisors, ['supervisors'], lineOf);
  return {
    file: path,
    name,
    redis,
    ...(shards !== undefined && { shards }),
    ...(lease !== undefined && { lease }),
    ...(sendTimeout !== undefined && { sendTimeout }),
    allowEviction,
    modules: modules.map((module) => moduleAddress(module, path)),
    supervisors,
  };
}

/**
 * The supervisors that were given in code, with their defaults; a number is a duration in milliseconds.
 * @param source what the value is called in errors, in the place of a file
 * @throws ConfigError as loadConfig does
 */
export function parseSupervisors(value: unknown, source: string): readonly SupervisorSettings[] {
  // An empty environment and no references: what was given in code is meant as it is. The copy only makes sure that it is a finite tree.
  const { faults } = substitute(value, {});
  refuse(
    source,
    faults.filter((fault) => fault.code !== 'CONFIG_ENV').map((fault) => [fault.code, fault.path, fault.found, fault.expected]),
  );
  const checked = checkSupervisors(value);
  if (!checked.ok) throw unfit(source, value, checked.problems);
  refuseDuplicates(source, checked.value, []);
  return checked.value;
}

/** Every child of every supervisor, nested ones too, with its path. */
export function* childrenOf(
  supervisors: readonly SupervisorSettings[],
  path: Path = ['supervisors'],
): Generator<{ actor: string; path: Path }> {
  for (const [index, supervisor] of supervisors.entries()) {
    for (const [at, child] of supervisor.children.entries()) yield { actor: child.actor, path: [...path, index, 'children', at, 'actor'] };
    yield* childrenOf(supervisor.supervisors, [...path, index, 'supervisors']);
  }
}

/**
 * Refuses a child whose actor no module exports.
 * @throws ConfigError `CONFIG_UNKNOWN_ACTOR`
 */
export function checkActors(config: Pick<SystemConfig, 'file' | 'supervisors'>, knownTypes: Iterable<string>): void {
  const known = [...new Set(knownTypes)];
  const faults = [...childrenOf(config.supervisors)].filter(({ actor }) => !known.includes(actor));
  const expected = known.length === 0 ? 'an actor that a module exports (there is none)' : `one of ${known.join(', ')}`;
  throwFirst(
    faults.map(
      ({ actor, path }) =>
        new ConfigError('CONFIG_UNKNOWN_ACTOR', config.file, pathText(path), describe(actor), expected, {
          suggestion: nearest(actor, known),
        }),
    ),
  );
}

/** A variable is text. Where the schema wants a number or a boolean and the value is one reference and nothing else, it is read as one. */
function checkReferences(value: unknown, references: ReadonlySet<string>): ReturnType<typeof checkConfig> {
  const checked = checkConfig(value);
  if (checked.ok) return checked;
  let converted = false;
  for (const { path, wanted } of checked.problems) {
    const text = valueAt(value, path);
    if (wanted === undefined || typeof text !== 'string' || !references.has(pathId(path))) continue;
    const parsed =
      wanted === 'number'
        ? /^-?\d+(\.\d+)?$/.test(text)
          ? Number(text)
          : undefined
        : text === 'true'
          ? true
          : text === 'false'
            ? false
            : undefined;
    if (parsed === undefined) continue;
    const parent = valueAt(value, path.slice(0, -1)) as Record<string | number, unknown>;
    parent[path.at(-1) as string | number] = parsed;
    converted = true;
  }
  return converted ? checkConfig(value) : checked;
}

/** A path from the file's folder becomes a `file:` address; a package is looked for from there. */
function moduleAddress(module: string, file: string): string {
  if (module.startsWith('file:')) return module;
  if (/^\.\.?(\/|$)/.test(module) || isAbsolute(module)) return pathToFileURL(resolve(file, '..', module)).href;
  try {
    return pathToFileURL(createRequire(pathToFileURL(resolve(file))).resolve(module)).href;
  } catch {
    return module; // not found from there, or exports nothing to `require`: import() has its own say, seen from errand
  }
}

type Fault = readonly [code: string, path: Path, found: string, expected: string];

function refuse(file: string, faults: readonly Fault[], lineOf?: LineOf): void {
  throwFirst(
    faults.map(([code, path, found, expected]) => new ConfigError(code, file, pathText(path), found, expected, { line: lineOf?.(path) })),
  );
}

function unfit(file: string, root: unknown, problems: readonly Problem[], lineOf?: LineOf): ConfigError {
  const errors = problems.map(({ code, path, expected, known }) => {
    const value = valueAt(root, path);
    const last = String(path.at(-1) ?? '');
    const suggestion = known === undefined ? undefined : nearest(code === 'CONFIG_UNKNOWN_KEY' ? last : String(value), known);
    return new ConfigError(code, file, pathText(path), foundText(code, value), expected, { line: lineOf?.(path), suggestion });
  });
  return withMore(errors) as ConfigError;
}

function foundText(code: string, value: unknown): string {
  if (code === 'CONFIG_MISSING') return 'nothing';
  if (code === 'CONFIG_UNKNOWN_KEY') return 'an unknown key';
  // An address may hold a password.
  if (code === 'CONFIG_REDIS') return `an address that begins with ${describe(String(value).slice(0, 8))}`;
  return describe(value);
}

/** One actor type is one inbox, so it has one place in the tree; a supervisor is stopped and shown by its name. */
function refuseDuplicates(file: string, supervisors: readonly SupervisorSettings[], path: Path, lineOf?: LineOf): void {
  const faults: Fault[] = [];
  const actors = new Map<string, Path>();
  for (const child of childrenOf(supervisors, path)) {
    const first = actors.get(child.actor);
    if (first === undefined) actors.set(child.actor, child.path);
    else
      faults.push([
        'CONFIG_DUPLICATE_ACTOR',
        child.path,
        `${describe(child.actor)} again`,
        `each actor once; it is at ${pathText(first)} already`,
      ]);
  }
  const names = new Map<string, Path>();
  const walk = (branch: readonly SupervisorSettings[], at: Path): void => {
    for (const [index, supervisor] of branch.entries()) {
      const here = [...at, index, 'name'];
      const first = names.get(supervisor.name);
      if (first === undefined) names.set(supervisor.name, here);
      else
        faults.push([
          'CONFIG_DUPLICATE_SUPERVISOR',
          here,
          `${describe(supervisor.name)} again`,
          `each name once; it is at ${pathText(first)} already`,
        ]);
      walk(supervisor.supervisors, [...at, index, 'supervisors']);
    }
  };
  walk(supervisors, path);
  refuse(file, faults, lineOf);
}

function throwFirst(errors: readonly ConfigError[]): void {
  const error = withMore(errors);
  if (error !== undefined) throw error;
}

function withMore(errors: readonly ConfigError[]): ConfigError | undefined {
  const [first, ...more] = errors;
  if (first === undefined || more.length === 0) return first;
  const { code, file, path, line, suggestion } = first;
  return new ConfigError(code, file, path, first.found, first.expected, { line, suggestion, more });
}
