import { cents, money } from './money.js';
import type { OrderRow } from './order-tracker.js';
import type { RunSummary } from './shop-run.js';

const HEADINGS = ['Order', 'Tracking number', 'E-mail', 'Text'];

function cells(row: OrderRow): string[] {
  const order = String(row.orderId);
  if (row.known) return [order, 'already known', '', ''];
  const missing = row.failures.length > 0 ? 'failed' : '-';
  return [order, row.trackingNumber ?? missing, row.email ?? missing, row.text ?? missing];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const count = (of: number, one: string, more = `${one}s`): string => `${of} ${of === 1 ? one : more}`;

/** What a person sees at the end. */
export function report(summary: RunSummary): string {
  const rows = [...summary.first.map(cells), ...summary.last.map(cells)];
  const left = summary.orders - rows.length;
  if (left > 0) rows.splice(summary.first.length, 0, [`… ${left} more`, '', '', '']);
  const failures = [...summary.first, ...summary.last].flatMap((row) => row.failures.map((failure) => `order ${row.orderId}: ${failure}`));
  const did = [`${summary.dispatched} dispatched`, `${summary.emails} e-mailed`, `${summary.notifications} texted`];
  const parts = [
    count(summary.orders, 'order'),
    ...(summary.known > 0 ? [`${summary.known} already known`] : []),
    ...did,
    ...(summary.failed > 0 ? [`${summary.failed} failed`] : []),
    ...(summary.unfinished > 0 ? [`${summary.unfinished} unfinished`] : []),
    ...(summary.refused > 0 ? [`${count(summary.refused, 'line')} refused`] : []),
    count(summary.deadLetters, 'dead letter'),
  ];
  return [
    ...(rows.length > 0 ? [table([HEADINGS, ...rows]), ''] : []),
    ...(failures.length > 0 ? [...failures, ''] : []),
    `${parts.join(', ')}, in ${summary.seconds.toFixed(1)} s`,
    `Sales: ${count(summary.sales.orders, 'order')}, revenue ${money(summary.sales.revenue)}`,
  ].join('\n');
}

/** The same for a program, on one line. */
export function reportJson(summary: RunSummary): string {
  const { orders, dispatched, emails, notifications, deadLetters, seconds, known } = summary;
  const revenue = Number(cents(summary.sales.revenue)) / 100;
  return JSON.stringify({ orders, dispatched, emails, notifications, revenue, deadLetters, seconds, ...(known > 0 && { known }) });
}
