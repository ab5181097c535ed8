/** Errors of other realms, of other copies of the package, and of hostile shapes are read as what they are. Issue 14, B9. */
import { createContext, runInContext } from 'node:vm';
import test from 'ava';
import { Actor, actor, command, TerminalError } from '../../src/index.js';
import { causesOf, messageOf, nameOf } from '../../src/message/causes.js';
import { asError, codeOf, describe, ErrandError, failureCodeOf } from '../../src/message/errors.js';
import { toJson } from '../../src/message/json.js';
import { CAUSES_TOLD } from '../../src/message/limits.js';
import { validate } from '../../src/message/schema.js';

const elsewhere = createContext({});
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
const foreign = <T>(code: string): T => runInContext(code, elsewhere) as T;

/** The same module, loaded once more: another copy of the package in one process. */
const another = async <T>(path: string): Promise<T> => (await import(`${path}?copy`)) as T;

test('an error of another realm stays itself', (t) => {
  const error = foreign<Error>("Object.assign(new TypeError('x is not a function'), { code: 'E_REALM' })");
  t.false(error instanceof Error);
  t.is(asError(error), error);
  t.is(nameOf(error), 'TypeError');
  t.is(failureCodeOf(error), 'E_REALM');
});

test('a plain value of another realm is plain JSON, an instance of another class is not', (t) => {
  t.is(toJson(foreign('({ a: [1, { b: null }] })'), 'data'), '{"a":[1,{"b":null}]}');
  t.throws(() => toJson(foreign('new Map()'), 'data'), { message: /an instance of Map/ });
  t.throws(() => toJson(Object.create(Object.create(null)), 'data'), { message: /is not plain JSON/ });
});

test('a proxy that was revoked is described, wherever it stands', (t) => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  t.is(describe(proxy), 'an object');
  t.regex(asError(proxy).message, /^thrown value: an object/);
  t.false(proxy instanceof ErrandError);
  t.regex(causesOf(new Error('outside', { cause: proxy }))[0]?.message ?? '', /cannot be read/);
});

test('causes and the errors of an AggregateError are told, nearest first, each once, bounded', (t) => {
  const deepest = Object.assign(new Error('duplicate entry'), { code: '23505' });
  const middle = new Error('could not save', { cause: deepest });
  const all = new AggregateError([middle, new TypeError('second')]);
  t.deepEqual(causesOf(all), [
    { name: 'Error', code: undefined, message: 'could not save' },
    { name: 'TypeError', code: undefined, message: 'second' },
    { name: 'Error', code: '23505', message: 'duplicate entry' },
  ]);
  t.is(messageOf(all), 'could not save; second; duplicate entry');
  const round: Error & { cause?: unknown } = new Error('round');
  round.cause = new Error('and', { cause: round });
  t.is(causesOf(round).length, 1);
  t.is(causesOf(new AggregateError(Array.from({ length: 1_000 }, () => new Error('many')))).length, CAUSES_TOLD);
});

test('another copy of the package knows the errors of this one, and the other way round', async (t) => {
  const copy = await another<typeof import('../../src/message/errors.js')>('../../src/message/errors.js');
  t.not(copy.TerminalError, TerminalError);
  const theirs = new copy.TerminalError('declined', { code: 'DECLINED' });
  t.true(theirs instanceof TerminalError);
  t.true(theirs instanceof ErrandError);
  t.true(new TerminalError('x') instanceof copy.TerminalError);
  t.false(new copy.ErrandError('X', 'x') instanceof TerminalError);
  t.is(codeOf(theirs, 'FAULT'), 'DECLINED');
});

test("a user's own subclass of an error is known by its class, not by its base's brand", (t) => {
  class Declined extends TerminalError {}
  class Expired extends TerminalError {}
  t.true(new Declined('x') instanceof Declined);
  t.false(new Expired('x') instanceof Declined);
  t.is(new Declined('x').name, 'Declined');
});

test("errand's error names are no class names that a minifier shortens", (t) => {
  const made = Object.defineProperty(class extends ErrandError {}, 'name', { value: 'a' });
  t.is(new TerminalError('x').name, 'TerminalError');
  t.is(new made('X', 'x').name, 'a', 'a subclass of the user has the name that its class has');
});

test('another copy knows actors that were decorated by this one', async (t) => {
  const copy = await another<typeof import('../../src/api/actor-definition.js')>('../../src/api/actor-definition.js');
  class Greeter extends Actor {}
  actor('greeter')(Greeter);
  t.deepEqual(copy.typeOf(Greeter), { type: 'greeter', pipelined: false });
});

test('a message of another version of the package in the same process is refused by name', async (t) => {
  const { definitionAt } = await import('../../src/message/definition.js');
  const schema = { '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) } };
  const Greet = command('greet', { to: 'greeter', key: () => 'k', data: schema });
  const definition = definitionAt(Greet, 'command', 'here');
  t.is(definition.name, 'greet');
  Object.defineProperty(definition, 'version', { value: 2 });
  t.throws(() => definitionAt(Greet, 'command', 'here'), { code: 'TWO_VERSIONS' });
});

test('a schema error tells path and rule, and no value that the library quotes. Issue 14, B10', (t) => {
  const quoting = (message: string, path: (string | number)[]) => ({
    '~standard': { version: 1 as const, vendor: 'test', validate: () => ({ issues: [{ message, path }] }) },
  });
  const data = { card: '4111111111111111', lines: [{ pin: 7 }] };
  const told = (message: string, path: (string | number)[]) =>
    t.throws(() => validate(quoting(message, path) as never, data, 'INVALID_DATA', 'data of pay'))?.message;
  t.is(told('Expected number but received "4111111111111111"', ['card']), 'data of pay: card: Expected number but received "…"');
  t.is(told('4111111111111111 is no card', ['card']), 'data of pay: card: … is no card');
  t.is(told("'7' is too small, at least 8", ['lines', 0, 'pin']), "data of pay: lines[0].pin: '…' is too small, at least 8");
  t.is(told('{"card":"4111111111111111"} does not match', []), 'data of pay: {"card":"…"} does not match');
});
