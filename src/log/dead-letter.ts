import { fieldOf } from '../message/envelope.js';
import { fromJson } from '../message/json.js';
import { DEAD_LETTERS_PER_PARTITION } from '../message/limits.js';
import type { FailedAttempt } from './aside.js';
import type { CommitBatch } from './commit.js';
import type { Entry } from './entry.js';
import type { Keys } from './keys.js';
import type { PartitionId } from './lease.js';

/** A message that reached its terminal failure, kept with its reason. Source of the pattern: Dead Letter Channel (Hohpe & Woolf). */
export interface DeadLetterRecord {
  /** stable code: why it is here */
  readonly reason: string;
  readonly message: string;
  /** class and stack of the last error, when a handler threw one */
  readonly errorClass: string | undefined;
  readonly stack: string | undefined;
  /** the message waits at the head of its key's aside list, and the letter only points to it */
  readonly parked: boolean;
  readonly attempts: number;
  /** how the latest of them failed */
  readonly history: readonly FailedAttempt[];
  readonly node: string;
  /** ms since the epoch */
  readonly at: number;
  /** id of the inbox entry it was */
  readonly entry: string;
  /** the entry's fields, as they were */
  readonly fields: readonly string[];
}

export function writeDeadLetter(batch: CommitBatch, keys: Keys, { type, shard }: PartitionId, letter: DeadLetterRecord): void {
  const { fields } = letter;
  const shown: string[] = ['reason', letter.reason, 'message', letter.message, 'attempts', String(letter.attempts), 'node', letter.node];
  for (const name of ['id', 'type', 'subject', 'correlationid']) {
    const value = fieldOf(fields, name);
    if (value !== undefined) shown.push(name, value);
  }
  if (letter.parked) shown.push('parked', 'yes');
  if (letter.history.length > 0) shown.push('history', JSON.stringify(letter.history));
  if (letter.errorClass !== undefined) shown.push('errorclass', letter.errorClass);
  if (letter.stack !== undefined) shown.push('stack', letter.stack);
  shown.push('time', new Date(letter.at).toISOString(), 'entry', letter.entry, 'envelope', JSON.stringify(fields));
  batch.append(keys.dead(type, shard), shown, DEAD_LETTERS_PER_PARTITION);
}

export function readDeadLetter({ fields }: Entry): DeadLetterRecord {
  const text = (name: string): string => fieldOf(fields, name) ?? '';
  return {
    reason: text('reason'),
    message: text('message'),
    errorClass: fieldOf(fields, 'errorclass'),
    stack: fieldOf(fields, 'stack'),
    parked: fieldOf(fields, 'parked') !== undefined,
    attempts: Number(text('attempts')),
    history: fromJson(text('history') || '[]', 'a dead letter') as FailedAttempt[],
    node: text('node'),
    at: Date.parse(text('time')),
    entry: text('entry'),
    fields: fromJson(text('envelope'), 'a dead letter') as string[],
  };
}
