/** Expressions, calls and names of a script in translation; what they are part of is translate.ts' matter. */
import type luaparse from 'luaparse';
import type { LibraryFunction } from './library.js';
import { constantIn, isMinusZero, rangeOf } from './lua-source.js';
import { Beyond, checkOrder, Scopes } from './scopes.js';

/** Where an operation stands, and what it works on. */
export interface Site {
  readonly line: number;
  /** What the script calls the operands, or nothing. */
  readonly names: readonly string[];
  /** The name by which the function is called. */
  readonly function: string;
}

interface Callee {
  readonly js: string;
  readonly many: boolean;
  /** It is told the place of the call. */
  readonly sited: boolean;
  readonly library: (LibraryFunction & { readonly name: string }) | undefined;
  /** The name the script calls it by. */
  readonly called: string;
}

const ARITHMETIC: Readonly<Record<string, string>> = { '+': 'add', '-': 'sub', '*': 'mul', '/': 'div', '%': 'mod', '..': 'concat' };
const COMPARISON: Readonly<Record<string, string>> = { '<': 'less', '<=': 'atMost', '>': 'more', '>=': 'atLeast' };
/** Members of a text are the functions of `string`. */
const TEXT_MEMBERS = /^(?:byte|char|dump|find|format|g?match|gfind|gsub|len|lower|rep|reverse|sub|upper)$/;

/** What makes a table one of RESP3's types. */
const TYPED = /^(?:double|map|set|big_number|verbatim_string)$/;

/** Deeper expressions, and longer lists, are left to Lua: V8's stack is not endless. */
const MOST_NESTED = 100;
const MOST_ITEMS = 1000;

export class ExpressionTranslator {
  #nesting = 0;
  protected readonly sites: Site[] = [];
  protected readonly scopes = new Scopes();
  /** How many functions the code being translated stands in. */
  protected depth = 0;
  #nextName = 1;
  /** Declared at the head of the function being translated. */
  protected temporaries: string[] = [];
  protected readonly onlyArguments = new Set<luaparse.Expression>();
  /** Operations translated so far: what a turn of a loop costs is how many it holds. */
  protected steps = 0;

  constructor(
    protected readonly library: ReadonlyMap<string, LibraryFunction>,
    protected readonly assigned: ReadonlySet<string>,
    /** With spaces in place of comments. */
    private readonly source: string,
  ) {}

  // Names

  protected name(prefix: string): string {
    return `${prefix}${this.#nextName++}`;
  }

