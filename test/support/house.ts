/**
 * The house's rules (docs/DESIGN.md, section 7) as a function from a tree of sources to what breaks them. Sources are parsed by TypeScript,
 * so that a comment or a text that looks like an import fools nobody.
 */
import { posix } from 'node:path';
import ts from 'typescript';

/** Path from the project's root (`src/log/reader.ts`) to text. */
export type Tree = ReadonlyMap<string, string>;

interface Import {
  readonly specifier: string;
  readonly line: number;
  /** gone at run time: `import type`, `export type`, `import('x').T` as a type */
  readonly typeOnly: boolean;
  /** `import()`: loaded later, so it closes no cycle */
  readonly later: boolean;
}

interface Source {
  readonly path: string;
  readonly imports: readonly Import[];
  /** uses of the machine's clock, timers and chance */
  readonly machine: readonly { readonly what: string; readonly line: number }[];
  /** names of what Node does not document: other versions and other runtimes have it otherwise, or not at all */
  readonly undocumented: readonly { readonly what: string; readonly line: number }[];
}

/** Floors, from the ground; a folder may import from its own floor's folder and from those below. */
const FLOOR: Readonly<Record<string, number>> = { message: 0, log: 1, runtime: 2, api: 3, cli: 4, dashboard: 4 };
/** The public doors, which stand above api and below cli. */
const DOORS: Readonly<Record<string, number>> = { 'src/index.ts': 3.5, 'src/testing.ts': 3.5 };

/** memory-redis stands beside log, on message alone. These may load it; a `/` at the end means the whole folder. */
const MEMORY_REDIS_USERS = ['src/memory-redis/', 'src/log/store.ts', 'src/testing.ts', 'src/api/testing.ts'];
/** Commands that open the in-process Redis to others use its public door. */
const MEMORY_REDIS_DOOR = 'src/memory-redis/index.ts';

/** Who may load which vendor in src/. */
const VENDOR_DOORS: Readonly<Record<string, readonly string[]>> = {
  nact: ['src/runtime/inbox.ts'],
  ioredis: ['src/log/store.ts', 'src/memory-redis/client.ts', 'src/memory-redis/connector.ts'],
  inversify: ['src/api/injection.ts'],
  zod: ['src/api/config-schema.ts'],
  yaml: ['src/api/config-text.ts'],
  commander: ['src/cli/'],
  pino: ['src/cli/'],
  rxjs: ['src/runtime/signals.ts', 'src/runtime/observe.ts'],
  uuidv7: ['src/message/ids.ts'],
  ms: ['src/message/duration.ts'],
  luaparse: [
    'src/memory-redis/compiled/translate.ts',
    'src/memory-redis/compiled/lua-source.ts',
    'src/memory-redis/compiled/expressions.ts',
  ],
  '@standard-schema/spec': [],
};

/** What the example may import besides itself. */
const ACTORS_MAY_IMPORT = ['errand', 'inversify', 'zod', 'nodemailer'];

/** Folders of src/ in which time and chance come through the clock and random ports only. */
const ON_PORTS = ['src/log/', 'src/runtime/', 'src/api/'];

const within = (path: string, places: readonly string[]): boolean =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));

/** `zod/v4` belongs to `zod`, `@scope/name/x` to `@scope/name`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

const isRelative = (specifier: string): boolean => /^\.\.?\//.test(specifier);
const isBuiltin = (specifier: string): boolean => specifier.startsWith('node:');
const target = (path: string, specifier: string): string => posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');

function read(path: string, text: string): Source {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const imports: Import[] = [];
  const machine: { what: string; line: number }[] = [];
  const undocumented: { what: string; line: number }[] = [];
  const lineOf = (node: ts.Node): number => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean, later = false): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier))
      imports.push({ specifier: specifier.text, line: lineOf(node), typeOnly, later });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      // `import { type A } from 'x'` still loads x under verbatimModuleSyntax; only `import type` does not.
      add(node, node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
      for (const name of chanceImports(node)) machine.push({ what: name, line: lineOf(node) });
    } else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
      add(node, node.moduleReference.expression, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node, node.arguments[0], false, true);
    if ((ts.isIdentifier(node) || ts.isStringLiteral(node)) && UNDOCUMENTED.test(node.text))
      undocumented.push({ what: node.text, line: lineOf(node) });
    const what = machineUse(node);
    if (what !== undefined) machine.push({ what, line: lineOf(node) });
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { path, imports, machine, undocumented };
}

/** Buffer's methods of one encoding each (issue 14, B14: Node 24, Bun and Deno check their bounds), and the process' inner parts. */
const UNDOCUMENTED =
  /^(?:(?:ascii|base64|base64url|hex|latin1|ucs2|utf8)(?:Slice|Write)|internalBinding|_getActive(?:Handles|Requests)|_rawDebug)$/;

const GLOBAL_TIMERS = new Set(['setTimeout', 'setInterval']);
const MACHINE_MEMBERS = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'crypto.randomUUID',
  'crypto.getRandomValues',
  'process.hrtime',
]);
const CHANCE = /^(random|getRandomValues|webcrypto)/;

