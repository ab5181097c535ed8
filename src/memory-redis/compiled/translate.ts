/**
 * Translates a script to JavaScript, if it is simple enough.
 *
 * 1. A script is translated whole or not at all: the WebAssembly Lua runs everything, so what is rare or hard is left to it. Left to it
 *    are metatables, coroutines, `pcall`, patterns, `pairs`, recursion, functions as values, and library functions that library.ts lacks.
 * 2. All functions are known: a call names a function of library.ts, a local that is one and stays it, or a local function. So none can
 *    be missing, and how many results it has is known, too: one, or an array of them.
 * 3. Values are evaluated in Lua's order, and each operation that can fail carries its place, a number into `sites`.
 * 4. Each turn of a loop and each call of a function is paid for, so that every script comes to an end.
 */
import luaparse from 'luaparse';
import { ExpressionTranslator, libraryName, type Site } from './expressions.js';
import type { LibraryFunction } from './library.js';
import { assignedNames, returnsOne, withoutComments } from './lua-source.js';
import { Beyond, checkOrder } from './scopes.js';

export interface Translation {
  /** The body of a function with the parameters `ops` (operations.ts) and `lib` (library.ts); it returns a function of KEYS and ARGV. */
  readonly code: string;
  readonly sites: readonly Site[];
}

/** Larger scripts would keep everybody waiting while they are translated. */
const MOST_SOURCE_BYTES = 64 * 1024;
/** Longer chains of `elseif` are left to Lua: V8's stack is not endless. */
const MOST_CLAUSES = 100;