  #temporary(): string {
    const name = this.name('t');
    this.temporaries.push(name);
    return name;
  }

  protected variable(name: string): string {
    const js = this.name('v');
    this.scopes.bind(name, { kind: 'value', js, depth: this.depth, read: false, assigned: false });
    return js;
  }

  /** A place in the script, for what may fail there. */
  protected site(node: luaparse.Node, ...operands: luaparse.Expression[]): number {
    const line = node.loc?.end.line ?? 1;
    return this.sites.push({ line, names: operands.map((operand) => this.#called(operand)), function: '?' }) - 1;
  }

  /** What Lua's messages call an operand. */
  #called(node: luaparse.Expression): string {
    if (node.type === 'Identifier') {
      const binding = this.scopes.find(node.name);
      const kind = binding?.kind !== 'value' ? 'global' : binding.depth === this.depth ? 'local' : 'upvalue';
      return `${kind} '${node.name}'`;
    }
    if (node.type === 'LogicalExpression') return constantIn(node.left) === (node.operator === 'and') ? this.#called(node.right) : '';
    if (node.type === 'MemberExpression') return `field '${node.identifier.name}'`;
    if (node.type === 'IndexExpression') return `field '${node.index.type === 'StringLiteral' ? node.index.value : '?'}'`;
    return '';
  }

  // Expressions

  /** All values of a list, as the elements of an array or the arguments of a call. */
  #list(nodes: readonly luaparse.Expression[]): string {
    return nodes
      .map((node, index) => {
        const results = index === nodes.length - 1 ? this.results(node) : undefined;
        return results === undefined ? this.value(node) : `...${results()}`;
      })
      .join(', ');
  }

  protected array(nodes: readonly luaparse.Expression[]): string {
    const [only] = nodes;
    const results = nodes.length === 1 && only !== undefined ? this.results(only) : undefined;
    return results === undefined ? `[${this.#list(nodes)}]` : results();
  }

  /** What a call with many results comes to, as an array; undefined for anything that has one value. */
  protected results(node: luaparse.Expression): (() => string) | undefined {
    if (!this.#hasMany(node) || this.#isInParentheses(node)) return undefined;
    return () => this.call(node).js;
  }

  /** `(f())` has one value, whatever `f` returns; the parser does not tell. The only argument of a call has one pair that is the call's. */
  #isInParentheses(node: luaparse.Expression): boolean {
    const before = this.source.slice(0, rangeOf(node)[0]).trimEnd();
    if (!before.endsWith('(')) return false;
    return !this.onlyArguments.has(node) || before.slice(0, -1).trimEnd().endsWith('(');
  }

  #hasMany(node: luaparse.Expression): boolean {
    return node.type === 'CallExpression' && this.#callee(node).many;
  }

  protected value(node: luaparse.Expression): string {
    this.steps += 1;
    this.#deeper();
    const js = this.#valueOf(node);
    this.#nesting -= 1;
    return js;
  }

  #deeper(): void {
    this.#nesting += 1;
    if (this.#nesting > MOST_NESTED) throw new Beyond();
  }

  #valueOf(node: luaparse.Expression): string {
    switch (node.type) {
      case 'NilLiteral':
        return 'undefined';
      case 'BooleanLiteral':
        return String(node.value);
      case 'NumericLiteral':
        return String(node.value);
      case 'StringLiteral':
        return JSON.stringify(node.value);
      case 'Identifier':
        return this.#read(node.name);
      case 'MemberExpression':
      case 'IndexExpression': {
        const { base, key } = this.member(node);
        const site = this.site(node, node.base);
        return `get(${this.value(base)}, ${key}, ${site})`;
      }
      case 'TableConstructorExpression':
        return this.#table(node);
      case 'UnaryExpression':
        return this.#unary(node);
      case 'BinaryExpression':
        return this.#binary(node);
      case 'LogicalExpression':
        return this.#logical(node);
      case 'CallExpression': {
        const { js, many } = this.call(node);
        return many ? `${js}[0]` : js;
      }
      default:
        throw new Beyond();
    }
  }

  #read(name: string): string {
    const binding = this.scopes.find(name);
    if (binding?.kind === 'value') {
      if (binding.depth === this.depth) binding.read = true;
      checkOrder(binding);
      return binding.js;
    }
    if (binding === undefined && (name === 'KEYS' || name === 'ARGV')) return name;
    throw new Beyond();
  }

  protected member(node: luaparse.MemberExpression | luaparse.IndexExpression): { base: luaparse.Expression; key: string } {
    if (node.type === 'IndexExpression') {
      if (node.index.type === 'StringLiteral') return { base: node.base, key: this.#memberName(node.index.value) };
      return { base: node.base, key: this.value(node.index) };
    }
    if (node.indexer !== '.') throw new Beyond();
    return { base: node.base, key: this.#memberName(node.identifier.name) };
  }

  #memberName(name: string): string {
    if (TEXT_MEMBERS.test(name) || TYPED.test(name)) throw new Beyond();
    return JSON.stringify(name);
  }

  #table(node: luaparse.TableConstructorExpression): string {
    const { fields } = node;
    if (fields.length > MOST_ITEMS) throw new Beyond();
    const items = fields.flatMap((field) => (field.type === 'TableValue' ? [field.value] : []));
    if (items.length === fields.length) return `listed([${this.#list(items)}])`;
    if (items.length > 0) throw new Beyond();
    const flat = fields.flatMap((field) => {
      if (field.type === 'TableValue') return [];
      const key = field.type === 'TableKeyString' ? this.#memberName(field.key.name) : this.#tableKey(field.key);
      return [key, this.value(field.value)];
    });
    return `keyed(${this.site(node)}, ${flat.join(', ')})`;
  }

  #tableKey(node: luaparse.Expression): string {
    return node.type === 'StringLiteral' ? this.#memberName(node.value) : this.value(node);
  }

  #unary(node: luaparse.UnaryExpression): string {
    if (node.operator === 'not') return `!${this.condition(node.argument)}`;
    const operation = node.operator === '-' ? 'neg' : node.operator === '#' ? 'length' : undefined;
    if (operation === undefined || isMinusZero(node)) throw new Beyond();
    return `${operation}(${this.value(node.argument)}, ${this.site(node, node.argument)})`;
  }

  #binary(node: luaparse.BinaryExpression): string {
    const { operator, left, right } = node;
    if (operator === '==' || operator === '~=') return `(${this.value(left)} ${operator === '==' ? '===' : '!=='} ${this.value(right)})`;
    const operation = ARITHMETIC[operator] ?? COMPARISON[operator];
    if (operation === undefined || isMinusZero(node)) throw new Beyond();
    return `${operation}(${this.value(left)}, ${this.value(right)}, ${this.site(node, left, right)})`;
  }

  #logical({ operator, left, right }: luaparse.LogicalExpression): string {
    const name = this.#temporary();
    const isFalse = `((${name} = ${this.value(left)}) === undefined || ${name} === false)`;
    const other = this.value(right);
    return operator === 'and' ? `(${isFalse} ? ${name} : ${other})` : `(${isFalse} ? ${other} : ${name})`;
  }

  /** Whether Lua takes the value for true, as one of JavaScript's. */
  protected condition(node: luaparse.Expression): string {
    if (node.type === 'LogicalExpression') {
      this.#deeper();
      const [left, right] = [this.condition(node.left), this.condition(node.right)];
      this.#nesting -= 1;
      return `(${left} ${node.operator === 'and' ? '&&' : '||'} ${right})`;
    }
    const isBoolean =
      (node.type === 'BinaryExpression' && ARITHMETIC[node.operator] === undefined) ||
      (node.type === 'UnaryExpression' && node.operator === 'not');
    return isBoolean ? this.value(node) : `truthy(${this.value(node)})`;
  }

  // Calls

  protected call(node: luaparse.Expression): { js: string; many: boolean } {
    if (node.type !== 'CallExpression') throw new Beyond();
    this.steps += 1;
    const callee = this.#callee(node);
    const given = node.arguments;
    if (given.length === 1) this.onlyArguments.add(given[0] as luaparse.Expression);
    const list = this.#list(given);
    if (!callee.sited) return { js: `${callee.js}(${list})`, many: callee.many };
    const { name, least, most, listed } = callee.library as LibraryFunction & { name: string };
    const open = given.length > 0 && this.results(given.at(-1) as luaparse.Expression) !== undefined;
    if (open ? least > 0 || most < Infinity : given.length < least || given.length > most) throw new Beyond();
    if (name === 'string.find') {
      const plain = given[3];
      if (plain?.type !== 'BooleanLiteral' || !plain.value) throw new Beyond();
    }
    const line = node.base.loc?.end.line ?? 1;
    // The pattern functions go by their own names: sandbox.lua stands between.
    const site = this.sites.push({ line, names: [], function: name === 'string.find' ? 'find' : callee.called }) - 1;
    const args = listed === true ? `[${list}]` : list;
    return { js: `${callee.js}(${site}${args === '' ? '' : `, ${args}`})`, many: callee.many };
  }

  #callee({ base }: luaparse.CallExpression): Callee {
    const called = base.type === 'Identifier' ? base.name : base.type === 'MemberExpression' ? base.identifier.name : '?';
    const binding = base.type === 'Identifier' ? this.scopes.find(base.name) : undefined;
    if (binding?.kind === 'local function') return { js: binding.js, many: binding.many, sited: false, library: undefined, called };
    const name = this.libraryFunction(base);
    const found = name === undefined ? undefined : this.library.get(name);
    if (name === undefined || found === undefined) throw new Beyond();
    return { js: libraryName(name), many: found.many, sited: true, library: { ...found, name }, called };
  }

  /** The name of the library's function that an expression is. */
  protected libraryFunction(node: luaparse.Expression): string | undefined {
    if (node.type === 'Identifier') {
      const binding = this.scopes.find(node.name);
      if (binding !== undefined) return binding.kind === 'library' ? binding.name : undefined;
      return this.library.has(node.name) ? node.name : undefined;
    }
    if (node.type !== 'MemberExpression' || node.indexer !== '.' || node.base.type !== 'Identifier') return undefined;
    if (this.scopes.find(node.base.name) !== undefined) return undefined;
    const name = `${node.base.name}.${node.identifier.name}`;
    return this.library.has(name) ? name : undefined;
  }
}

export function libraryName(name: string): string {
  return `lib_${name.replace('.', '_')}`;
}
