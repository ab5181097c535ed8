/** Messages as values: what command() and event() refuse, the schema rule, and the envelope. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import * as v from 'valibot';
import { z } from 'zod';
import { command, definitionAt, definitionOf, event, type MessageDefinition } from '../../src/message/definition.js';
import { type Envelope, fieldOf, fromFields, type NewEnvelope, toFields } from '../../src/message/envelope.js';
import { ErrandError, type InvalidValueError, type LimitError, type SchemaError } from '../../src/message/errors.js';
import { ID_BYTES, PAYLOAD_BYTES } from '../../src/message/limits.js';

function thrown(
  t: ExecutionContext,
  code: string,
  run: () => unknown,
): ErrandError & Partial<InvalidValueError & SchemaError & LimitError> {
  return t.throws(run, { instanceOf: ErrandError, code });
}

function definition(message: object): MessageDefinition {
  const found = definitionOf(message);
  if (found === undefined) throw new Error('no definition');
  return found;
}

const key = (): string => 'k';
const anything = z.unknown();

// ---- definitions ---------------------------------------------------------------------------------------------------------------------

test('a message is a frozen value that shows its kind, name and actor', (t) => {
  const pay = command('pay', { to: 'cashier', key, data: anything });
  t.deepEqual({ ...pay }, { kind: 'command', name: 'pay', to: 'cashier' });
  t.deepEqual({ ...event('paid', { key, data: anything }) }, { kind: 'event', name: 'paid' });
  t.true(Object.isFrozen(pay));
  t.is(JSON.stringify(pay), '{"kind":"command","name":"pay","to":"cashier"}');
});

const faulty: readonly [what: string, code: string, place: RegExp, define: () => unknown][] = [
  ['an empty name', 'INVALID_NAME', /^command\(''\): found ''/, () => command('', { to: 'a', key, data: anything })],
  ['a name with a colon', 'INVALID_NAME', /^command\('a:b'\)/, () => command('a:b', { to: 'a', key, data: anything })],
  ['a name that is a symbol', 'INVALID_NAME', /found Symbol\(x\)/, () => event(Symbol('x') as never, { key, data: anything })],
  ['no options', 'INVALID_OPTION', /^event\('e'\): found undefined/, () => event('e', undefined as never)],
  ['no actor', 'INVALID_NAME', /^command\('c'\)\.to: found undefined/, () => command('c', { key, data: anything } as never)],
  [
    'a reserved actor',
    'RESERVED_NAME',
    /^command\('c'\)\.to: 'outcome' is reserved/,
    () => command('c', { to: 'outcome', key, data: anything }),
  ],
  ['no key', 'INVALID_OPTION', /^event\('e'\)\.key: found undefined, expected a function/, () => event('e', { data: anything } as never)],
  ['no schema', 'INVALID_SCHEMA', /^event\('e'\)\.data: found undefined, expected a Standard Schema/, () => event('e', { key } as never)],
  [
    'a schema that is none',
    'INVALID_SCHEMA',
    /^event\('e'\)\.data: found an object/,
    () => event('e', { key, data: { type: 'string' } } as never),
  ],
  [
    'a result that is no schema',
    'INVALID_SCHEMA',
    /^command\('c'\)\.result/,
    () => command('c', { to: 'a', key, data: anything, result: 1 as never }),
  ],
];

for (const [what, code, place, define] of faulty) {
  test(`a message with ${what} is refused where it is defined`, (t) => {
    t.regex(thrown(t, code, define).message, place);
  });
}

test('a place that wants a message names itself and what it found', (t) => {
  const pay = command('pay', { to: 'cashier', key, data: anything });
  t.is(definitionAt(pay, 'command', 'tell').name, 'pay');
  t.regex(
    thrown(t, 'UNDEFINED_MESSAGE', () => definitionAt(undefined, 'command', 'tell')).message,
    /^tell: found undefined, expected a command\(\); .*\(\) => /,
  );
  t.regex(
    thrown(t, 'UNDEFINED_MESSAGE', () => definitionAt(pay, 'event', 'publish')).message,
    /^publish: found an object, expected an event\(\)$/,
  );
  for (const other of [null, 'pay', {}, () => pay]) thrown(t, 'UNDEFINED_MESSAGE', () => definitionAt(other, 'command', 'tell'));
});

// ---- schemas -------------------------------------------------------------------------------------------------------------------------

/** Takes texts, shows numbers and dates. */
const Transforming = z.object({
  amount: z.string().transform(Number),
  when: z.string().transform((text) => new Date(text)),
  note: z.string().default('none'),
});

