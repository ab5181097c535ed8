import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { checkActors, loadConfig, parseSupervisors, type SystemConfig } from '../../src/api/config.js';
import { importModules } from '../../src/api/config-modules.js';
import { configJsonSchema } from '../../src/api/config-schema.js';
import { ConfigError } from '../../src/message/errors.js';
import { defaultChildSettings } from '../../src/runtime/supervision-settings.js';

const folder = mkdtempSync(join(tmpdir(), 'errand-config-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function write(content: string, ending = 'yaml'): string {
  files += 1;
  const path = join(folder, `${files}.${ending}`);
  writeFileSync(path, content);
  return path;
}

const load = (content: string, env: Record<string, string> = {}, ending = 'yaml'): Promise<SystemConfig> =>
  loadConfig(write(content, ending), env);

interface Expected {
  readonly code: string;
  readonly path: string;
  readonly found?: RegExp;
  readonly expected?: RegExp;
  readonly suggestion?: string;
  readonly line?: number;
}

function isConfigError(t: ExecutionContext, error: unknown, expected: Expected): void {
  if (!(error instanceof ConfigError)) {
    t.log(error);
    return t.fail('not a ConfigError');
  }
  t.is(error.code, expected.code, error.message);
  t.is(error.path, expected.path, error.message);
  if (expected.found !== undefined) t.regex(error.found, expected.found);
  if (expected.expected !== undefined) t.regex(error.expected, expected.expected);
  if (expected.suggestion !== undefined) t.is(error.suggestion, expected.suggestion);
  if (expected.line !== undefined) t.is(error.line, expected.line, error.message);
  if (expected.path !== '') t.true(error.message.includes(expected.path));
  t.true(error.message.includes(error.file));
}

const refused = test.macro(async (t: ExecutionContext, content: string, expected: Expected, ending?: string) => {
  isConfigError(t, await t.throwsAsync(load(content, {}, ending ?? 'yaml')), expected);
});

const WHOLE = `
name: shop
redis: \${REDIS_URL:-memory:}
shards: \${SHARDS:-16}
lease: 10s
modules: [./actors/index.js]
supervisors:
  - name: fulfilment
    strategy: one-for-all
    intensity: 3
    period: 1m
    backoff: { min: 50ms, max: 2s, factor: 3, jitter: 0 }
    children:
      - actor: warehouse
        restart: temporary
        concurrency: 8
        prefetch: 20
        passivateAfter: 1.5h
        recoverability: { immediate: 0, delayed: [1s, 5m], order: park }
        directives: { stop: [SOLD_OUT], escalate: [ECONNREFUSED, LINK_DOWN] }
        breaker: { failures: 3, probeEvery: 2s }
        attemptTimeout: 3s
        state: { keepFor: 90d, maxBytes: 2048 }
    supervisors:
      - name: messages
        children: [{ actor: email }]
`;

test('a whole file is read, durations in milliseconds, defaults filled in', async (t) => {
  const config = await load(WHOLE);
  t.is(config.redis, 'memory:');
  t.is(config.shards, 16);
  t.is(config.lease, 10_000);
  t.false(config.allowEviction);
  t.deepEqual(config.modules, [pathToFileURL(join(folder, 'actors/index.js')).href]);
  t.deepEqual(config.supervisors, [
    {
      name: 'fulfilment',
      strategy: 'one-for-all',
      intensity: 3,
      period: 60_000,
      backoff: { min: 50, max: 2_000, factor: 3, jitter: 0 },
      children: [
        {
          actor: 'warehouse',
          restart: 'temporary',
          concurrency: 8,
          prefetch: 20,
          passivateAfter: 5_400_000,
          recoverability: { immediate: 0, delayed: [1_000, 300_000], order: 'park' },
          directives: new Map([
            ['SOLD_OUT', 'stop'],
            ['ECONNREFUSED', 'escalate'],
            ['LINK_DOWN', 'escalate'],
          ]),
          breaker: { failures: 3, probeEvery: 2_000 },
          attemptTimeout: 3_000,
          unhandledTimeout: 600_000,
          state: { keepFor: 90 * 86_400_000, maxBytes: 2048 },
        },
      ],
      supervisors: [
        {
          name: 'messages',
          strategy: 'one-for-one',
          intensity: 5,
          period: 10_000,
          backoff: { min: 100, max: 10_000, factor: 2, jitter: 0.2 },
          children: [defaultChildSettings('email')],
          supervisors: [],
        },
      ],
    },
  ]);
});

test('JSON says the same as YAML', async (t) => {
  const config = await load('{\n\t"$schema": "x",\n\t"name": "shop",\n\t"redis": "memory:",\n\t"sendTimeout": "5s"\n}', {}, 'json');
  t.is(config.name, 'shop');
  t.is(config.sendTimeout, 5_000);
  t.deepEqual(config.modules, []);
  t.false('shards' in config, 'what is not given is for Redis to tell');
});

test('the environment is substituted in values, and read as numbers and booleans where those are wanted', async (t) => {
  const content =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the config's own notation
    'name: ${NAME}-${KIND:-test}\nredis: ${URL}\nshards: "${SHARDS}"\nallowEviction: ${EVICT}\nlease: ${LEASE:-20}s\nmodules: ["./$${x}.js"]';
  const config = await load(content, { NAME: '12', URL: 'redis://u:p@h:1/2', SHARDS: '4', EVICT: 'true', KIND: '' });
  t.like(config, { name: '12-test', redis: 'redis://u:p@h:1/2', shards: 4, allowEviction: true, lease: 20_000 });
  t.true(config.modules[0]?.endsWith('/$%7Bx%7D.js'), 'an escaped reference is text');
});

test('what a variable contains is not substituted again, and does not change the structure', async (t) => {
  const config = await load('name: a\nredis: "memory:"\nmodules: ["./${A}.js"]', { A: '${B} {x: 1}', B: 'no' });
  t.true(config.modules[0]?.endsWith('$%7BB%7D%20%7Bx:%201%7D.js'));
});

const MINIMAL = 'name: shop\nredis: "memory:"\n';
const CHILD = `${MINIMAL}supervisors: [{ name: a, children: [{ actor: warehouse, `;

test('a wrong type is named with its path', refused, `${CHILD}concurrency: many }] }]`, {
  code: 'CONFIG_TYPE',
  path: 'supervisors[0].children[0].concurrency',
  found: /^'many'$/,
  expected: /whole number from 1 to/,
  line: 3,
});
test('a number in quotes is not a number', refused, `${MINIMAL}shards: "16"`, { code: 'CONFIG_TYPE', path: 'shards', found: /'16'/ });
test('a list in place of a mapping', refused, '- name: shop', {
  code: 'CONFIG_TYPE',
  path: '',
  found: /an array of 1/,
  expected: /mapping/,
});
test('an empty file', refused, '', { code: 'CONFIG_TYPE', path: '', found: /null/ });
test('a child with no actor', refused, `${MINIMAL}supervisors:\n  - name: a\n    children:\n      - restart: permanent`, {
  code: 'CONFIG_MISSING',
  path: 'supervisors[0].children[0].actor',
  found: /nothing/,
  line: 6,
});
test('redis is never assumed', refused, 'name: shop', { code: 'CONFIG_MISSING', path: 'redis', expected: /memory:/ });
test('an unknown key is named, and the near one suggested', refused, `${MINIMAL}supervisors: [{ name: a, strategi: one-for-one }]`, {
  code: 'CONFIG_UNKNOWN_KEY',
  path: 'supervisors[0].strategi',
  suggestion: 'strategy',
  expected: /name, strategy, intensity/,
});
test('a key near to nothing gets no suggestion', async (t) => {
  const error = await t.throwsAsync<ConfigError>(load(`${MINIMAL}wibble: 1`));
  t.is(error?.suggestion, undefined);
});
test('an unknown strategy', refused, `${MINIMAL}supervisors: [{ name: a, strategy: one-for-non }]`, {
  code: 'CONFIG_VALUE',
  path: 'supervisors[0].strategy',
  suggestion: 'one-for-one',
});
test('a duration needs its unit', refused, `${CHILD}attemptTimeout: 30 }] }]`, {
  code: 'CONFIG_DURATION',
  path: 'supervisors[0].children[0].attemptTimeout',
  found: /^30$/,
  expected: /unit/,
});
test('a duration with an unknown unit', refused, `${CHILD}recoverability: { delayed: [1s, 5 weeks] } }] }]`, {
  code: 'CONFIG_DURATION',
  path: 'supervisors[0].children[0].recoverability.delayed[1]',
  found: /5 weeks/,
});
test('a duration out of range', refused, `${MINIMAL}lease: 500ms`, { code: 'CONFIG_RANGE', path: 'lease', expected: /from 2s to 1h/ });
test('a number out of range', refused, `${MINIMAL}shards: 0`, { code: 'CONFIG_RANGE', path: 'shards', found: /^0$/ });
test('an infinite number', refused, `${MINIMAL}supervisors: [{ name: a, backoff: { factor: .inf } }]`, {
  code: 'CONFIG_TYPE',
  path: 'supervisors[0].backoff.factor',
  found: /Infinity/,
});
test('a back-off whose least is more than its most', refused, `${MINIMAL}supervisors: [{ name: a, backoff: { min: 1m, max: 5s } }]`, {
  code: 'CONFIG_RANGE',
  path: 'supervisors[0].backoff.min',
  expected: /at most max, 5s/,
});
test('a period that is none', refused, `${MINIMAL}supervisors: [{ name: a, period: 0s }]`, {
  code: 'CONFIG_RANGE',
  path: 'supervisors[0].period',
  expected: /from 1ms to 365d/,
});
test('an error code with two directives', refused, `${CHILD}directives: { resume: [A, B], escalate: [B] } }] }]`, {
  code: 'CONFIG_VALUE',
  path: 'supervisors[0].children[0].directives.escalate[0]',
  found: /^'B'$/,
  expected: /under resume already/,
});
test('an unknown directive', refused, `${CHILD}directives: { restart: [A] } }] }]`, {
  code: 'CONFIG_UNKNOWN_KEY',
  path: 'supervisors[0].children[0].directives.restart',
  expected: /retry, resume, stop, escalate/,
});
test('an intensity below zero', refused, `${MINIMAL}supervisors: [{ name: a, intensity: -1 }]`, {
  code: 'CONFIG_RANGE',
  path: 'supervisors[0].intensity',
});
test('a variable that is not set', refused, 'name: shop\nredis: ${NOWHERE}', {
  code: 'CONFIG_ENV',
  path: 'redis',
  found: /NOWHERE/,
  expected: /default/,
  line: 2,
});
test('a reference that is none', refused, 'name: "${1x}"\nredis: "memory:"', { code: 'CONFIG_ENV', path: 'name' });
test('a reference without an end', refused, 'name: "${x"\nredis: "memory:"', { code: 'CONFIG_ENV', path: 'name' });
test('an inherited name is no variable', refused, 'name: "${toString}"\nredis: "memory:"', { code: 'CONFIG_ENV', path: 'name' });
test('a name with braces', refused, 'name: "a{b}"\nredis: "memory:"', { code: 'CONFIG_NAME', path: 'name' });
test('a name with a control character', refused, 'name: "a\\tb"\nredis: "memory:"', { code: 'CONFIG_NAME', path: 'name' });
test('a name that is too long', refused, `name: ${'a'.repeat(101)}\nredis: 'memory:'`, {
  code: 'CONFIG_NAME',
  path: 'name',
  expected: /1 to 100/,
});
test('a reserved actor type', refused, `${MINIMAL}supervisors: [{ name: a, children: [{ actor: event }] }]`, {
  code: 'CONFIG_NAME',
  path: 'supervisors[0].children[0].actor',
});
test('an address that is no Redis', refused, 'name: shop\nredis: http://user:secret@host', {
  code: 'CONFIG_REDIS',
  path: 'redis',
  found: /^(?!.*secret)/,
});
test('the same actor twice, in two branches', refused, `${CHILD}}], supervisors: [{ name: b, children: [{ actor: warehouse }] }] }]`, {
  code: 'CONFIG_DUPLICATE_ACTOR',
  path: 'supervisors[0].supervisors[0].children[0].actor',
  expected: /supervisors\[0\]\.children\[0\]\.actor/,
});
test('the same supervisor twice', refused, `${MINIMAL}supervisors: [{ name: a }, { name: b, supervisors: [{ name: a }] }]`, {
  code: 'CONFIG_DUPLICATE_SUPERVISOR',
  path: 'supervisors[1].supervisors[0].name',
});
test('broken YAML, with its line', refused, 'name: shop\nredis: [a\n', { code: 'CONFIG_SYNTAX', path: '', line: 3 });
test('a reference that YAML reads as a mapping', refused, 'name: shop\nmodules: [${A}]\n', {
  code: 'CONFIG_SYNTAX',
  path: '',
  line: 2,
  expected: /quotes/,
});
test(
  'broken JSON, with its line',
  refused,
  '{\n  "name": "shop",\n  "redis": oops"\n}',
  { code: 'CONFIG_SYNTAX', path: '', line: 3 },
  'json',
);
test('a comment is no JSON', refused, '{ "name": "shop", # why\n "redis": "memory:" }', { code: 'CONFIG_SYNTAX', path: '' }, 'json');
test(
  'a key twice in JSON',
  refused,
  '{ "name": "a",\n "name": "b", "redis": "memory:" }',
  { code: 'CONFIG_SYNTAX', path: '', line: 2 },
  'json',
);
test('a key twice in YAML', refused, 'name: a\nname: b\nredis: "memory:"', { code: 'CONFIG_SYNTAX', path: '', line: 2 });
test('tags build nothing', refused, 'name: !!js/function "x"\nredis: "memory:"', { code: 'CONFIG_SYNTAX', path: '', found: /tag/i });
test('an ending that says nothing', refused, MINIMAL, { code: 'CONFIG_FORMAT', path: '', found: /\.toml/ }, 'toml');
test('a file over 1 MB', refused, `${MINIMAL}# ${'x'.repeat(1_048_576)}`, { code: 'CONFIG_TOO_LARGE', path: '' });
test('brackets nested very deep', refused, `a: ${'['.repeat(100_000)}`, { code: 'CONFIG_TOO_DEEP', path: '' });
test('dashes nested very deep', refused, `${'- '.repeat(100_000)}a`, { code: 'CONFIG_TOO_DEEP', path: '' });
test('data nested deeper than any config', refused, `${MINIMAL}supervisors: ${'['.repeat(300)}${']'.repeat(300)}`, {
  code: 'CONFIG_TOO_DEEP',
  path: 'supervisors[0][0][0][0][0]',
});
test('an alias inside its own anchor', refused, `${MINIMAL}modules: &m [*m]`, { code: 'CONFIG_ALIASES', path: 'modules[0]' });
test('an alias without an anchor', refused, `${MINIMAL}modules: *m`, { code: 'CONFIG_ALIASES', path: '' });

test('a YAML bomb of anchors is refused before it unfolds', async (t) => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i += 1) lines.push(`a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`);
  isConfigError(t, await t.throwsAsync(load(lines.join('\n'))), { code: 'CONFIG_ALIASES', path: '' });
});

