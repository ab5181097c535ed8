import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import * as fc from 'fast-check';
import { PaperCarrier } from '../../actors/carrier.js';
import { OutboxMailer } from '../../actors/mailer.js';
import { money, orderUnits } from '../../actors/money.js';
import { type OrderEntry, readOrders } from '../../actors/orders-file.js';
import { Outbox } from '../../actors/outbox.js';
import { OutboxTexter } from '../../actors/texter.js';
import { loadConfig } from '../../src/api/config.js';

async function read(...chunks: (string | Buffer)[]): Promise<OrderEntry[]> {
  const entries: OrderEntry[] = [];
  for await (const entry of readOrders(Readable.from(chunks, { objectMode: false }))) entries.push(entry);
  return entries;
}

test('revenue is exact where floating point is not', (t) => {
  t.is(orderUnits([]), 0n);
  t.is(orderUnits([{ unitPrice: 14, quantity: 12, discount: 0 }]), 1_680_000n);
  t.is(orderUnits([{ unitPrice: 9.8, quantity: 10, discount: 0.15 }]), 833_000n);
  t.is(orderUnits(Array.from({ length: 10 }, () => ({ unitPrice: 0.1, quantity: 1, discount: 0 }))), 10_000n);
  t.is(orderUnits([{ unitPrice: 1e-7, quantity: 1_000, discount: 0 }]), 1n, 'an exponent is a number too');
  t.is(orderUnits([{ unitPrice: 0.00005, quantity: 1, discount: 0 }]), 1n, 'what is finer is rounded half up');
});

test('the order of lines does not matter, and a discount of 1 gives everything away', (t) => {
  const line = fc.record({
    unitPrice: fc.integer({ min: 0, max: 1_000_000 }).map((cents) => cents / 100),
    quantity: fc.integer({ min: 0, max: 1_000 }),
    discount: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  });
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const expected = lines.reduce(
        (sum, { unitPrice, quantity, discount }) => sum + Math.round(unitPrice * 100) * quantity * (100 - Math.round(discount * 100)),
        0,
      );
      t.is(orderUnits(lines), BigInt(expected));
      t.is(orderUnits([...lines].reverse()), BigInt(expected));
      t.is(orderUnits(lines.map((one) => ({ ...one, discount: 1 }))), 0n);
    }),
  );
});

test('money is shown with its cents, rounded once', (t) => {
  t.is(money(0), '0.00');
  t.is(money(49), '0.00');
  t.is(money(50), '0.01');
  t.is(money(12_657_930_395), '1,265,793.04');
  t.is(money(1_000_000_000_000), '100,000,000.00');
});

test('orders are read line by line, whatever the chunks', async (t) => {
  const text = '\uFEFF{"orderId":1,"address":"Straße 1"}\r\n\n  \n{"orderId":2,"address":"b","lines":[]}';
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 7, 1_000]) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    t.deepEqual(await read(...chunks), [
      { line: 1, order: { orderId: 1, address: 'Straße 1' } },
      { line: 4, order: { orderId: 2, address: 'b', lines: [] } },
    ]);
  }
});

test('a broken line is named by its number and field, the rest is read', async (t) => {
  const entries = await read(
    [
      '{"orderId":1,"address":"a"}',
      '{"orderId":1,',
      '{"orderId":"2","address":"a"}',
      '{"orderId":3}',
      '[]',
      '{"orderId":4,"address":"a","lines":[{"productId":1,"unitPrice":-1,"quantity":1,"discount":0}]}',
      '{"orderId":5,"address":"a","lines":[{"productId":1,"unitPrice":1,"quantity":1e999,"discount":0}]}',
      '{"orderId":6,"address":"a","lines":[{"productId":1,"unitPrice":1,"quantity":1,"discount":0},{"productId":1,"unitPrice":1,"quantity":1,"discount":15}]}',
      '{"orderId":7,"address":"a","orderedOn":"yesterday"}',
      '{"orderId":8.5,"address":""}',
      '{"orderId":9,"address":"a","__proto__":{"orderId":1}}',
      '{"orderId":10,"address":"a","lines":[{"productId":1,"unitPrice":1000000000,"quantity":1000000000,"discount":0}]}',
      '{"orderId":11,"address":"a","orderedOn":"1996-07-04"}',
    ].join('\n'),
  );
  t.deepEqual(
    entries.filter(({ order }) => order !== undefined).map(({ line }) => line),
    [1, 11, 13],
  );
  const fault = (line: number): string => entries.find((entry) => entry.line === line)?.fault ?? '';
  t.regex(fault(2), /not JSON/);
  t.regex(fault(3), /^orderId: .*string/);
  t.regex(fault(4), /^address: /);
  t.regex(fault(5), /^the line: /);
  t.regex(fault(6), /^lines\[0\]\.unitPrice: .*>=0/);
  t.regex(fault(7), /^lines\[0\]\.quantity: /);
  t.regex(fault(8), /^lines\[1\]\.discount: .*<=1/);
  t.regex(fault(9), /^orderedOn: expected an ISO date/);
  t.regex(fault(10), /orderId: .*address: /);
  t.regex(fault(12), /^lines: .*adds up/);
});

