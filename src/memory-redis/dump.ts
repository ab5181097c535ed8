import { HashValue, ListValue, SetValue } from './collections.js';
import type { ConsumerGroup } from './consumer-group.js';
import type { Database, Value } from './database.js';
import { WireReader } from './lua-encoding.js';
import { formatDouble } from './numbers.js';
import { SortedSet } from './sorted-set.js';
import type { Stream } from './stream.js';
import { compareIds, formatId, HIGHEST_ID, LOWEST_ID } from './stream-id.js';

/** Elements one command adds: no single request grows beyond reason. */
const ELEMENTS = 64;

/** The data as the commands that would make it, for a new log. */
export function dump(databases: readonly Database[], now: number): Buffer {
  const parts: Buffer[] = [Buffer.from(`#TS:${now}\r\n`)];
  for (const db of databases) {
    if (db.size === 0) continue;
    const commands: string[][] = [['SELECT', String(db.index)]];
    for (const key of db.keys()) {
      const value = db.get(key);
      if (value === undefined) continue;
      commands.push(...commandsFor(key, value));
      const at = db.expiry(key);
      if (at !== undefined) commands.push(['PEXPIREAT', key, String(at)]);
      parts.push(...commands.splice(0).map(encode));
    }
  }
  return Buffer.concat(parts);
}

function encode(words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`, 'latin1');
}

function* inPieces(head: readonly string[], words: readonly string[], size: number): Generator<string[]> {
  for (let at = 0; at < words.length; at += size) yield [...head, ...words.slice(at, at + size)];
}

function* commandsFor(key: string, value: Value): Generator<string[]> {
  if (typeof value === 'string') yield ['SET', key, value];
  else if (value instanceof HashValue) yield* inPieces(['HSET', key], [...value.fields].flat(), ELEMENTS * 2);
  else if (value instanceof ListValue) yield* inPieces(['RPUSH', key], value.slice(0, value.length - 1), ELEMENTS);
  else if (value instanceof SetValue) yield* inPieces(['SADD', key], [...value.members], ELEMENTS);
  else if (value instanceof SortedSet) {
    const words = [...value.scores].flatMap(([member, score]) => [formatDouble(score), member]);
    yield* inPieces(['ZADD', key], words, ELEMENTS * 2);
  } else yield* streamCommands(key, value);
}

function* streamCommands(key: string, stream: Stream): Generator<string[]> {
  for (const { bytes, start, end } of stream.range(LOWEST_ID, HIGHEST_ID, Number.MAX_SAFE_INTEGER).segments) {
    const reader = new WireReader(bytes);
    reader.at = start;
    while (reader.at < end) {
      const [id, fields] = reader.value() as [string, string[]];
      yield ['XADD', key, id, ...fields];
    }
  }
  const last = formatId(stream.lastId);
  // A stream without entries is made by adding one and trimming it away. Its id must not be zero, though the stream's may be.
  if (stream.length === 0) yield ['XADD', key, 'MAXLEN', '0', compareIds(stream.lastId, LOWEST_ID) === 0 ? '0-1' : last, 'x', 'y'];
  yield ['XSETID', key, last, 'ENTRIESADDED', String(stream.entriesAdded), 'MAXDELETEDID', formatId(stream.maxDeletedId)];
  for (const group of stream.groups?.values() ?? []) yield* groupCommands(key, group);
}

function* groupCommands(key: string, group: ConsumerGroup): Generator<string[]> {
  yield ['XGROUP', 'CREATE', key, group.name, formatId(group.lastId), 'ENTRIESREAD', String(group.entriesRead ?? -1)];
  for (const { name } of group.consumers.values()) yield ['XGROUP', 'CREATECONSUMER', key, group.name, name];
  for (const { id, consumer, deliveredAt, deliveries } of group.pending.all()) {
    yield [
      'XCLAIM',
      key,
      group.name,
      consumer.name,
      '0',
      formatId(id),
      'TIME',
      String(deliveredAt),
      'RETRYCOUNT',
      String(deliveries),
      'JUSTID',
      'FORCE',
    ];
  }
}