test('a few anchors are fine', async (t) => {
  const config = await load(`${MINIMAL}supervisors:
  - { name: a, backoff: &b { min: 1s, max: 2s } }
  - { name: b, backoff: *b }`);
  t.deepEqual(config.supervisors[0]?.backoff, config.supervisors[1]?.backoff);
});

test('a file that is not there, and a folder', async (t) => {
  isConfigError(t, await t.throwsAsync(loadConfig(join(folder, 'none.yaml'))), {
    code: 'CONFIG_NOT_FOUND',
    path: '',
    found: /no such file/,
  });
  isConfigError(t, await t.throwsAsync(loadConfig(`${folder}/.`)), { code: 'CONFIG_FORMAT', path: '' });
});

test('every fault is told at once', async (t) => {
  const error = await t.throwsAsync<ConfigError>(load('nam: shop\nredis: "memory:"\nshards: -1\nsupervisors: [{ strategy: none }]'));
  const all = error === undefined ? [] : [error, ...error.more];
  t.deepEqual(all.map((one) => one.path).sort(), ['nam', 'name', 'shards', 'supervisors[0].name', 'supervisors[0].strategy']);
});

test('__proto__ and its like change nothing but the answer', async (t) => {
  isConfigError(t, await t.throwsAsync(load(`${MINIMAL}__proto__: { allowEviction: true }`)), {
    code: 'CONFIG_UNKNOWN_KEY',
    path: '__proto__',
  });
  isConfigError(
    t,
    await t.throwsAsync(load('{"name":"a","redis":"memory:","supervisors":[{"name":"a","__proto__":{"x":1}}]}', {}, 'json')),
    {
      code: 'CONFIG_UNKNOWN_KEY',
      path: 'supervisors[0].__proto__',
    },
  );
  isConfigError(t, await t.throwsAsync(load(`${MINIMAL}constructor: { prototype: { x: 1 } }`)), {
    code: 'CONFIG_UNKNOWN_KEY',
    path: 'constructor',
  });
  t.is(({} as { x?: number }).x, undefined);
  t.is(({} as { allowEviction?: boolean }).allowEviction, undefined);
});

