import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { optionalStringsOf } from './reply.js';

/** Committed state as it is stored: `<version> <JSON>`. The version counts the messages that made it. */
export class StoredState {
  constructor(
    readonly version: number,
    readonly json: string,
  ) {}
}

/** @param keepFor ms after the last write; undefined: for ever */
export function writeState(batch: CommitBatch, key: string, { version, json }: StoredState, keepFor: number | undefined): void {
  batch.set(key, `${version} ${json}`, keepFor === undefined ? undefined : Math.ceil(keepFor));
}

export function deleteState(batch: CommitBatch, key: string): void {
  batch.set(key, null);
}

function parse(text: string): StoredState {
  const gap = text.indexOf(' ');
  return new StoredState(Number(text.slice(0, gap)), text.slice(gap + 1));
}

const PIECE = 1_000;

/** The states under `keys`; undefined where there is none. */
export async function readStates(link: Link, keys: readonly string[]): Promise<(StoredState | undefined)[]> {
  const replies: Promise<unknown>[] = [];
  for (let at = 0; at < keys.length; at += PIECE) replies.push(link.send('MGET', [keys.slice(at, at + PIECE)]));
  const states: (StoredState | undefined)[] = [];
  for (const reply of await Promise.all(replies)) {
    for (const text of optionalStringsOf(reply, 'MGET')) states.push(text === null ? undefined : parse(text));
  }
  return states;
}
