import type { Args } from '../args.js';
import { printed } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { type ConsumerGroup, PENDING_BYTES } from '../consumer-group.js';
import { CommandError, MapReply, NULL_ARRAY, RawArray, type Reply, SYNTAX_ERROR } from '../reply.js';
import { Stream } from '../stream.js';
import { compareIds, formatId, HIGHEST_ID, LOWEST_ID, nextId, parseId, type StreamId } from '../stream-id.js';
import { block } from '../waiting.js';

/** Where the reading of one stream begins. `NEW` is what no consumer of the group has been given yet. */
type From = StreamId | 'NEW';

interface ReadRequest {
  readonly group: string | undefined;
  readonly consumer: string;
  readonly noAck: boolean;
  readonly most: number;
  readonly timeout: number | undefined;
  readonly streams: readonly { readonly key: string; readonly from: From }[];
}

/** XREAD and XREADGROUP: one grammar, one way of waiting. */
function read(name: 'XREAD' | 'XREADGROUP') {
  return (client: Client, args: Args): Reply => {
    const request = readRequest(client, args, name);
    const found: Reply[] = [];
    for (const { key, from } of request.streams) {
      const reply = take(client, request, key, from);
      if (reply !== undefined) found.push(key, reply);
    }
    if (found.length > 0) return streamsReply(client, found);
    if (request.timeout === undefined) return NULL_ARRAY;
    // A key that is named twice waits for what was asked of it first.
    const waiting = new Map([...request.streams].reverse().map(({ key, from }) => [key, from]));
    const attempt = (key: string): Reply | undefined => {
      const stream = client.db.get(key);
      if (!(stream instanceof Stream)) {
        if (request.group !== undefined) throw new CommandError('UNBLOCKED the stream key no longer exists');
        return undefined;
      }
      if (request.group !== undefined && !stream.groups?.has(request.group)) {
        throw new CommandError('NOGROUP the consumer group this client was blocked on no longer exists');
      }
      const reply = take(client, request, key, waiting.get(key) as From);
      return reply === undefined ? undefined : streamsReply(client, [key, reply]);
    };
    const served = (key: string): string[] => {
      const options = [
        ...(request.most === Number.MAX_SAFE_INTEGER ? [] : ['COUNT', String(request.most)]),
        ...(request.noAck ? ['NOACK'] : []),
      ];
      return [name, 'GROUP', request.group ?? '', request.consumer, ...options, 'STREAMS', key, '>'];
    };
    const keys = request.streams.map(({ key }) => key);
    return block(client, {
      command: name.toLowerCase(),
      keys,
      timeout: request.timeout,
      onTimeout: NULL_ARRAY,
      attempt,
      served,
    });
  };
}