/** @returns undefined when the script is left to the WebAssembly Lua */
export function translate(source: string, library: ReadonlyMap<string, LibraryFunction>): Translation | undefined {
  // Lua makes each line end one line feed, within texts, too; luaparse does not.
  if (source.length > MOST_SOURCE_BYTES || source.includes('\r')) return undefined;
  try {
    const chunk = luaparse.parse(source, {
      luaVersion: '5.1',
      encodingMode: 'pseudo-latin1',
      locations: true,
      ranges: true,
      comments: true,
    });
    return new Translator(library, assignedNames(chunk), withoutComments(source, chunk)).script(chunk);
  } catch (error) {
    // What luaparse does not take although Lua did is left to Lua as well.
    if (error instanceof Beyond || error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

class Translator extends ExpressionTranslator {
  /** Whether its results are given as an array. */
  #many = false;

  script(chunk: luaparse.Chunk): Translation {
    const body = this.#block(chunk.body);
    const used = [...this.library.keys()].map((name, index) => `const ${libraryName(name)} = lib[${index}];`).join('\n');
    const main = `return function main(KEYS, ARGV) {\n${this.#declared(body)}\n};`;
    const operations =
      'const { add, sub, mul, div, mod, neg, concat, length, get, set, listed, keyed, less, atMost, more, atLeast, bound, truthy, spend } = ops;';
    return { code: `'use strict';\n${operations}\n${used}\n${main}`, sites: this.sites };
  }

  #declared(body: string): string {
    return this.temporaries.length === 0 ? body : `let ${this.temporaries.join(', ')};\n${body}`;
  }

  // Statements

  #block(statements: readonly luaparse.Statement[], prepare: () => string = () => ''): string {
    this.scopes.enter();
    const head = prepare();
    const lines = statements.map((statement) => this.#statement(statement));
    this.scopes.leave();
    return head + lines.join('\n');
  }

  #statement(node: luaparse.Statement): string {
    switch (node.type) {
      case 'LocalStatement':
        return this.#local(node);
      case 'AssignmentStatement':
        return this.#assignment(node);
      case 'CallStatement':
        return `${this.call(node.expression).js};`;
      case 'FunctionDeclaration':
        return this.#localFunction(node);
      case 'DoStatement':
        return `{\n${this.#block(node.body)}\n}`;
      case 'IfStatement':
        return this.#if(node);
      case 'WhileStatement':
        return this.#loop(() => `if (!${this.condition(node.condition)}) break;\n${this.#block(node.body)}`);
      case 'RepeatStatement':
        return this.#loop(() => this.#repeat(node));
      case 'ForNumericStatement':
        return this.#forNumeric(node);
      case 'ForGenericStatement':
        return this.#forEach(node);
      case 'BreakStatement':
        return 'break;';
      case 'ReturnStatement':
        return this.#return(node);
      default:
        throw new Beyond();
    }
  }

  #local({ variables, init }: luaparse.LocalStatement): string {
    const [only] = variables;
    const value = init[0];
    if (only !== undefined && value !== undefined && variables.length === 1 && init.length === 1 && !this.assigned.has(only.name)) {
      const name = this.libraryFunction(value);
      if (name !== undefined) {
        this.scopes.bind(only.name, { kind: 'library', name });
        return '';
      }
    }
    // The values are evaluated before the names hold.
    const { before, values } = this.#values(init, variables.length);
    return before + variables.map(({ name }, index) => `let ${this.variable(name)} = ${values[index]};`).join('\n');
  }

  #assignment({ variables, init }: luaparse.AssignmentStatement): string {
    const [target] = variables;
    const value = init[0];
    if (variables.length === 1 && init.length === 1 && target !== undefined && value !== undefined) {
      if (target.type === 'Identifier') return `${this.#assignable(target)} = ${this.value(value)};`;
      const { base, key } = this.member(target);
      const site = this.site(target, target.base);
      return `set(${this.value(base)}, ${key}, ${this.value(value)}, ${site});`;
    }
    const targets = variables.map((variable) => {
      if (variable.type !== 'Identifier') throw new Beyond();
      return this.#assignable(variable);
    });
    const { before, values } = this.#values(init, targets.length);
    const kept = values.map((js) => {
      const name = this.name('r');
      return { name, line: `const ${name} = ${js};` };
    });
    // The last first, as Lua does it: it shows where a variable is named twice.
    const assigned = targets.map((name, index) => `${name} = ${kept[index]?.name};`).reverse();
    return `{\n${before}${kept.map(({ line }) => line).join('\n')}\n${assigned.join('\n')}\n}`;
  }

  #assignable({ name }: luaparse.Identifier): string {
    const binding = this.scopes.find(name);
    if (binding?.kind !== 'value') throw new Beyond();
    if (binding.depth < this.depth) binding.assigned = true;
    checkOrder(binding);
    return binding.js;
  }

  /** `count` values out of a list whose last may have many. */
  #values(nodes: readonly luaparse.Expression[], count: number): { before: string; values: string[] } {
    const last = nodes.at(-1);
    const results = last !== undefined && nodes.length <= count ? this.results(last) : undefined;
    if (results === undefined) {
      // What is too much is evaluated all the same.
      const all = nodes.map((node) => this.value(node));
      if (all.length > count) return this.#kept(all, count);
      while (all.length < count) all.push('undefined');
      return { before: '', values: all };
    }
    const name = this.name('r');
    const early = nodes.slice(0, -1).map((node) => ({ name: this.name('r'), js: this.value(node) }));
    const before = [...early.map((one) => `const ${one.name} = ${one.js};`), `const ${name} = ${results()};`].join('\n');
    const values = early.map((one) => one.name);
    for (let index = 0; values.length < count; index += 1) values.push(`${name}[${index}]`);
    return { before: `${before}\n`, values };
  }

  #kept(all: readonly string[], count: number): { before: string; values: string[] } {
    const names = all.map(() => this.name('r'));
    return { before: `${all.map((js, index) => `const ${names[index]} = ${js};`).join('\n')}\n`, values: names.slice(0, count) };
  }

  #localFunction(node: luaparse.FunctionDeclaration): string {
    const { identifier, parameters, body } = node;
    if (!node.isLocal || identifier?.type !== 'Identifier' || this.assigned.has(identifier.name)) throw new Beyond();
    const js = this.name('f');
    this.scopes.bind(identifier.name, { kind: 'unknown' });
    const outer = { temporaries: this.temporaries, many: this.#many };
    const many = !returnsOne(body);
    this.temporaries = [];
    this.#many = many;
    this.depth += 1;
    const names: string[] = [];
    const before = this.steps;
    const text = this.#block(body, () => {
      for (const parameter of parameters) {
        if (parameter.type !== 'Identifier') throw new Beyond();
        names.push(this.variable(parameter.name));
      }
      return '';
    });
    this.depth -= 1;
    const whole = this.#declared(text);
    this.temporaries = outer.temporaries;
    this.#many = outer.many;
    this.scopes.bind(identifier.name, { kind: 'local function', js, many });
    return `function ${js}(${names.join(', ')}) {\nspend(${this.steps - before + 1});\n${whole}\n${many ? 'return [];\n' : ''}}`;
  }

  #if({ clauses }: luaparse.IfStatement): string {
    if (clauses.length > MOST_CLAUSES) throw new Beyond();
    return clauses
      .map((clause, index) => {
        const test = clause.type === 'ElseClause' ? '' : `if (${this.condition(clause.condition)}) `;
        return `${index > 0 ? 'else ' : ''}${test}{\n${this.#block(clause.body)}\n}`;
      })
      .join(' ');
  }

  /** An endless loop, each turn of which is paid for; `body` breaks out of it. */
  #loop(body: () => string, head = 'for (;;)'): string {
    const before = this.steps;
    const text = body();
    return `${head} {\nspend(${this.steps - before + 1});\n${text}\n}`;
  }

  /** The condition knows the body's locals. */
  #repeat({ body, condition }: luaparse.RepeatStatement): string {
    if (body.some(({ type }) => type === 'BreakStatement' || type === 'ReturnStatement')) throw new Beyond();
    this.scopes.enter();
    const lines = body.map((statement) => this.#statement(statement));
    const last = `if (${this.condition(condition)}) break;`;
    this.scopes.leave();
    return `${lines.join('\n')}\n${last}`;
  }

  #forNumeric({ variable, start, end, step, body }: luaparse.ForNumericStatement): string {
    const line = (step ?? end).loc?.end.line ?? 1;
    const site = this.sites.push({ line, names: [], function: 'for' }) - 1;
    const [at, limit, by] = [this.name('i'), this.name('n'), this.name('s')];
    const values = [start, end, step].map((one) => (one === null || one === undefined ? '1' : this.value(one)));
    const bounds = [at, limit, by].map((name, index) => `const ${name}v = ${values[index]};`);
    const checked = `let ${at} = bound(${at}v, 'initial value', ${site}); const ${limit} = bound(${limit}v, 'limit', ${site}); const ${by} = bound(${by}v, 'step', ${site});`;
    const test = `(${at} += ${by}, ${by} > 0 ? ${at} <= ${limit} : ${limit} <= ${at})`;
    const loop = this.#loop(
      () => this.#block(body, () => `let ${this.variable(variable.name)} = ${at};\n`),
      `for (${at} -= ${by}; ${test};)`,
    );
    return `{\n${bounds.join('\n')}\n${checked}\n${loop}\n}`;
  }

  /** `for index, value in ipairs(list)` */
  #forEach({ variables, iterators, body }: luaparse.ForGenericStatement): string {
    const [iterator] = iterators;
    if (iterators.length !== 1 || iterator?.type !== 'CallExpression' || iterator.arguments.length !== 1 || variables.length > 2)
      throw new Beyond();
    const base = iterator.base;
    if (base.type !== 'Identifier' || base.name !== 'ipairs' || this.scopes.find('ipairs') !== undefined) throw new Beyond();
    const list = iterator.arguments[0] as luaparse.Expression;
    this.onlyArguments.add(list);
    if (this.results(list) !== undefined) throw new Beyond();
    const site = this.sites.push({ line: base.loc?.end.line ?? 1, names: [], function: 'ipairs' }) - 1;
    const [table, at, item] = [this.name('l'), this.name('i'), this.name('x')];
    const head = `{\nconst ${table} = ${libraryName('ipairs')}(${site}, ${this.value(list)});\n`;
    const loop = this.#loop(
      () =>
        `const ${item} = ${table}.get(${at});\nif (${item} === undefined) break;\n{\n${this.#block(body, () => {
          const values = [at, item];
          return variables.map(({ name }, index) => `let ${this.variable(name)} = ${values[index]};\n`).join('');
        })}\n}`,
      `for (let ${at} = 1; ; ${at} += 1)`,
    );
    return `${head}${loop}\n}`;
  }

  #return({ arguments: nodes }: luaparse.ReturnStatement): string {
    if (this.#many) return `return ${this.array(nodes)};`;
    if (nodes.length <= 1) return `return ${nodes[0] === undefined ? 'undefined' : this.value(nodes[0])};`;
    return `return ${this.array(nodes)}[0];`;
  }
}
