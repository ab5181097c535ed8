import type { Readable } from 'node:stream';
import { z } from 'zod';
import { Order } from './order.js';

/** One line that holds something: an order, or why it is none. */
export type OrderEntry =
  | { readonly line: number; readonly order: Order; readonly fault?: never }
  | { readonly line: number; readonly fault: string; readonly order?: never };

const LONGEST_LINE = 1_048_576; // characters; a message's data may have no more bytes than this either

/** The pattern's own three, with something in each parcel: 178.66 in all. */
export const THREE_ORDERS: readonly Order[] = [
  { orderId: 12004, address: '1 Streetford Road', lines: [{ productId: 11, unitPrice: 24.5, quantity: 2, discount: 0 }] },
  { orderId: 12005, address: '2 Roadford Avenue', lines: [{ productId: 42, unitPrice: 129.9, quantity: 1, discount: 0.1 }] },
  { orderId: 12006, address: '3 Avenue Fordstreet', lines: [{ productId: 72, unitPrice: 4.25, quantity: 3, discount: 0 }] },
];

/**
 * Reads orders, one JSON object a line, as they come: neither the file nor an endless line is ever held in memory.
 * A broken line becomes an entry with its fault; empty lines are passed over.
 * @param signal ends the reading, also in the middle of waiting for more
 */
export async function* readOrders(input: Readable, signal?: AbortSignal): AsyncGenerator<OrderEntry> {
  let line = 0;
  for await (const text of splitLines(untilAborted(input, signal))) {
    line += 1;
    if (text === undefined) yield { line, fault: `longer than ${LONGEST_LINE} characters` };
    else if (text.trim() !== '') yield parseLine(line, line === 1 ? text.replace(/^\uFEFF/, '') : text);
  }
}

function parseLine(line: number, text: string): OrderEntry {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { line, fault: `not JSON: ${text.length > 60 ? `${text.slice(0, 60)}…` : text}` };
  }
  const parsed = Order.safeParse(value);
  if (parsed.success) return { line, order: parsed.data };
  return { line, fault: parsed.error.issues.map((issue) => `${fieldName(issue.path)}: ${issue.message}`).join('; ') };
}

function fieldName(path: z.core.$ZodIssue['path']): string {
  return path.length === 0 ? 'the line' : z.core.toDotPath(path);
}

/** The lines of a stream; undefined for one that is too long. */
async function* splitLines(input: AsyncIterable<unknown>): AsyncGenerator<string | undefined> {
  let rest = '';
  let skipping = false; // inside a line that is too long
  for await (const chunk of input) {
    rest += String(chunk);
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      yield skipping || text.length > LONGEST_LINE ? undefined : text;
      skipping = false;
    }
    if (rest.length > LONGEST_LINE) {
      skipping = true;
      rest = '';
    }
  }
  if (skipping) yield undefined;
  else if (rest !== '') yield rest.length > LONGEST_LINE ? undefined : rest;
}

async function* untilAborted(input: Readable, signal: AbortSignal | undefined): AsyncGenerator {
  input.setEncoding('utf8');
  const end = (): void => void input.destroy();
  if (signal?.aborted) end();
  signal?.addEventListener('abort', end, { once: true });
  try {
    yield* input;
  } catch (error) {
    if (!signal?.aborted) throw error; // else it is the premature close that was asked for
  } finally {
    signal?.removeEventListener('abort', end);
  }
}