test('supervisors in code take milliseconds, and the same rules', (t) => {
  const [parsed] = parseSupervisors(
    [{ name: 'a', period: 500, backoff: { min: 1, max: '2s' }, children: [{ actor: 'warehouse', attemptTimeout: 10 }] }],
    'supervisors',
  );
  t.is(parsed?.period, 500);
  t.like(parsed?.backoff, { min: 1, max: 2_000 });
  t.is(parsed?.children[0]?.attemptTimeout, 10);
  t.deepEqual(parseSupervisors([], 'supervisors'), []);

  const fails = (value: unknown): unknown => t.throws(() => parseSupervisors(value, 'options.supervisors'));
  isConfigError(t, fails([{ name: 'a', intensity: 1.5 }]), { code: 'CONFIG_TYPE', path: '[0].intensity' });
  isConfigError(t, fails([{ name: 'a', period: Number.NaN }]), { code: 'CONFIG_DURATION', path: '[0].period', found: /NaN/ });
  isConfigError(t, fails([{ name: 'a', children: [{ actor: 'x' }, { actor: 'x' }] }]), {
    code: 'CONFIG_DUPLICATE_ACTOR',
    path: '[0].children[1].actor',
  });
  isConfigError(t, fails('one'), { code: 'CONFIG_TYPE', path: '' });
  const endless: { name: string; supervisors: unknown[] } = { name: 'a', supervisors: [] };
  endless.supervisors.push(endless);
  isConfigError(t, fails([endless]), { code: 'CONFIG_ALIASES', path: '[0].supervisors[0]' });
});

