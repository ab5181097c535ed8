/**
 * A config file's text, and the data that it stands for. Both parsers are kept from harm here: a file's size, its nesting and what its
 * anchors unfold to are bounded before or while it is parsed, and no tag builds anything.
 */
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { ConfigError } from '../message/errors.js';

export type Path = readonly (string | number)[];

/** The line, from 1, of the value at a path, or of the nearest value around it. */
export type LineOf = (path: Path) => number | undefined;

const LARGEST_FILE = 1_048_576; // bytes
const MOST_ALIASES = 100; // values that aliases may add up to, after which it is a bomb
const DEEPEST_TEXT = 400; // brackets or dashes in a row; the YAML parser recurses, and ends the process when the stack is full

/** The text of a config file, not yet looked at. */
export async function readText(path: string): Promise<string> {
  if (!['.yaml', '.yml', '.json'].includes(extname(path).toLowerCase())) {
    throw new ConfigError(
      'CONFIG_FORMAT',
      path,
      '',
      extname(path) === '' ? 'a name without an ending' : `the ending '${extname(path)}'`,
      '.yaml, .yml or .json',
    );
  }
  try {
    const about = await stat(path);
    if (!about.isFile())
      throw new ConfigError('CONFIG_NOT_FOUND', path, '', about.isDirectory() ? 'a folder' : 'no regular file', 'a file');
    if (about.size > LARGEST_FILE) throw new ConfigError('CONFIG_TOO_LARGE', path, '', `${about.size} bytes`, `at most ${LARGEST_FILE}`);
    return (await readFile(path, 'utf8')).replace(/^\uFEFF/, ''); // JSON.parse takes no byte order mark
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const found = code === 'ENOENT' || code === 'ENOTDIR' ? 'no such file' : `a file that cannot be read (${code})`;
    throw new ConfigError('CONFIG_NOT_FOUND', path, '', found, 'a config file', { cause: error });
  }
}

export interface ParsedText {
  readonly data: unknown;
  readonly lineOf: LineOf;
}

/** The data that a config's text stands for. `file` decides by its ending whether it is YAML or JSON. */
export function parseText(text: string, file: string): ParsedText {
  if (deeplyNested(text))
    throw new ConfigError('CONFIG_TOO_DEEP', file, '', 'brackets or dashes nested very deep', `at most ${DEEPEST_TEXT} levels`);
  const counter = new LineCounter();
  // JSON is a subset of YAML 1.2: for a JSON file this document serves to find lines and double keys; what counts is what JSON.parse says.
  const document = parseDocument(text, { lineCounter: counter, version: '1.2', schema: 'core', prettyErrors: false, logLevel: 'silent' });
  const lineOf = (path: Path): number | undefined => lineOfNode(document, counter, path);
  if (extname(file).toLowerCase() === '.json') {
    let data: unknown;
    try {
      data = JSON.parse(text);
    } catch (error) {
      const { message } = error as Error;
      const offset = jsonFaultOffset(text, message) ?? document.errors[0]?.pos[0];
      const line = offset === undefined ? undefined : counter.linePos(offset).line;
      // The message may quote the file over several lines; what comes before that says enough.
      throw new ConfigError('CONFIG_SYNTAX', file, '', message.replace(/, (?:\.\.\.)?".*$/s, ''), 'JSON', { line, cause: error });
    }
    const double = document.errors.find((error) => error.code === 'DUPLICATE_KEY');
    if (double !== undefined) {
      const { line } = counter.linePos(double.pos[0]);
      throw new ConfigError('CONFIG_SYNTAX', file, '', 'a key that is there twice', 'each key once', { line });
    }
    return { data, lineOf };
  }
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const { line, col } = counter.linePos(fault.pos[0]);
    const expected = `YAML${quotesHint(text.split('\n', line)[line - 1] ?? '')}`;
    throw new ConfigError('CONFIG_SYNTAX', file, '', `${fault.message.split('\n', 1)[0]} (column ${col})`, expected, { line });
  }
  try {
    return { data: document.toJS({ maxAliasCount: MOST_ALIASES }), lineOf };
  } catch (error) {
    if (error instanceof ReferenceError)
      throw new ConfigError(
        'CONFIG_ALIASES',
        file,
        '',
        error.message,
        `anchors that exist, and aliases for at most ${MOST_ALIASES} values`,
        { cause: error },
      );
    throw error;
  }
}

const JSON_TOKEN = /\s*(?:[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)\s*/y;

/** Where JSON.parse stumbled: it says so for some faults; others begin with something that is no token of JSON. */
function jsonFaultOffset(text: string, message: string): number | undefined {
  const told = /at position (\d+)/.exec(message)?.[1];
  if (told !== undefined) return Number(told);
  let offset = 0;
  while (offset < text.length) {
    JSON_TOKEN.lastIndex = offset;
    if (!JSON_TOKEN.test(text)) return offset;
    offset = JSON_TOKEN.lastIndex;
  }
  return message.includes('end of JSON') ? Math.max(0, text.length - 1) : undefined;
}

/** Two things that look right in a config and are not YAML. */
function quotesHint(line: string): string {
  if (/:\s+[^'"#]*:\s*(#.*)?$/.test(line)) return " (a text that ends in a colon has to stand in quotes: 'memory:')";
  return line.includes('${') ? " (inside [] and {}, a text with braces has to stand in quotes: '${VARIABLE}')" : '';
}

/** A cheap upper bound, made before anything recurses: brackets in texts count too, and no real config comes near the limit. */
function deeplyNested(text: string): boolean {
  if (/(?:[-?:][ \t]+){200}/.test(text)) return true;
  let depth = 0;
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > DEEPEST_TEXT) return true;
  }
  return false;
}

/** The line of the value at a path, or of the nearest value around it. */
function lineOfNode(document: Document, counter: LineCounter, path: Path): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true) as { range?: readonly [number, number, number] | null } | undefined;
    if (node?.range) return counter.linePos(node.range[0]).line;
  }
  return undefined;
}
