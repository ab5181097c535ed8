import { open } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ActorSystem, ErrandError } from 'errand';
import { Container } from 'inversify';
import { bind } from './index.js';
import { type OrderEntry, readOrders, THREE_ORDERS } from './orders-file.js';
import { report, reportJson } from './report.js';
import { type RunSummary, runShop, type Watcher } from './shop-run.js';

/** Compiled, this file is dist/actors/command-line.js; the config stays where people edit it. */
const CONFIG = fileURLToPath(new URL('../../actors/shop.yaml', import.meta.url));

export const HELP = `Runs the shop over some orders, to the end.

  npm start -- [--orders <file.ndjson | ->] [--redis <url>] [--json]

  --orders <file>  one JSON object a line: { orderId, address, customerId?, orderedOn?,
                   lines?: [{ productId, unitPrice, quantity, discount }] }; - reads standard input.
                   Without it, three orders of our own
  --redis <url>    redis://… or rediss://…; without it, an in-process Redis that ends with the run
  --json           print one line of JSON instead of a table
  --help           print this

E-mails and texts are written to ./outbox; OUTBOX names another folder, and SMTP_URL (smtp://…) a mail server for the e-mails.
An order is carried out once: for a day, a Redis knows an order that it has seen by its orderId.

Exit codes: 0 all orders were carried out; 1 some line was refused or some order not carried out (see standard error);
2 wrong use, or a file that cannot be read; 3 Redis cannot be used; 130 interrupted.
`;

export interface CommandLineIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { isTTY?: boolean };
  readonly env: NodeJS.ProcessEnv;
  /** aborted when the person interrupts: no more orders are read */
  readonly signal?: AbortSignal;
}

/** Runs the shop and resolves to the exit code. */
export async function run(args: readonly string[], io: CommandLineIo): Promise<number> {
  const say = (text: string): void => void io.stderr.write(`${text}\n`);
  let options: { orders?: string; redis?: string; json?: boolean; help?: boolean };
  try {
    options = parseArgs({
      args: [...args],
      options: { orders: { type: 'string' }, redis: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    say(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (options.help) {
    io.stdout.write(HELP);
    return 0;
  }
  try {
    const entries = await entriesOf(options.orders, io);
    const summary = await withSystem(options.redis ?? 'memory:', io.env, (system) =>
      runShop(system, entries, watcherOf(io), io.signal === undefined ? {} : { signal: io.signal }),
    );
    io.stdout.write(`${options.json ? reportJson(summary) : report(summary)}\n`);
    if (io.signal?.aborted) return 130;
    return allDone(summary) ? 0 : 1;
  } catch (error) {
    if (isFileError(error)) {
      say(`${options.orders}: ${error.message}`);
      return 2;
    }
    if (!(error instanceof ErrandError)) throw error;
    say(`${error.code}: ${error.message}`);
    return 3;
  }
}

function allDone(summary: RunSummary): boolean {
  return summary.refused === 0 && summary.failed === 0 && summary.unfinished === 0;
}

async function withSystem<T>(redis: string, env: NodeJS.ProcessEnv, use: (system: ActorSystem) => Promise<T>): Promise<T> {
  const container = new Container();
  bind(container, env); // first come, first bound: the config's module binds the same ports again, and leaves these alone
  const system = await ActorSystem.fromConfig(CONFIG, { redis, container });
  try {
    return await use(system);
  } finally {
    await system.stop({ grace: '10s' });
  }
}

async function entriesOf(orders: string | undefined, { stdin, signal }: CommandLineIo): Promise<AsyncIterable<OrderEntry>> {
  if (orders === undefined) return threeOrders();
  if (orders === '-') return readOrders(stdin, signal);
  const file = await open(orders);
  return readOrders(file.createReadStream(), signal);
}

async function* threeOrders(): AsyncGenerator<OrderEntry> {
  for (const [index, order] of THREE_ORDERS.entries()) yield { line: index + 1, order };
}

/** No such file, a folder, no permission: what the system says when a path is wrong. */
function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && ['open', 'read', 'close'].includes((error as NodeJS.ErrnoException).syscall ?? '');
}

const PROGRESS_EVERY_MS = 200; // on a terminal
const PROGRESS_EVERY_ORDERS = 10_000; // elsewhere, where lines stay
const SHORT_MS = 1_000; // a run that ends sooner needs no progress line

function watcherOf({ stderr }: CommandLineIo): Watcher {
  const began = performance.now();
  let shownAt = began + SHORT_MS;
  let shownOrders = 0;
  let lineOpen = false;
  return {
    refused(line, fault) {
      if (lineOpen) stderr.write('\r\u001b[K');
      stderr.write(`line ${line}: ${fault}\n`);
    },
    progress(settled, read) {
      const text = `${settled} of ${read} orders done, ${((performance.now() - began) / 1_000).toFixed(0)} s`;
      if (stderr.isTTY === true) {
        if (settled === read && lineOpen) stderr.write('\r\u001b[K');
        else if (performance.now() >= shownAt) {
          stderr.write(`\r\u001b[K${text}`);
          lineOpen = true;
          shownAt = performance.now() + PROGRESS_EVERY_MS;
        }
      } else if (settled >= shownOrders + PROGRESS_EVERY_ORDERS) {
        shownOrders = settled;
        stderr.write(`${text}\n`);
      }
    },
  };
}
