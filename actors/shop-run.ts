/**
 * One run of the shop over a stream of orders: places them, sees them through and counts. At most a window of orders is in flight, so a
 * million orders take no more memory than a thousand.
 */
import { randomUUID } from 'node:crypto';
import { type ActorSystem, AppendUnknown, ErrandError, IdleTimeoutError } from 'errand';
import { buy, type Order } from './order.js';
import { type OrderRow, OrderTracker } from './order-tracker.js';
import type { OrderEntry } from './orders-file.js';
import { ALL_ORDERS, Sales } from './sales.js';

export interface Watcher {
  /** a line that is no order, or one that the shop would not take */
  refused(line: number, fault: string): void;
  /** called often; `settled` of `read` orders are done */
  progress(settled: number, read: number): void;
}

export interface RunSummary {
  /** orders read, those that were known before included */
  readonly orders: number;
  readonly refused: number;
  readonly known: number;
  readonly dispatched: number;
  readonly emails: number;
  readonly notifications: number;
  /** results that say `failed` */
  readonly failed: number;
  /** orders of which not every result came in time */
  readonly unfinished: number;
  readonly sales: { readonly orders: number; readonly revenue: number };
  readonly deadLetters: number;
  readonly seconds: number;
  /** rows to show: the first and the last ones */
  readonly first: readonly OrderRow[];
  readonly last: readonly OrderRow[];
}

const IN_FLIGHT = 2_000; // orders; some batches' worth for each shard
const SHOWN = 5; // rows at either end
const PATIENCE_MS = 90_000; // the longest pause between two retries is 30 s

export interface RunOptions {
  readonly patience?: number; // ms without any result after which an order counts as unfinished
  readonly signal?: AbortSignal; // stop reading; what was placed is seen through
}

export async function runShop(
  system: ActorSystem,
  entries: AsyncIterable<OrderEntry>,
  watcher: Watcher,
  options: RunOptions = {},
): Promise<RunSummary> {
  const patience = options.patience ?? PATIENCE_MS;
  const started = performance.now();
  const tracker = new OrderTracker();
  const rows = new EndRows(SHOWN);
  let [orders, refused, known, unfinished] = [0, 0, 0, 0];
  let broken: unknown;

  const place = async (order: Order, line: number, correlationId: string, row: OrderRow): Promise<void> => {
    try {
      const { duplicate } = await buy(system, order, correlationId);
      if (!duplicate) return;
      known += 1;
      row.known = true;
    } catch (error) {
      if (!concernsOneOrder(error)) broken ??= error;
      else {
        orders -= 1;
        refused += 1;
        rows.remove(row);
        watcher.refused(line, `${error.code}: ${error.message}`);
      }
    }
    tracker.drop(correlationId); // nothing will come of it
  };

  /** Waits until at most `most` orders wait; true when they were given up instead. */
  const room = async (most: number): Promise<boolean> => {
    const moving = await tracker.until(most, patience);
    if (broken !== undefined) throw broken;
    if (!moving) unfinished += tracker.abandon();
    return !moving;
  };

  tracker.watch(system);
  try {
    for await (const { line, order, fault } of entries) {
      if (options.signal?.aborted) break;
      if (order === undefined) {
        refused += 1;
        watcher.refused(line, fault);
        continue;
      }
      orders += 1;
      const row: OrderRow = { orderId: order.orderId, failures: [] };
      const correlationId = randomUUID();
      rows.add(row);
      tracker.expect(correlationId, row);
      void place(order, line, correlationId, row);
      const abandoned = await room(IN_FLIGHT - 1);
      watcher.progress(orders - tracker.waiting, orders);
      if (abandoned) break; // nothing moves any more: reading on would only make more of it
    }
    while (tracker.waiting > 0) {
      await room(Math.floor(tracker.waiting * 0.9));
      watcher.progress(orders - tracker.waiting, orders);
    }
    await room(0);
    if (!(await becomesIdle(system, patience))) unfinished = Math.max(unfinished, 1);
  } finally {
    tracker.unwatch();
  }
  const sales = (await system.state(Sales, ALL_ORDERS)) ?? { orders: 0, revenue: 0 };
  const { dispatched, emails, notifications, failed } = tracker;
  return {
    orders,
    refused,
    known,
    dispatched,
    emails,
    notifications,
    failed,
    unfinished,
    sales,
    deadLetters: await countDeadLetters(system),
    seconds: Math.round(performance.now() - started) / 1_000,
    first: rows.first,
    last: rows.last,
  };
}

/** Is only this order refused (too large, known with other content), or is Redis gone, and everything with it? */
function concernsOneOrder(error: unknown): error is ErrandError {
  return error instanceof ErrandError && !(error instanceof AppendUnknown) && !error.code.startsWith('REDIS_');
}

/** The sales figure is complete when every fact has been taken in; on a Redis that others use too, that may never be seen. */
async function becomesIdle(system: ActorSystem, timeout: number): Promise<boolean> {
  try {
    await system.idle({ timeout });
    return true;
  } catch (error) {
    if (error instanceof IdleTimeoutError) return false;
    throw error;
  }
}

async function countDeadLetters(system: ActorSystem): Promise<number> {
  let count = 0;
  let page = await system.deadLetters.list({ limit: 1_000 });
  for (;;) {
    count += page.items.length;
    if (page.next === undefined) return count;
    page = await system.deadLetters.list({ limit: 1_000, after: page.next });
  }
}

/** The first and the last few of a long list; when it is not long, all of it stands in `first` and `last` together. */
class EndRows {
  readonly first: OrderRow[] = [];
  readonly last: OrderRow[] = [];

  constructor(private readonly each: number) {}

  add(row: OrderRow): void {
    if (this.first.length < this.each) this.first.push(row);
    else {
      this.last.push(row);
      if (this.last.length > this.each) this.last.shift();
    }
  }

  remove(row: OrderRow): void {
    for (const list of [this.first, this.last]) {
      const at = list.indexOf(row);
      if (at >= 0) list.splice(at, 1);
    }
  }
}