test("the wire holds the schema's input; key and handler see its output", (t) => {
  const pay = definition(
    command('pay', { to: 'cashier', key: (d) => `${d.amount + 1}/${d.when.getUTCFullYear()}/${d.note}`, data: Transforming }),
  );
  const sent = pay.encode({ amount: '41', when: '2030-01-01T00:00:00Z' });
  t.is(sent.json, '{"amount":"41","when":"2030-01-01T00:00:00Z"}');
  t.is(sent.key, '42/2030/none');
  t.deepEqual(pay.decode(sent.json), { amount: 41, when: new Date('2030-01-01T00:00:00Z'), note: 'none' });
});

test("a handler returns the result schema's input, and whoever asks gets its output", (t) => {
  const pay = definition(command('pay', { to: 'cashier', key, data: anything, result: Transforming }));
  const json = pay.encodeResult({ amount: '1', when: '2030-01-01', note: 'x' });
  t.is(json, '{"amount":"1","when":"2030-01-01","note":"x"}');
  t.deepEqual(pay.decodeResult(json), { amount: 1, when: new Date('2030-01-01'), note: 'x' });
  const error = thrown(t, 'INVALID_RESULT', () => pay.encodeResult({ amount: 1, when: '2030-01-01' }));
  t.regex(error.message, /^result of pay: amount: .*expected string, received number/);
});

test('without a result schema a result carries no value', (t) => {
  const pay = definition(command('pay', { to: 'cashier', key, data: anything }));
  t.is(pay.encodeResult('ignored'), '');
  t.is(pay.decodeResult(''), undefined);
});

test('what fails its schema names each field and what was expected there', (t) => {
  const line = z.object({ product: z.string(), quantity: z.number().int().positive() });
  const order = definition(command('order', { to: 'sales', key, data: z.object({ id: z.number(), lines: z.array(line) }) }));
  const error = thrown(t, 'INVALID_DATA', () =>
    order.encode({
      id: 'x',
      lines: [
        { product: 'a', quantity: 1 },
        { product: 'b', quantity: -1 },
      ],
    }),
  );
  t.deepEqual(
    error.faults?.map(({ path }) => path),
    ['id', 'lines[1].quantity'],
  );
  t.regex(error.message, /^data of order: id: .*expected number, received string; lines\[1\]\.quantity: .*>0/);
  thrown(t, 'INVALID_DATA', () => order.encode(undefined));
  thrown(t, 'INVALID_DATA', () => order.decode('{"id":1}'));
  thrown(t, 'INVALID_DATA', () => order.decode(''));
  thrown(t, 'NOT_JSON', () => order.decode('{"id":'));
});

test('valibot, or any other Standard Schema, does as well', (t) => {
  const data = v.object({ orderId: v.pipe(v.string(), v.transform(Number)), express: v.optional(v.boolean(), false) });
  const order = definition(command('order', { to: 'sales', key: (d) => String(d.orderId + 1), data }));
  t.is(order.encode({ orderId: '41' }).key, '42');
  t.deepEqual(order.decode('{"orderId":"41"}'), { orderId: 41, express: false });
  t.regex(thrown(t, 'INVALID_DATA', () => order.encode({ orderId: 41 })).message, /^data of order: orderId: .*string/);
  const own: StandardSchemaV1<string, number> = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value) =>
        typeof value === 'string' ? { value: value.length } : { issues: [{ message: 'a text', path: [{ key: 'a' }, 0, Symbol('s')] }] },
    },
  };
  const measure = definition(event('measured', { key: (length) => `${length}`, data: own }));
  t.is(measure.encode('four').key, '4');
  t.is(thrown(t, 'INVALID_DATA', () => measure.encode(4)).message, 'data of measured: a[0].Symbol(s): a text');
});