function readRequest(client: Client, args: Args, name: 'XREAD' | 'XREADGROUP'): ReadRequest {
  const grouped = name === 'XREADGROUP';
  let most = Number.MAX_SAFE_INTEGER;
  let timeout: number | undefined;
  let group: string | undefined;
  let consumer = '';
  let noAck = false;
  let at = 1;
  for (; ; at += 1) {
    const more = args.count - at - 1;
    if (args.is(at, 'BLOCK') && more > 0) {
      if (client.isScript) throw new CommandError(`ERR ${name} command is not allowed with BLOCK option from scripts`);
      at += 1;
      timeout = readBlock(args, at);
    } else if (args.is(at, 'COUNT') && more > 0) {
      at += 1;
      most = args.int(at);
      if (most <= 0) most = Number.MAX_SAFE_INTEGER;
    } else if (args.is(at, 'STREAMS') && more > 0) break;
    else if (args.is(at, 'GROUP') && more > 1) {
      if (!grouped) throw new CommandError('ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.');
      group = args.text(at + 1);
      consumer = args.text(at + 2);
      at += 2;
    } else if (args.is(at, 'NOACK')) {
      if (!grouped) throw new CommandError('ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.');
      noAck = true;
    } else throw SYNTAX_ERROR;
  }
  const count = (args.count - at - 1) / 2;
  if (!Number.isInteger(count)) {
    // Redis 7.0 says this of XREADGROUP too.
    throw new CommandError("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
  }
  if (grouped && group === undefined) throw new CommandError('ERR Missing GROUP option for XREADGROUP');
  const streams: { key: string; from: From }[] = [];
  for (let index = at + 1; index <= at + count; index += 1) {
    const key = args.text(index);
    streams.push({ key, from: readStart(client, key, args.text(index + count), group) });
  }
  return { group, consumer, noAck, most, timeout, streams };
}

function readStart(client: Client, key: string, text: string, group: string | undefined): From {
  const stream = client.db.stream(key);
  if (group !== undefined && !stream?.groups?.has(group)) {
    throw new CommandError(`NOGROUP No such key '${printed(key)}' or consumer group '${printed(group)}' in XREADGROUP with GROUP option`);
  }
  if (text === '$') {
    if (group === undefined) return stream?.lastId ?? LOWEST_ID;
    throw new CommandError(
      'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
    );
  }
  if (text === '>') {
    if (group !== undefined) return 'NEW';
    throw new CommandError('ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.');
  }
  const id = parseId(text, 0);
  // The highest id stands for `>` in Redis, and is taken for it.
  return group !== undefined && compareIds(id, HIGHEST_ID) === 0 ? 'NEW' : id;
}

export function readBlock(args: Args, index: number): number {
  const timeout = args.int(index, 'ERR timeout is not an integer or out of range');
  if (timeout < 0) throw new CommandError('ERR timeout is negative');
  return timeout;
}

/** What there is of one stream, or undefined when there is nothing to answer. */
function take(client: Client, request: ReadRequest, key: string, from: From): Reply | undefined {
  const stream = client.db.stream(key);
  if (stream === undefined) return undefined;
  const group = request.group === undefined ? undefined : stream.groups?.get(request.group);
  if (group === undefined) return readAfter(stream, from as StreamId, request.most);
  if (from === 'NEW') return takeNew(client, request, key, stream, group);
  return history(client, request, key, stream, group, from);
}

function readAfter(stream: Stream, id: StreamId, most: number): RawArray | undefined {
  if (stream.length === 0 || compareIds(stream.lastId, id) <= 0) return undefined;
  const start = nextId(id);
  const entries = start === undefined ? undefined : stream.range(start, HIGHEST_ID, most);
  return entries === undefined || entries.count === 0 ? undefined : entries;
}

/** Delivers what the group has not been given yet to one of its consumers. */
function takeNew(client: Client, request: ReadRequest, key: string, stream: Stream, group: ConsumerGroup): Reply | undefined {
  const start = nextId(group.lastId);
  const entries = readAfter(stream, group.lastId, request.most);
  if (entries === undefined || start === undefined) return undefined;
  const { now } = client.engine;
  const consumer = group.consumer(request.consumer, now);
  let left = entries.count;
  for (const id of stream.ids(start)) {
    group.advance(stream, id);
    if (!request.noAck) {
      if (group.pending.get(id) === undefined) stream.bytes += PENDING_BYTES;
      group.deliver(id, consumer, now);
    }
    left -= 1;
    if (left === 0) break;
  }
  client.db.changed(key, stream, false);
  return entries;
}

/** What the consumer has been given and not acknowledged, from after `from` on. */
function history(client: Client, request: ReadRequest, key: string, stream: Stream, group: ConsumerGroup, from: StreamId): Reply {
  const { now } = client.engine;
  const consumer = group.consumer(request.consumer, now);
  const start = nextId(from);
  client.db.changed(key, stream, false);
  if (start === undefined) return [];
  return consumer.pending.range(start, HIGHEST_ID, request.most).map((pending) => {
    const entry = stream.entry(pending.id);
    if (entry === undefined) return [formatId(pending.id), NULL_ARRAY];
    pending.deliveredAt = now;
    pending.deliveries = typeof pending.deliveries === 'number' ? pending.deliveries + 1 : pending.deliveries + 1n;
    return entry;
  });
}

/** Keys and their entries: a map in RESP3, an array of pairs in RESP2. */
function streamsReply(client: Client, flat: readonly Reply[]): Reply {
  if (client.protocol === 3) return new MapReply(flat);
  const pairs: Reply[] = [];
  for (let index = 0; index < flat.length; index += 2) pairs.push([flat[index] as Reply, flat[index + 1] as Reply]);
  return pairs;
}

export const xreadCommands: readonly CommandSpec[] = [
  command('xread', -4, 'readonly blocking movablekeys', NO_KEYS, read('XREAD')),
  command('xreadgroup', -7, 'write blocking movablekeys', NO_KEYS, read('XREADGROUP')),
];
