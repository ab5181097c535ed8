import type { RedisError } from '../message/errors.js';
import type { CommitBatch } from './commit.js';
import type { Link } from './connection.js';
import { refusal } from './redis-error.js';
import { countOf, optionalStringsOf, stringOf } from './reply.js';

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

/** A state; undefined where there is none; or why the key holds none that can be read. */
export type ReadState = StoredState | undefined | RedisError;

/**
 * The states under `keys`. `MGET` answers a key of another type as if there was nothing: so it is asked along how many of them exist.
 */
export async function readStates(link: Link, keys: readonly string[]): Promise<ReadState[]> {
  const replies: Promise<ReadState[]>[] = [];
  for (let at = 0; at < keys.length; at += PIECE) replies.push(readPiece(link, keys.slice(at, at + PIECE)));
  return (await Promise.all(replies)).flat();
}

async function readPiece(link: Link, keys: readonly string[]): Promise<ReadState[]> {
  const asked = link.send('MGET', [keys]);
  const [reply, exist] = await Promise.all([asked, link.send('EXISTS', [keys])]);
  const states: ReadState[] = [];
  let found = 0;
  for (const text of optionalStringsOf(reply, 'MGET')) {
    states.push(text === null ? undefined : parse(text));
    if (text !== null) found += 1;
  }
  // One that has expired in between is counted by neither, or by the first alone.
  if (countOf(exist, 'EXISTS') > found) await findSpoiled(link, keys, states);
  return states;
}

/** Each key that holds something else than a string has an error in the place of its state. */
async function findSpoiled(link: Link, keys: readonly string[], states: ReadState[]): Promise<void> {
  const absent = keys.flatMap((key, i) => (states[i] === undefined ? [{ key, i }] : []));
  const types = await link.pipeline(absent.map(({ key }) => ['TYPE', key] as const));
  absent.forEach(({ key, i }, at) => {
    const type = stringOf(types[at], 'TYPE');
    if (type !== 'none' && type !== 'string') states[i] = refusal(`WRONGTYPE ${type} where a string belongs`, 'MGET', key);
  });
}
