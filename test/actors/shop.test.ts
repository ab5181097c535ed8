import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { ActorSystem, TerminalError } from 'errand';
import { createMemoryRedis } from 'errand/memory-redis';
import { Container } from 'inversify';
import { Carrier } from '../../actors/carrier.js';
import { run } from '../../actors/command-line.js';
import { bind, Email, Notification, Sales, Warehouse } from '../../actors/index.js';
import type { Order } from '../../actors/order.js';
import { runShop } from '../../actors/shop-run.js';
import { onEachStore } from '../support/redis-url.js';

const folder = mkdtempSync(join(tmpdir(), 'errand-shop-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
const place = (name: string): string => join(folder, `${(made += 1)}-${name}`);

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly outbox: string;
}

function collector(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
}

async function shop(args: readonly string[], input = '', outbox = place('outbox')): Promise<Ran> {
  const [out, err] = [collector(), collector()];
  const code = await run(args, { stdin: Readable.from([input]), stdout: out.stream, stderr: err.stream, env: { OUTBOX: outbox } });
  return { code, out: out.text(), err: err.text(), outbox };
}

const summaryOf = ({ out }: Ran): Record<string, number> => JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Record<string, number>;

/** Orders with lines whose sum floating point would get wrong. */
const ORDERS: readonly Order[] = Array.from({ length: 60 }, (_, i) => ({
  orderId: 20_000 + i,
  address: `${i} Teststraße`,
  customerId: `C${i % 7}`,
  lines: [
    { productId: 1, unitPrice: 9.8, quantity: 3 + i, discount: 0.15 },
    { productId: 2, unitPrice: 0.1, quantity: 3, discount: 0 },
  ],
}));
/** Σ 9.8 × (3 + i) × 0.85 + 0.3 */
const REVENUE = ORDERS.reduce((sum, _, i) => sum + 98 * (3 + i) * 850 + 3_000, 0) / 10_000;

const ndjson = (orders: readonly unknown[]): string => orders.map((order) => `${JSON.stringify(order)}\n`).join('');

function file(content: string): string {
  const path = place('orders.ndjson');
  writeFileSync(path, content);
  return path;
}

onEachStore('three orders of our own are answered with tracking numbers', async (t, { url }) => {
  const ran = await shop(['--redis', url]);
  t.is(ran.code, 0, ran.err);
  t.is(ran.err, '');
  for (const orderId of [12004, 12005, 12006]) {
    t.regex(ran.out, new RegExp(`^${orderId} +TN-${orderId}-[0-9A-F]{8} +\\S+\\.eml +\\S+\\.txt$`, 'm'));
  }
  t.regex(ran.out, /^3 orders, 3 dispatched, 3 e-mailed, 3 texted, 0 dead letters, in /m);
  t.regex(ran.out, /^Sales: 3 orders, revenue 178\.66$/m);
  const mail = readdirSync(ran.outbox).find((name) => name.startsWith('12005') && name.endsWith('.eml')) ?? '';
  t.regex(readFileSync(join(ran.outbox, mail), 'utf8'), /2 Roadford Avenue/);
});

onEachStore("anybody's orders are carried out once, however often the file is given", async (t, { url }) => {
  const orders = file(ndjson(ORDERS));
  const outbox = place('outbox');
  const first = await shop(['--orders', orders, '--redis', url, '--json'], '', outbox);
  t.is(first.code, 0, first.err);
  const { seconds, ...counts } = summaryOf(first);
  t.true((seconds ?? 0) > 0);
  t.deepEqual(counts, { orders: 60, dispatched: 60, emails: 60, notifications: 60, revenue: REVENUE, deadLetters: 0 });
  t.is(readdirSync(outbox).length, 120);

  const again = await shop(['--orders', '-', '--redis', url, '--json'], ndjson(ORDERS), outbox);
  t.is(again.code, 0, again.err);
  t.like(summaryOf(again), { orders: 60, known: 60, dispatched: 0, emails: 0, notifications: 0, revenue: REVENUE, deadLetters: 0 });
  t.is(readdirSync(outbox).length, 120);

  const human = await shop(['--orders', orders, '--redis', url], '', outbox);
  t.regex(human.out, /^20000 +already known$/m);
  t.regex(human.out, /^… 50 more$/m);
  t.regex(human.out, /^60 orders, 60 already known, 0 dispatched/m);
});

onEachStore('a broken line is reported with its number, the rest runs, and the exit code says so', async (t, { url }) => {
  const [one, two] = [
    { orderId: 1, address: 'a' },
    { orderId: 2, address: 'b' },
  ];
  const lines = [
    JSON.stringify(one),
    '{"orderId":',
    JSON.stringify(two),
    JSON.stringify({ ...one, address: 'elsewhere' }),
    JSON.stringify(two),
  ];
  const ran = await shop(['--orders', '-', '--redis', url, '--json'], lines.join('\n'));
  t.is(ran.code, 1);
  t.regex(ran.err, /^line 2: not JSON/m);
  t.regex(ran.err, /^line 4: IDEMPOTENCY_CONFLICT: /m);
  t.is(ran.err.trimEnd().split('\n').length, 2);
  t.like(summaryOf(ran), { orders: 3, known: 1, dispatched: 2, emails: 2, notifications: 2, deadLetters: 0 });
});

class MoodyCarrier extends Carrier {
  override async ship(orderId: number): Promise<string> {
    if (orderId === 2) throw new TerminalError('nobody drives there', { code: 'UNREACHABLE_ADDRESS' });
    return `T-${orderId}`;
  }
}

onEachStore('an order that cannot be dispatched is counted, its confirmations are sent all the same', async (t, { url }) => {
  const container = new Container();
  container.bind(Carrier).toConstantValue(new MoodyCarrier());
  bind(container, { OUTBOX: place('outbox') });
  const system = await ActorSystem.start({ name: 'shop', redis: url, actors: [Warehouse, Email, Notification, Sales], container });
  try {
    async function* entries() {
      for (const orderId of [1, 2, 3]) yield { line: orderId, order: { orderId, address: 'a' } };
    }
    const summary = await runShop(system, entries(), { refused: (line, fault) => t.fail(`${line}: ${fault}`), progress: () => undefined });
    t.like(summary, { orders: 3, dispatched: 2, emails: 3, notifications: 3, failed: 1, unfinished: 0, deadLetters: 0 });
    t.deepEqual(summary.first[1]?.failures, ['dispatch-product: UNREACHABLE_ADDRESS: nobody drives there']);
  } finally {
    await system.stop();
  }
});

const ends = test.macro(async (t: ExecutionContext, args: readonly string[], code: number, said: RegExp) => {
  const ran = await shop(args);
  t.is(ran.code, code);
  t.regex(ran.out + ran.err, said);
  t.notRegex(ran.err, /^ +at /m, 'no stack');
});
test('--help tells the exit codes', ends, ['--help'], 0, /Exit codes: 0 .* 1 /);
test('an unknown flag', ends, ['--order', 'x'], 2, /--order/);
test('a file that is not there', ends, ['--orders', join(folder, 'none.ndjson')], 2, /none\.ndjson: ENOENT/);
test('a folder', ends, ['--orders', folder], 2, /EISDIR/);
test('an address that is none', ends, ['--redis', 'nowhere'], 3, /^INVALID_OPTION: /);
test('a Redis that is not there', ends, ['--redis', 'redis://127.0.0.1:1'], 3, /^REDIS_UNREACHABLE: /);

test('an empty file is no order and no fault', async (t) => {
  const ran = await shop(['--orders', '-', '--json']);
  t.is(ran.code, 0, ran.err);
  t.like(summaryOf(ran), { orders: 0, dispatched: 0, revenue: 0 });
});

test('an interrupted run ends with what it has placed', async (t) => {
  const redis = createMemoryRedis();
  const { url } = await redis.listen(0);
  const interrupt = new AbortController();
  const input = new Readable({ read() {} });
  const [out, err] = [collector(), collector()];
  const running = run(['--orders', '-', '--redis', url, '--json'], {
    stdin: input,
    stdout: out.stream,
    stderr: err.stream,
    env: { OUTBOX: place('outbox') },
    signal: interrupt.signal,
  });
  input.push('{"orderId":1,"address":"a"}\nno order\n');
  // The second line is refused only after the first was placed.
  while (!err.text().includes('line 2')) await new Promise((resolve) => setImmediate(resolve));
  interrupt.abort();
  t.is(await running, 130);
  t.like(JSON.parse(out.text()), { orders: 1, dispatched: 1, emails: 1, notifications: 1 });
  await redis.close();
});