test('what looks like a reference in code is left as it is', (t) => {
  isConfigError(
    t,
    t.throws(() => parseSupervisors([{ name: '${HOME}' }], 'supervisors')),
    { code: 'CONFIG_NAME', path: '[0].name' },
  );
});

test('a child that names an actor no module exports', async (t) => {
  const config = await load(WHOLE);
  t.notThrows(() => checkActors(config, ['warehouse', 'email']));
  isConfigError(
    t,
    t.throws(() => checkActors(config, ['warehuose', 'email'])),
    {
      code: 'CONFIG_UNKNOWN_ACTOR',
      path: 'supervisors[0].children[0].actor',
      found: /'warehouse'/,
      suggestion: 'warehuose',
    },
  );
  isConfigError(
    t,
    t.throws(() => checkActors(config, ['warehouse'])),
    { code: 'CONFIG_UNKNOWN_ACTOR', path: 'supervisors[0].supervisors[0].children[0].actor' },
  );
});

type Marked = { marked: true };
const isMarked = (value: unknown): value is Marked => typeof value === 'object' && value !== null && 'marked' in value;

test('modules are imported, their actors and bind functions collected once each', async (t) => {
  const first = write('export const A = { marked: true }; export default A; export const message = {}; export function bind() {}', 'mjs');
  const second = write(
    `export { A as Again } from ${JSON.stringify(pathToFileURL(first).href)}; export const B = { marked: true };`,
    'mjs',
  );
  const config = await load(`${MINIMAL}modules: [${JSON.stringify(first)}, ${JSON.stringify(second)}]`);
  const { actors, binds } = await importModules(config, isMarked);
  t.is(actors.length, 2);
  t.is(binds.length, 1);
});