test('a schema that validates asynchronously is refused by name', (t) => {
  const slow = z.string().refine(() => Promise.resolve(true));
  const pay = definition(command('pay', { to: 'cashier', key, data: slow, result: slow }));
  t.regex(thrown(t, 'ASYNC_SCHEMA', () => pay.encode('x')).message, /^data of pay: the schema validates asynchronously/);
  t.regex(thrown(t, 'ASYNC_SCHEMA', () => pay.encodeResult('x')).message, /^result of pay/);
});

test("the rejection of a schema that validates asynchronously is nobody's unhandled one", async (t) => {
  const failing: StandardSchemaV1<string> = {
    '~standard': { version: 1, vendor: 'own', validate: () => Promise.reject(new Error('never seen')) },
  };
  const pay = definition(command('pay', { to: 'cashier', key, data: failing }));
  thrown(t, 'ASYNC_SCHEMA', () => pay.encode('x'));
  await new Promise((resolve) => setImmediate(resolve)); // ava fails on an unhandled rejection
});

test('what JSON does not keep is refused before the schema sees it', (t) => {
  const pay = definition(command('pay', { to: 'cashier', key, data: anything, result: anything }));
  t.regex(thrown(t, 'NOT_JSON', () => pay.encode({ at: new Date() })).message, /^data of pay: at: an instance of Date/);
  t.regex(thrown(t, 'NOT_JSON', () => pay.encodeResult({ n: 1n })).message, /^result of pay: n: a bigint/);
});

test('data and results have a limit in bytes', (t) => {
  const pay = definition(command('pay', { to: 'cashier', key, data: z.string(), result: z.string() }));
  const largest = 'x'.repeat(PAYLOAD_BYTES - 2);
  t.is(pay.encode(largest).json.length, PAYLOAD_BYTES);
  t.regex(thrown(t, 'PAYLOAD_TOO_LARGE', () => pay.encode(`${largest}x`)).message, /^data of pay: 1048577 bytes/);
  t.regex(thrown(t, 'PAYLOAD_TOO_LARGE', () => pay.encodeResult(`${largest}x`)).message, /^result of pay/);
});

test('a key that cannot stand in Redis is refused, naming the message', (t) => {
  const pay = definition(command('pay', { to: 'cashier', key: (d) => d, data: z.string() }));
  for (const bad of ['', '{a}', 'a\nb', 'x'.repeat(513)])
    t.regex(thrown(t, 'INVALID_KEY', () => pay.encode(bad)).message, /^key of pay: found /);
  const numeric = definition(command('pay', { to: 'cashier', key: (d) => d.id as unknown as string, data: z.object({ id: z.number() }) }));
  t.is(thrown(t, 'INVALID_KEY', () => numeric.encode({ id: 12005 })).message, 'key of pay: found 12005, expected a text that is not empty');
});

// ---- the envelope --------------------------------------------------------------------------------------------------------------------

const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const id = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 });
const subject = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((one) => !/[{}\p{Cc}]/u.test(one));
const instant = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }).map(Number);
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });

const envelope: fc.Arbitrary<Envelope> = fc.record({
  id,
  type: id,
  kind: fc.constantFrom('command', 'event', 'reply'),
  source: text,
  subject,
  time: instant,
  correlationId: id,
  causationId: maybe(id),
  idempotencyKey: id,
  data: fc.json(),
  replyTo: maybe(id),
  replyNode: maybe(id),
  track: maybe(fc.constantFrom('-', 'dGhlIGZpbmdlcnByaW50')),
  expires: maybe(instant),
  due: maybe(instant),
  status: maybe(fc.constantFrom('completed', 'failed')),
  traceparent: maybe(id),
});

test('whatever is put into an envelope is read from it again', (t) => {
  fc.assert(
    fc.property(envelope, (sent) => {
      const fields = toFields(sent);
      t.true(fields.every((field) => typeof field === 'string') && fields.length % 2 === 0);
      t.deepEqual({ ...fromFields(fields) } as unknown, sent);
    }),
  );
});

