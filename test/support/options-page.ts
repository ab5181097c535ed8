/** docs/OPTIONS.md as the code says it: the config's schema, the interfaces that hold options (read by TypeScript), and the limits. */
import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { configJsonSchema } from '../../src/api/config-schema.js';

interface Row {
  readonly option: string;
  readonly type: string;
  readonly standard: string;
  readonly bound: string;
  readonly meaning: string;
}

type JsonSchema = { readonly [key: string]: unknown };

/** The interfaces whose members users give, with the title of their section. */
const INTERFACES: readonly (readonly [title: string, file: string, name: string])[] = [
  ['`ActorSystem.start(options)`', 'src/api/actor-system.ts', 'StartOptions'],
  ['`tell`, `publish`, and with the next table `ask`', 'src/runtime/sender.ts', 'SendOptions'],
  ['`ask`, `attach`, `idle`', 'src/runtime/sender.ts', 'WaitOptions'],
  ['when a message may be handled: `tell`, `publish`, `ask`, `ctx.tell`', 'src/runtime/outgoing.ts', 'StageOptions'],
  ['`@subscribes(Event, options)`', 'src/api/actor.ts', 'SubscribeOptions'],
  ['`startTestSystem(options)`, beside those of `ActorSystem.start`', 'src/api/testing.ts', 'TestSystemOptions'],
  ['`createMemoryRedis(options)`', 'src/memory-redis/index.ts', 'MemoryRedisOptions'],
];

const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ option, type, standard, bound, meaning }) => `| \`${option}\` | ${[type, standard, bound, meaning].map(cell).join(' | ')} |`,
  );
  return ['| option | type | default | bound | meaning |', '| --- | --- | --- | --- | --- |', ...lines].join('\n');
}

// ---- the config ----------------------------------------------------------------------------------------------------------------------

function plain(schema: JsonSchema): JsonSchema {
  const [first] = (schema.anyOf as JsonSchema[] | undefined) ?? [];
  return first === undefined ? schema : { ...schema, ...first };
}

function typeOfSchema(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => `\`${String(value)}\``).join(' or ');
  if (schema.errandDuration !== undefined) return 'duration';
  if (schema.type === 'array') {
    const of = typeOfSchema(plain((schema.items as JsonSchema | undefined) ?? {}));
    return of === 'any' ? 'list' : `list of ${of}s`;
  }
  if (schema.type === 'integer') return 'whole number';
  return typeof schema.type === 'string' ? schema.type : 'any';
}

function boundOfSchema(schema: JsonSchema): string {
  const { minimum, maximum, errandDuration, maxItems } = schema;
  if (Array.isArray(errandDuration)) return `${errandDuration[0]} to ${errandDuration[1]}`;
  if (minimum !== undefined && maximum !== undefined) return `${Number(minimum)} to ${Number(maximum)}`;
  return maxItems === undefined ? '' : `at most ${Number(maxItems)}`;
}

function configRows(schema: JsonSchema, prefix: string): Row[] {
  const required = new Set((schema.required as string[] | undefined) ?? []);
  return Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).flatMap(([name, given]): Row[] => {
    if (name === '$schema') return [];
    const own = plain(given);
    const option = `${prefix}${name}`;
    if (own.properties !== undefined) return configRows(own, `${option}.`);
    const items = plain((own.items as JsonSchema | undefined) ?? {});
    const standard = own.default === undefined ? (required.has(name) ? 'required' : 'none') : `\`${JSON.stringify(own.default)}\``;
    const meaning = typeof given.description === 'string' ? `${given.description}.` : '';
    const row = { option, type: typeOfSchema(own), standard, bound: boundOfSchema(own), meaning };
    return items.properties === undefined ? [row] : [{ ...row, type: 'list' }, ...configRows(items, `${option}[].`)];
  });
}

function configTable(): string {
  const schema: JsonSchema = configJsonSchema({ bounds: true });
  const definitions = (schema.definitions ?? {}) as Record<string, JsonSchema>;
  const top = configRows(schema, '');
  const supervisor = configRows(definitions.supervisor ?? {}, 'supervisors[].');
  return table([...top, ...supervisor]);
}

// ---- interfaces ----------------------------------------------------------------------------------------------------------------------

function membersOf(file: string, name: string): ts.PropertySignature[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const members: ts.PropertySignature[] = [];
  const collect = (node: ts.Node): void => {
    if (ts.isPropertySignature(node)) members.push(node);
    else ts.forEachChild(node, collect);
  };
  ts.forEachChild(source, (node) => {
    if ((ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) && node.name.text === name) collect(node);
  });
  return members;
}

function tag(node: ts.Node, name: string): string | undefined {
  const found = ts.getJSDocTags(node).find(({ tagName }) => tagName.text === name);
  return found === undefined ? undefined : (ts.getTextOfJSDocComment(found.comment) ?? '');
}

function meaningOf(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node).filter((doc) => ts.isJSDoc(doc));
  return comment === undefined ? '' : (ts.getTextOfJSDocComment(comment.comment) ?? '');
}

export function optionRows(file: string, name: string): Row[] {
  return membersOf(file, name).map((member) => ({
    option: member.name.getText(),
    type: `\`${(member.type?.getText() ?? '').replace(' | undefined', '')}\``,
    standard: tag(member, 'default') ?? (member.questionToken === undefined ? 'required' : ''),
    bound: tag(member, 'bound') ?? '',
    meaning: meaningOf(member),
  }));
}

// ---- limits --------------------------------------------------------------------------------------------------------------------------

function limitsTable(): string {
  const file = 'src/message/limits.ts';
  const text = readFileSync(file, 'utf8');
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const rows: string[] = [];
  ts.forEachChild(source, (node) => {
    if (!ts.isVariableStatement(node)) return;
    const [declaration] = node.declarationList.declarations;
    if (declaration?.initializer === undefined) return;
    const behind = /\/\/ (.*)$/m.exec(text.slice(node.end, text.indexOf('\n', node.end)))?.[1] ?? '';
    // A comment that an empty line follows belongs to the file.
    const above = text.slice(node.pos, node.getStart()).endsWith('*/\n\n') ? '' : meaningOf(node);
    const meaning = [above, behind].filter((part) => part !== '').join(' ');
    rows.push(`| \`${declaration.name.getText()}\` | \`${cell(declaration.initializer.getText())}\` | ${cell(meaning)} |`);
  });
  return ['| limit | value | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

export const INTERFACE_OPTIONS = INTERFACES;

export function optionsPage(): string {
  const sections = INTERFACES.map(([title, file, name]) => `## ${title}\n\n${table(optionRows(file, name))}\n`);
  return `# Options

Made from the code by \`node scripts/options-page.js\`; a test holds that this page is up to date.

A *duration* is a number of milliseconds or a string such as \`'250ms'\`, \`'5s'\`, \`'2m'\`, \`'1h'\`, \`'7d'\`. A config file needs the unit. An option that is
\`undefined\` counts as left out.

## The config file

\`supervisors\` may be given to \`ActorSystem.start\` in the same shape. Values may hold \`\${ENV_VAR}\` and \`\${ENV_VAR:-default}\`.

${configTable()}

${sections.join('\n')}
## Limits

Sizes are bytes of UTF-8 unless the name or the comment says otherwise. These are fixed.

${limitsTable()}
`;
}