test('a line without an end is refused without being held', async (t) => {
  const piece = 'x'.repeat(700_000);
  const entries = await read(piece, piece, piece, '\n{"orderId":1,"address":"a"}\n', piece, piece);
  t.deepEqual(
    entries.map(({ line, order }) => [line, order?.orderId]),
    [
      [1, undefined],
      [2, 1],
      [3, undefined],
    ],
  );
});

test('reading ends when it is told to, also while it waits', async (t) => {
  const input = new Readable({ read() {} });
  const controller = new AbortController();
  const entries = readOrders(input, controller.signal);
  input.push('{"orderId":1,"address":"a"}\n');
  t.is((await entries.next()).value?.order?.orderId, 1);
  const next = entries.next();
  controller.abort();
  t.true((await next).done);
});

const folder = mkdtempSync(join(tmpdir(), 'errand-outbox-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
const { signal } = new AbortController();

test('a repeated delivery overwrites its own file', async (t) => {
  const outbox = new Outbox(join(folder, 'twice'));
  const mailer = new OutboxMailer(outbox);
  const mail = { orderId: 12005, recipient: 'a@customers.example', subject: 'Your order 12005', text: 'Thank you.' };
  const first = await mailer.send(mail, { idempotencyKey: '3-0198', signal });
  t.is(await mailer.send(mail, { idempotencyKey: '3-0198', signal }), first);
  await mailer.send(mail, { idempotencyKey: '3-0199', signal });
  await new OutboxTexter(outbox).send(12005, 'On its way.', { idempotencyKey: '3-0198', signal });
  t.deepEqual(readdirSync(join(folder, 'twice')).sort(), ['12005-3-0198.eml', '12005-3-0198.txt', '12005-3-0199.eml']);
  const eml = readFileSync(first, 'utf8');
  t.regex(eml, /^To: a@customers\.example$/m);
  t.regex(eml, /^Subject: Your order 12005$/m);
  t.regex(eml, /^Message-ID: <3-0198@shop\.example>$/m);
});

test('a foreign idempotency key cannot leave the outbox', async (t) => {
  const outbox = new Outbox(join(folder, 'foreign'));
  const call = (idempotencyKey: string) => outbox.put(1, 'txt', 'x', { idempotencyKey, signal });
  const paths = [await call('../../etc/passwd'), await call('a/b'), await call('a_b'), await call('é'.repeat(300)), await call('..')];
  t.is(new Set(paths).size, paths.length);
  t.is(readdirSync(join(folder, 'foreign')).length, paths.length);
});

test('the same order and idempotency key get the same tracking number', async (t) => {
  const carrier = new PaperCarrier();
  const number = await carrier.ship(12005, 'x', { idempotencyKey: 'k', signal });
  t.regex(number, /^TN-12005-[0-9A-F]{8}$/);
  t.is(await carrier.ship(12005, 'x', { idempotencyKey: 'k', signal }), number);
  t.not(await carrier.ship(12005, 'x', { idempotencyKey: 'other', signal }), number);
  await t.throwsAsync(carrier.ship(1, 'x', { idempotencyKey: 'k', signal: AbortSignal.abort() }), { any: true });
});

test("the shop's config is one that errand takes", async (t) => {
  const config = await loadConfig('actors/shop.yaml', {});
  t.is(config.redis, 'memory:');
  t.deepEqual(
    config.supervisors[0]?.supervisors.map((supervisor) => supervisor.children.map((child) => child.actor)),
    [['warehouse'], ['email', 'notification']],
  );
});
