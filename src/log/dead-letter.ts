import type { Cause } from '../message/causes.js';
import { fieldOf } from '../message/envelope.js';
import { invariant } from '../message/errors.js';
import { fromJson } from '../message/json.js';
import { CUT_CHARACTERS, CUT_VALUES, DEAD_LETTERS_PER_PARTITION, INBOX_MESSAGES } from '../message/limits.js';
import type { FailedAttempt } from './aside.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { type Entry, entriesOf, type Oversize, timeOf } from './entry.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';
import { countOf } from './reply.js';
import { runScript } from './scripts.js';

/** A message that reached its terminal failure, kept with its reason. Source of the pattern: Dead Letter Channel (Hohpe & Woolf). */
export interface DeadLetterRecord {
  /** stable code: why it is here */
  readonly reason: string;
  readonly message: string;
  /** class, own code and stack of the last error, when a handler threw one */
  readonly errorClass: string | undefined;
  readonly errorCode: string | undefined;
  readonly stack: string | undefined;
  /** the errors beneath the last one, nearest first */
  readonly causes: readonly Cause[];
  /** the message waits at the head of its key's aside list, and the letter only points to it */
  readonly parked: boolean;
  /** a fact that could not be taken in; `fields` are the event's own */
  readonly fact: boolean;
  readonly attempts: number;
  /** how the latest of them failed */
  readonly history: readonly FailedAttempt[];
  readonly node: string;
  /** ms since the epoch */
  readonly at: number;
  /** id of the inbox entry it was */
  readonly entry: string;
  /** the entry's fields, as they were; of one that is too large, their beginnings */
  readonly fields: readonly string[];
  /** set when the entry is too large to be kept */
  readonly oversize: Oversize | undefined;
}

/** A letter as it is read: what it shows of its message stands beside the message itself. */
export interface StoredLetter extends DeadLetterRecord {
  readonly key: string | undefined;
  readonly messageId: string | undefined;
}

export function writeDeadLetter(batch: CommitBatch, keys: Keys, { type, shard }: PartitionId, letter: DeadLetterRecord): void {
  const { oversize } = letter;
  const fields = oversize === undefined ? letter.fields : beginningsOf(letter.fields);
  const shown: string[] = ['reason', letter.reason, 'message', letter.message, 'attempts', String(letter.attempts), 'node', letter.node];
  for (const name of ['id', 'type', 'subject', 'correlationid']) {
    const value = fieldOf(fields, name);
    if (value !== undefined) shown.push(name, value);
  }
  if (oversize !== undefined) shown.push('cut', `${oversize.bytes} ${oversize.values}`);
  if (letter.fact) shown.push('fact', 'yes');
  if (letter.parked) shown.push('parked', 'yes');
  if (letter.history.length > 0) shown.push('history', JSON.stringify(letter.history));
  if (letter.errorClass !== undefined) shown.push('errorclass', letter.errorClass);
  if (letter.errorCode !== undefined) shown.push('errorcode', letter.errorCode);
  if (letter.stack !== undefined) shown.push('stack', letter.stack);
  if (letter.causes.length > 0) shown.push('causes', JSON.stringify(letter.causes));
  shown.push('time', new Date(letter.at).toISOString(), 'entry', letter.entry, 'envelope', JSON.stringify(fields));
  batch.append(keys.dead(type, shard), shown, DEAD_LETTERS_PER_PARTITION);
}

/** Of each value the first characters, and a mark where it goes on. */
function beginningsOf(fields: readonly string[]): string[] {
  return fields.slice(0, CUT_VALUES).map((text) => {
    if (text.length <= CUT_CHARACTERS) return text;
    return `${text.slice(0, CUT_CHARACTERS)}…`;
  });
}

/** An owner takes a letter away. */
export function removeLetter(batch: CommitBatch, keys: Keys, { type, shard }: PartitionId, letter: string): void {
  batch.write('XDEL', keys.dead(type, shard), letter);
}

/** @param letter its entry; undefined when it is gone, or the text is no entry at all */
export async function readLetter(link: Link, keys: Keys, { type, shard }: PartitionId, letter: string): Promise<StoredLetter | undefined> {
  if (!/^\d+-\d+$/.test(letter)) return undefined;
  const entry = entriesOf(await link.call('XRANGE', [keys.dead(type, shard), letter, letter]))[0];
  return entry === undefined ? undefined : readDeadLetter(entry);
}

const PIECE = 200;

/** The letter that points to a parked message. @param entry the inbox entry that the message was */
export async function parkedLetter(link: Link, keys: Keys, { type, shard }: PartitionId, entry: string): Promise<string | undefined> {
  for (let to = '+'; ; ) {
    const piece = entriesOf(await link.call('XREVRANGE', [keys.dead(type, shard), to, '-', 'COUNT', PIECE]));
    const found = piece.find(({ fields }) => fieldOf(fields, 'entry') === entry && fieldOf(fields, 'parked') !== undefined);
    const last = piece.at(-1);
    if (found !== undefined || last === undefined || piece.length < PIECE) return found?.id;
    to = `(${last.id}`;
  }
}

/** Anybody takes terminal letters away; resolves to how many were still there. */
export async function discardLetter(link: Link, keys: Keys, { type, shard }: PartitionId, letter: string): Promise<boolean> {
  return countOf(await link.call('XDEL', [keys.dead(type, shard), letter]), 'XDEL') > 0;
}

/** @param again where the message goes, as a new one; `outcome` the key of its outcome record */
export async function redriveLetter(
  link: Link,
  keys: Keys,
  { type, shard }: PartitionId,
  letter: string,
  again: { readonly inbox: string; readonly fields: readonly string[]; readonly outcome: string | undefined },
): Promise<'redriven' | 'gone' | 'full'> {
  const names = [keys.dead(type, shard), again.inbox, ...(again.outcome === undefined ? [] : [again.outcome])];
  const reply = await runScript(link, 'redrive', names, [letter, INBOX_MESSAGES, ...again.fields]);
  invariant(reply === 'redriven' || reply === 'gone' || reply === 'full', `redrive answered ${String(reply)}`);
  return reply;
}

/** What was changed by hand is a letter all the same: it can be listed and put away, and it does not hide the others. */
export function readDeadLetter({ id, fields }: Entry): StoredLetter {
  const text = (name: string): string => fieldOf(fields, name) ?? '';
  const attempts = Number(text('attempts'));
  const at = Date.parse(text('time'));
  const message = arrayOf(text('envelope'));
  const [bytes, values] = text('cut').split(' ').map(Number);
  return {
    reason: text('reason'),
    message: text('message'),
    errorClass: fieldOf(fields, 'errorclass'),
    errorCode: fieldOf(fields, 'errorcode'),
    stack: fieldOf(fields, 'stack'),
    causes: (arrayOf(text('causes') || '[]') ?? []) as Cause[],
    fact: fieldOf(fields, 'fact') !== undefined,
    parked: fieldOf(fields, 'parked') !== undefined,
    attempts: Number.isFinite(attempts) ? attempts : 0,
    history: (arrayOf(text('history') || '[]') ?? []) as FailedAttempt[],
    node: text('node'),
    at: Number.isFinite(at) ? at : timeOf(id),
    entry: text('entry'),
    oversize: bytes !== undefined && values !== undefined ? { bytes, values } : undefined,
    fields: message?.every((one) => typeof one === 'string') ? message : ['unreadable', text('envelope')],
    key: fieldOf(fields, 'subject'),
    messageId: fieldOf(fields, 'id'),
  };
}

function arrayOf(text: string): unknown[] | undefined {
  try {
    const value = fromJson(text, 'a dead letter');
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