function chanceImports(node: ts.ImportDeclaration): string[] {
  const specifier = ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : '';
  if (specifier.startsWith('node:timers')) return [specifier];
  if (specifier !== 'node:crypto') return [];
  const bindings = node.importClause?.namedBindings;
  if (bindings === undefined || !ts.isNamedImports(bindings)) return ['all of node:crypto'];
  return bindings.elements.map((element) => (element.propertyName ?? element.name).text).filter((name) => CHANCE.test(name));
}

/** The name of the clock, timer or source of chance that this node reaches for by itself. */
function machineUse(node: ts.Node): string | undefined {
  if (
    ts.isNewExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'Date' &&
    (node.arguments?.length ?? 0) === 0
  ) {
    return 'new Date()';
  }
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
    if (GLOBAL_TIMERS.has(node.expression.text)) return node.expression.text;
    if (node.expression.text === 'Date') return 'Date()';
  }
  if (ts.isPropertyAccessExpression(node)) {
    const owner = node.expression.getText().replace(/^globalThis\./, '');
    if (MACHINE_MEMBERS.has(`${owner}.${node.name.text}`)) return `${owner}.${node.name.text}`;
    if (owner === 'globalThis' && GLOBAL_TIMERS.has(node.name.text)) return node.name.text;
  }
  return undefined;
}

function floorOf(path: string): number | undefined {
  return DOORS[path] ?? (path.startsWith('src/') ? FLOOR[path.split('/')[1] ?? ''] : undefined);
}

function inSource(source: Source): string[] {
  const broken: string[] = [];
  const floor = floorOf(source.path);
  const inMemoryRedis = source.path.startsWith('src/memory-redis/');
  if (floor === undefined && !inMemoryRedis) broken.push(`${source.path}: stands on no floor`);
  for (const { specifier, line, typeOnly } of source.imports) {
    const place = `${source.path}:${line}`;
    if (isBuiltin(specifier)) continue;
    if (!isRelative(specifier)) {
      const vendor = packageOf(specifier);
      const doors = VENDOR_DOORS[vendor];
      if (doors === undefined) broken.push(`${place}: the vendor ${vendor} has no door`);
      else if (!typeOnly && !within(source.path, doors))
        broken.push(`${place}: loads ${vendor}, whose door is ${doors.join(' or ') || 'nowhere'}`);
      continue;
    }
    const to = target(source.path, specifier);
    if (to.startsWith('src/memory-redis/')) {
      const allowed =
        typeOnly || within(source.path, MEMORY_REDIS_USERS) || (source.path.startsWith('src/cli/') && to === MEMORY_REDIS_DOOR);
      if (!allowed) broken.push(`${place}: imports ${to}, which nobody above knows`);
    } else if (inMemoryRedis) {
      if (!to.startsWith('src/message/')) broken.push(`${place}: memory-redis imports ${to}; it stands on message alone`);
    } else {
      const below = floorOf(to);
      if (below === undefined) broken.push(`${place}: imports ${to}, which stands on no floor`);
      else if (floor !== undefined && below > floor) broken.push(`${place}: imports ${to}, which is above it`);
      else if (floor === below && folder(source.path) !== folder(to)) broken.push(`${place}: imports ${to}, which is beside it`);
    }
  }
  for (const { what, line } of source.undocumented) broken.push(`${source.path}:${line}: uses ${what}, which Node does not document`);
  if (within(source.path, ON_PORTS)) {
    for (const { what, line } of source.machine)
      broken.push(`${source.path}:${line}: uses ${what}; time and chance come through Clock and Random`);
  }
  return broken;
}

const folder = (path: string): string => path.split('/').slice(0, 2).join('/');

function inActors(source: Source): string[] {
  return source.imports.flatMap(({ specifier, line }) => {
    const allowed = isRelative(specifier)
      ? target(source.path, specifier).startsWith('actors/')
      : isBuiltin(specifier) || ACTORS_MAY_IMPORT.includes(packageOf(specifier));
    return allowed ? [] : [`${source.path}:${line}: the example imports ${specifier}; only public doors are open to it`];
  });
}

/** Each cycle once, beginning with its alphabetically first file. */
function cycles(sources: readonly Source[]): string[] {
  const graph = new Map<string, string[]>();
  for (const { path, imports } of sources) {
    const next = imports
      .filter(({ specifier, typeOnly, later }) => !typeOnly && !later && isRelative(specifier))
      .map(({ specifier }) => target(path, specifier));
    graph.set(path, next);
  }
  const found = new Set<string>();
  const done = new Set<string>();
  const trail: string[] = [];
  const walk = (path: string): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const ring = trail.slice(at);
      const first = ring.indexOf([...ring].sort()[0] as string);
      found.add([...ring.slice(first), ...ring.slice(0, first), ring[first]].join(' → '));
    } else if (!done.has(path)) {
      trail.push(path);
      for (const next of graph.get(path) ?? []) walk(next);
      trail.pop();
      done.add(path);
    }
  };
  for (const path of graph.keys()) walk(path);
  return [...found].map((ring) => `cycle: ${ring}`);
}

/** Everything in the tree that breaks a rule, as `path:line: what`. */
export function brokenRules(tree: Tree): string[] {
  const sources = [...tree].map(([path, text]) => read(path, text));
  const house = sources.filter(({ path }) => path.startsWith('src/'));
  return [...house.flatMap(inSource), ...sources.filter(({ path }) => path.startsWith('actors/')).flatMap(inActors), ...cycles(house)];
}