test('an entry written by hand needs no more than id, type and subject', (t) => {
  const read = fromFields(['id', 'm-1', 'type', 'dispatch-product', 'subject', '12005']) as Envelope;
  t.like(read, {
    id: 'm-1',
    type: 'dispatch-product',
    subject: '12005',
    kind: 'command',
    correlationId: 'm-1',
    idempotencyKey: 'm-1',
    data: '',
    source: '',
  });
  for (const absent of ['causationId', 'replyTo', 'replyNode', 'track', 'expires', 'due', 'status', 'traceparent'] as const)
    t.is(read[absent], undefined);
  t.true(Number.isNaN(read.time));
});

test('fields that nobody knows are left alone, and times that are none count as absent', (t) => {
  const read = fromFields([
    'id',
    'm',
    'type',
    't',
    'subject',
    's',
    'colour',
    'red',
    'specversion',
    '1.0',
    'expirytime',
    'soon',
    'time',
    'x',
    'odd',
  ]) as Envelope;
  t.is(read.expires, undefined);
  t.true(Number.isNaN(read.time));
});

test('the last of two fields of one name counts, as when a fact is re-keyed', (t) => {
  t.like(fromFields(['id', 'm', 'type', 't', 'subject', 'a', 'kind', 'event', 'subject', 'b']), { subject: 'b', kind: 'event' });
});

const noEnvelope: readonly [what: string, fields: readonly string[], fault: RegExp][] = [
  ['nothing at all', [], /no field 'id'/],
  ['no id', ['type', 't', 'subject', 's'], /no field 'id'/],
  ['an empty id', ['id', '', 'type', 't', 'subject', 's'], /no field 'id'/],
  ['no type', ['id', 'm', 'subject', 's'], /no field 'type'/],
  ['no subject', ['id', 'm', 'type', 't'], /'subject' must be a text that is not empty/],
  ['braces in its subject', ['id', 'm', 'type', 't', 'subject', '{a}'], /'subject' must be a text without braces/],
  ['a control character in its subject', ['id', 'm', 'type', 't', 'subject', 'a\u0007'], /'subject' must be a text without control/],
  ['a kind nobody knows', ['id', 'm', 'type', 't', 'subject', 's', 'kind', 'query'], /'kind' must be/],
  ['a status nobody knows', ['id', 'm', 'type', 't', 'subject', 's', 'status', 'fine'], /'status' must be/],
  ['an id that is too long', ['id', 'm'.repeat(ID_BYTES + 1), 'type', 't', 'subject', 's'], /'id' must be a text of 1 to 200 bytes/],
  ['a control character in its id', ['id', 'm\n', 'type', 't', 'subject', 's'], /'id' must be a text of 1 to 200 bytes/],
  [
    'a correlation id that is too long',
    ['id', 'm', 'type', 't', 'subject', 's', 'correlationid', 'c'.repeat(ID_BYTES + 1)],
    /'correlationid' must be/,
  ],
  ['a fingerprint with a space', ['id', 'm', 'type', 't', 'subject', 's', 'track', 'a b'], /'track' must be/],
];

for (const [what, fields, fault] of noEnvelope) {
  test(`an entry with ${what} is no envelope`, (t) => {
    const read = fromFields(fields);
    t.regex('fault' in read ? read.fault : '', fault);
  });
}

test('one field can be read of an entry that is no envelope', (t) => {
  t.is(fieldOf(['a', '1', 'b', '2'], 'b'), '2');
  t.is(fieldOf(['a', 'b', 'b'], 'b'), undefined);
});

test('what has its default is not written', (t) => {
  const sent: NewEnvelope = {
    id: 'm',
    type: 't',
    source: 's',
    subject: 'k',
    time: 0,
    correlationId: 'c',
    data: '',
    kind: 'command',
    idempotencyKey: 'm',
  };
  t.deepEqual(toFields(sent), [
    ...['id', 'm', 'type', 't', 'source', 's', 'subject', 'k', 'time', '1970-01-01T00:00:00.000Z'],
    ...['datacontenttype', 'application/json', 'correlationid', 'c', 'data', ''],
  ]);
});