test('a module that is missing, broken or empty is named', async (t) => {
  const fails = async (module: string): Promise<unknown> => {
    const config = await load(`${MINIMAL}modules: [${JSON.stringify(module)}]`);
    return t.throwsAsync(importModules(config, isMarked));
  };
  isConfigError(t, await fails('./nowhere.js'), { code: 'CONFIG_MODULE', path: 'modules[0]', found: /no file at .*nowhere\.js/ });
  isConfigError(t, await fails(write('throw new TypeError("broken\\nat heart")', 'mjs')), {
    code: 'CONFIG_MODULE',
    path: 'modules[0]',
    found: /TypeError: broken$/,
  });
  isConfigError(t, await fails(write('export const x = 1;', 'mjs')), { code: 'CONFIG_MODULE', path: 'modules[0]', found: /exports x/ });
  isConfigError(t, await fails('no-such-package-anywhere'), {
    code: 'CONFIG_MODULE',
    path: 'modules[0]',
    found: /no-such-package-anywhere/,
  });
  isConfigError(t, await fails('file://elsewhere/x.js'), { code: 'CONFIG_MODULE', path: 'modules[0]' });
});

test('config.schema.json is what the schema says', (t) => {
  const published: unknown = JSON.parse(readFileSync('config.schema.json', 'utf8'));
  t.deepEqual(published, JSON.parse(JSON.stringify(configJsonSchema())), 'run: npm run build && node scripts/config-schema.js');
});

test('memory: without quotes is no YAML, and the error says what to do', refused, 'name: shop\nredis: memory:\n', {
  code: 'CONFIG_SYNTAX',
  path: '',
  line: 2,
  expected: /quotes: 'memory:'/,
});
