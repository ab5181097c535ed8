/** What a script's text tells before it is translated. */
import type luaparse from 'luaparse';

export function withoutComments(source: string, { comments = [] }: luaparse.Chunk): string {
  let text = '';
  for (const comment of comments) {
    const [start, end] = rangeOf(comment);
    text += source.slice(text.length, start).padEnd(end - text.length);
  }
  return text + source.slice(text.length);
}

/** Where a node stands in the source. The parser's types do not know it. */
export function rangeOf(node: object): readonly [start: number, end: number] {
  return (node as { readonly range: readonly [number, number] }).range;
}

/** The names that are assigned to anywhere, whichever variables they are. */
export function assignedNames(chunk: luaparse.Chunk): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const item of node) visit(item);
    else if (typeof node === 'object' && node !== null) {
      const { type, variables } = node as luaparse.AssignmentStatement;
      if (type === 'AssignmentStatement') for (const variable of variables) if (variable.type === 'Identifier') names.add(variable.name);
      for (const part of Object.values(node)) visit(part);
    }
  };
  visit(chunk.body);
  return names;
}

/** Lua reckons with constants when it compiles, and has one constant for 0 and -0: the one that came first. */
export function isMinusZero(node: luaparse.Expression): boolean {
  return Object.is(folded(node), -0);
}

/** What Lua's compiler makes of an expression of numbers alone. */
function folded(node: luaparse.Expression): number | undefined {
  if (node.type === 'NumericLiteral') return node.value;
  if (node.type === 'UnaryExpression') {
    const value = node.operator === '-' ? folded(node.argument) : undefined;
    return value === undefined ? undefined : -value;
  }
  if (node.type !== 'BinaryExpression') return undefined;
  const [a, b] = [folded(node.left), folded(node.right)];
  if (a === undefined || b === undefined) return undefined;
  switch (node.operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0 ? undefined : a / b;
    case '%':
      return b === 0 ? undefined : a - Math.floor(a / b) * b;
    default:
      return undefined;
  }
}

/** Whether Lua's compiler takes an expression for true or for false; it then leaves out the `and` or `or` that it stands before. */
export function constantIn(node: luaparse.Expression): boolean | undefined {
  if (node.type === 'StringLiteral' || folded(node) !== undefined) return true;
  if (node.type === 'BooleanLiteral') return node.value;
  if (node.type === 'NilLiteral') return false;
  if (node.type !== 'LogicalExpression') return undefined;
  return constantIn(node.left) === (node.operator === 'and') ? constantIn(node.right) : undefined;
}

/** Whether a function always returns exactly one value, as far as can be told without looking into others. */
export function returnsOne(body: readonly luaparse.Statement[]): boolean {
  return (
    ends(body) &&
    returns(body).every(({ arguments: [value, ...more] }) => value !== undefined && more.length === 0 && value.type !== 'CallExpression')
  );
}

function ends(body: readonly luaparse.Statement[]): boolean {
  const last = body.at(-1);
  if (last?.type === 'ReturnStatement') return true;
  return (
    last?.type === 'IfStatement' &&
    last.clauses.some(({ type }) => type === 'ElseClause') &&
    last.clauses.every((clause) => ends(clause.body))
  );
}

/** The function's own return statements. */
function returns(body: readonly luaparse.Statement[]): luaparse.ReturnStatement[] {
  return body.flatMap((statement) => {
    if (statement.type === 'ReturnStatement') return [statement];
    if (statement.type === 'IfStatement') return statement.clauses.flatMap((clause) => returns(clause.body));
    if (statement.type === 'FunctionDeclaration') return [];
    return 'body' in statement ? returns(statement.body) : [];
  });
}
