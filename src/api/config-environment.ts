/**
 * `${VAR}` and `${VAR:-default}` in a config's values, as a shell has them: the default stands in for a variable that is unset or empty.
 * Keys are never substituted, a variable's content is never substituted again, and `$${` is a plain `${`.
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/** Why a tree could not be substituted. */
export interface EnvironmentFault {
  readonly code: 'CONFIG_ENV' | 'CONFIG_TOO_DEEP' | 'CONFIG_ALIASES';
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly expected: string;
}

export interface Substituted {
  readonly value: unknown;
  /** The paths, joined with NUL, of values that are one reference and nothing else: only they may become a number or a boolean. */
  readonly references: ReadonlySet<string>;
  readonly faults: readonly EnvironmentFault[];
}

/** Deeper data than this is no config, and recursing into it would end in a stack overflow. */
const DEEPEST = 200;

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const WHOLE = /^\$\{[^}]*\}$/;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

export const pathId = (path: readonly (string | number)[]): string => path.join('\0');

/** A copy of `root` with its texts substituted. Own keys stay own keys, `__proto__` too. */
export function substitute(root: unknown, env: Environment): Substituted {
  const references = new Set<string>();
  const faults: EnvironmentFault[] = [];
  const ancestors: unknown[] = [];

  function text(source: string, path: readonly (string | number)[]): string {
    if (WHOLE.test(source)) references.add(pathId(path));
    return source.replace(REFERENCE, (match, inside: string | undefined, end: string) => {
      if (inside === undefined) return '${';
      const parts = end === '' ? null : INSIDE.exec(inside);
      if (parts === null) {
        faults.push({
          code: 'CONFIG_ENV',
          path,
          found: `'${match}'`,
          expected: '${VARIABLE} or ${VARIABLE:-default} ($${ for a plain ${)',
        });
        return '';
      }
      const [, name = '', standard] = parts;
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (value !== undefined && (value !== '' || standard === undefined)) return value;
      if (standard !== undefined) return standard;
      faults.push({
        code: 'CONFIG_ENV',
        path,
        found: `the variable ${name}, which is not set`,
        expected: `${name} in the environment, or a default: \${${name}:-…}`,
      });
      return '';
    });
  }

  function copy(value: unknown, path: readonly (string | number)[]): unknown {
    if (typeof value === 'string') return text(value, path);
    if (typeof value !== 'object' || value === null) return value;
    if (ancestors.includes(value)) {
      faults.push({ code: 'CONFIG_ALIASES', path, found: 'a value that contains itself', expected: 'data without cycles' });
      return null;
    }
    if (path.length >= DEEPEST) {
      faults.push({
        code: 'CONFIG_TOO_DEEP',
        path: path.slice(0, 6),
        found: `more than ${DEEPEST} levels`,
        expected: `at most ${DEEPEST} levels of nesting`,
      });
      return null;
    }
    ancestors.push(value);
    const result: unknown = Array.isArray(value)
      ? value.map((item, index) => copy(item, [...path, index]))
      : Object.defineProperties({}, Object.fromEntries(Object.entries(value).map(([key, item]) => [key, own(copy(item, [...path, key]))])));
    ancestors.pop();
    return result;
  }

  return { value: copy(root, []), references, faults };
}

function own(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}
