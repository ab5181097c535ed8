import type { Args } from '../args.js';
import { printed } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS, ONE_KEY } from '../command-table.js';
import { ConsumerGroup, GROUP_BYTES, PENDING_BYTES, type Pending } from '../consumer-group.js';
import { addIntegers, type Int64 } from '../numbers.js';
import { CommandError, NULL_ARRAY, OK, type Reply, SYNTAX_ERROR, subcommandSyntax } from '../reply.js';
import { Stream } from '../stream.js';
import { compareIds, formatId, HIGHEST_ID, LOWEST_ID, parseBound, parseId, type StreamId, tryParseId } from '../stream-id.js';

const BUSY_GROUP = new CommandError('BUSYGROUP Consumer Group name already exists');
const KEY_NEEDED = new CommandError(
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
);
/** How many pending entries XAUTOCLAIM looks at for each one it may claim. */
const ATTEMPTS_FACTOR = 10;
const LARGEST_AUTOCLAIM_COUNT = 2 ** 63 / 16 - 1024;

interface GroupOptions {
  create: boolean;
  entriesRead: Int64 | undefined;
}

function readGroupOptions(args: Args): GroupOptions {
  const options: GroupOptions = { create: false, entriesRead: undefined };
  for (let at = 5; at < args.count; at += 1) {
    if (args.is(1, 'CREATE') && args.is(at, 'MKSTREAM')) options.create = true;
    else if (args.is(at, 'ENTRIESREAD') && at + 1 < args.count) {
      at += 1;
      const count = args.int64(at);
      if (count < -1) throw new CommandError('ERR value for ENTRIESREAD must be positive or -1');
      options.entriesRead = count === -1 ? undefined : count;
    } else throw subcommandSyntax(args.text(1), 'XGROUP');
  }
  return options;
}

/** The stream that an XGROUP subcommand works on, and the group if it is there. */
function target(client: Client, args: Args): { stream: Stream; group: ConsumerGroup | undefined } {
  const stream = client.db.stream(args.text(2));
  if (stream === undefined) throw KEY_NEEDED;
  return { stream, group: stream.groups?.get(args.text(3)) };
}

function existing(client: Client, args: Args): { stream: Stream; group: ConsumerGroup } {
  const { stream, group } = target(client, args);
  if (group === undefined)
    throw new CommandError(`NOGROUP No such consumer group '${printed(args.text(3))}' for key name '${printed(args.text(2))}'`);
  return { stream, group };
}

function create(client: Client, args: Args): Reply {
  const options = readGroupOptions(args);
  const key = args.text(2);
  const found = options.create ? client.db.stream(key) : target(client, args).stream;
  const text = args.text(4);
  const id = text === '$' ? (found?.lastId ?? LOWEST_ID) : parseId(text, 0);
  const stream = found ?? new Stream();
  stream.groups ??= new Map();
  if (found === undefined) client.db.set(key, stream);
  const name = args.text(3);
  if (stream.groups.has(name)) throw BUSY_GROUP;
  stream.groups.set(name, new ConsumerGroup(name, id, options.entriesRead));
  stream.bytes += GROUP_BYTES;
  client.db.changed(key, stream, false);
  return OK;
}

function setId(client: Client, args: Args): Reply {
  const options = readGroupOptions(args);
  const { stream, group } = existing(client, args);
  group.lastId = args.text(4) === '$' ? stream.lastId : parseLooseId(args.text(4));
  group.entriesRead = options.entriesRead;
  client.db.changed(args.text(2), stream, false);
  return OK;
}

/** An id, or one of the marks for the lowest and the highest. */
function parseLooseId(text: string): StreamId {
  if (text === '-') return LOWEST_ID;
  return text === '+' ? HIGHEST_ID : parseId(text, 0);
}

function destroy(client: Client, args: Args): Reply {
  const { stream, group } = target(client, args);
  if (group === undefined) return 0;
  stream.groups?.delete(group.name);
  stream.bytes -= GROUP_BYTES + group.pending.size * PENDING_BYTES;
  // Those who wait for the group are told that it is gone.
  client.db.changed(args.text(2), stream);
  return 1;
}

function createConsumer(client: Client, args: Args): Reply {
  const { stream, group } = existing(client, args);
  if (group.consumers.has(args.text(4))) return 0;
  group.consumer(args.text(4), client.engine.now);
  client.db.changed(args.text(2), stream, false);
  return 1;
}

function deleteConsumer(client: Client, args: Args): Reply {
  const { stream, group } = existing(client, args);
  if (!group.consumers.has(args.text(4))) return 0;
  const removed = group.removeConsumer(args.text(4));
  stream.bytes -= removed * PENDING_BYTES;
  client.db.changed(args.text(2), stream, false);
  return removed;
}

function xack(client: Client, args: Args): Reply {
  const key = args.text(1);
  const stream = client.db.stream(key);
  const group = stream?.groups?.get(args.text(2));
  if (stream === undefined || group === undefined) return 0;
  const ids = args.texts(3).map((text) => parseId(text, 0));
  let acknowledged = 0;
  for (const id of ids) if (group.acknowledge(id)) acknowledged += 1;
  if (acknowledged > 0) {
    stream.bytes -= acknowledged * PENDING_BYTES;
    client.db.changed(key, stream, false);
  }
  return acknowledged;
}

/** The group that words 1 and 2 name. */
function groupOf(client: Client, args: Args): { stream: Stream; group: ConsumerGroup } {
  const stream = client.db.stream(args.text(1));
  const group = stream?.groups?.get(args.text(2));
  if (stream === undefined || group === undefined) {
    throw new CommandError(`NOGROUP No such key '${printed(args.text(1))}' or consumer group '${printed(args.text(2))}'`);
  }
  return { stream, group };
}

function xpending(client: Client, args: Args): Reply {
  if (args.count !== 3 && (args.count < 6 || args.count > 9)) throw SYNTAX_ERROR;
  if (args.count === 3) return pendingSummary(groupOf(client, args).group);
  let at = 3;
  let idle = 0;
  if (args.is(3, 'IDLE')) {
    idle = args.int(4);
    if (args.count < 8) throw SYNTAX_ERROR;
    at = 5;
  }
  const count = Math.max(0, args.int(at + 2));
  const start = parseBound(args.text(at), 'start');
  const end = parseBound(args.text(at + 1), 'end');
  const consumerName = at + 3 < args.count ? args.text(at + 3) : undefined;
  const { group } = groupOf(client, args);
  const list = consumerName === undefined ? group.pending : group.consumers.get(consumerName)?.pending;
  if (list === undefined) return [];
  const { now } = client.engine;
  const waiting =
    idle === 0 ? list.range(start, end, count) : list.range(start, end).filter(({ deliveredAt }) => now - deliveredAt >= idle);
  return waiting
    .slice(0, count)
    .map(({ id, consumer, deliveredAt, deliveries }) => [formatId(id), consumer.name, Math.max(0, now - deliveredAt), deliveries]);
}

function pendingSummary({ pending, consumers }: ConsumerGroup): Reply {
  const { first, last } = pending;
  if (first === undefined || last === undefined) return [0, null, null, NULL_ARRAY];
  const having = byName(consumers.values()).filter((consumer) => consumer.pending.size > 0);
  return [pending.size, formatId(first.id), formatId(last.id), having.map((consumer) => [consumer.name, String(consumer.pending.size)])];
}

/** Redis keeps groups and consumers in the order of their names. */
export function byName<T extends { readonly name: string }>(items: Iterable<T>): T[] {
  return [...items].sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface ClaimOptions {
  force: boolean;
  justId: boolean;
  deliveredAt: number;
  deliveries: Int64 | undefined;
  lastId: StreamId;
}

function readClaimOptions(client: Client, args: Args, from: number): ClaimOptions {
  const { now } = client.engine;
  const options: ClaimOptions = { force: false, justId: false, deliveredAt: now, deliveries: undefined, lastId: LOWEST_ID };
  for (let at = from; at < args.count; at += 1) {
    const more = at + 1 < args.count;
    if (args.is(at, 'FORCE')) options.force = true;
    else if (args.is(at, 'JUSTID')) options.justId = true;
    else if (args.is(at, 'IDLE') && more) options.deliveredAt = now - args.int((at += 1), 'ERR Invalid IDLE option argument for XCLAIM');
    else if (args.is(at, 'TIME') && more) options.deliveredAt = args.int((at += 1), 'ERR Invalid TIME option argument for XCLAIM');
    else if (args.is(at, 'RETRYCOUNT') && more) {
      const count = args.int64((at += 1), 'ERR Invalid RETRYCOUNT option argument for XCLAIM');
      options.deliveries = count < 0 ? undefined : count;
    } else if (args.is(at, 'LASTID') && more) options.lastId = parseId(args.text((at += 1)), 0);
    else throw new CommandError(`ERR Unrecognized XCLAIM option '${printed(args.text(at))}'`);
  }
  // A time that cannot be, from another clock, is taken as now.
  if (options.deliveredAt < 0 || options.deliveredAt > now) options.deliveredAt = now;
  return options;
}

function xclaim(client: Client, args: Args): Reply {
  const { stream, group } = groupOf(client, args);
  const idle = Math.max(0, args.int(4, 'ERR Invalid min-idle-time argument for XCLAIM'));
  const ids: StreamId[] = [];
  let at = 5;
  for (; at < args.count; at += 1) {
    const id = tryParseId(args.text(at), 0);
    if (id === undefined) break;
    ids.push(id);
  }
  const options = readClaimOptions(client, args, at);
  if (compareIds(options.lastId, group.lastId) > 0) group.lastId = options.lastId;
  const { now } = client.engine;
  const name = args.text(3); // the consumer comes to be with the first entry that it gets
  const claimed: Reply[] = [];
  for (const id of ids) {
    let pending = group.pending.get(id);
    if (!stream.has(id)) {
      if (pending !== undefined && group.acknowledge(id)) stream.bytes -= PENDING_BYTES;
      continue;
    }
    if (pending === undefined) {
      if (!options.force) continue;
      group.deliver(id, group.consumer(name, now), now);
      stream.bytes += PENDING_BYTES;
      pending = group.pending.get(id) as Pending;
    } else if (idle > 0 && now - pending.deliveredAt < idle) continue;
    claim(group, pending, name, options, now);
    claimed.push(options.justId ? formatId(id) : (stream.entry(id) as Reply));
  }
  client.db.changed(args.text(1), stream, false);
  return claimed;
}

function claim(group: ConsumerGroup, pending: Pending, name: string, options: Omit<ClaimOptions, 'force' | 'lastId'>, now: number): void {
  group.hand(pending, group.consumer(name, now));
  pending.deliveredAt = options.deliveredAt;
  if (options.deliveries !== undefined) pending.deliveries = options.deliveries;
  else if (!options.justId) pending.deliveries = addIntegers(pending.deliveries, 1) ?? pending.deliveries;
}

function xautoclaim(client: Client, args: Args): Reply {
  const idle = Math.max(0, args.int(4, 'ERR Invalid min-idle-time argument for XAUTOCLAIM'));
  const start = parseBound(args.text(5), 'start');
  let count = 100;
  let justId = false;
  for (let at = 6; at < args.count; at += 1) {
    if (args.is(at, 'COUNT') && at + 1 < args.count) {
      at += 1;
      const wanted = args.int64(at, 'ERR COUNT must be > 0');
      if (wanted < 1 || wanted > LARGEST_AUTOCLAIM_COUNT) throw new CommandError('ERR COUNT must be > 0');
      count = Number(wanted);
    } else if (args.is(at, 'JUSTID')) justId = true;
    else throw SYNTAX_ERROR;
  }
  const { stream, group } = groupOf(client, args);
  const { now } = client.engine;
  const candidates = group.pending.range(start, HIGHEST_ID, Math.min(Number.MAX_SAFE_INTEGER, count * ATTEMPTS_FACTOR) + 1);
  const claimed: Reply[] = [];
  const gone: Reply[] = [];
  let looked = 0;
  for (const pending of candidates) {
    if (looked === count * ATTEMPTS_FACTOR || claimed.length + gone.length === count) break;
    looked += 1;
    if (!stream.has(pending.id)) {
      group.acknowledge(pending.id);
      stream.bytes -= PENDING_BYTES;
      gone.push(formatId(pending.id));
      continue;
    }
    if (idle > 0 && now - pending.deliveredAt < idle) continue;
    claim(group, pending, args.text(3), { justId, deliveredAt: now, deliveries: undefined }, now);
    claimed.push(justId ? formatId(pending.id) : (stream.entry(pending.id) as Reply));
  }
  client.db.changed(args.text(1), stream, false);
  const next = candidates[looked];
  return [next === undefined ? '0-0' : formatId(next.id), claimed, gone];
}

const never = (): Reply => SYNTAX_ERROR;

export const streamGroupCommands: readonly CommandSpec[] = [
  command('xgroup', -2, '', NO_KEYS, never, [
    command('xgroup|create', -5, 'write denyoom', [2, 2, 1], create),
    command('xgroup|setid', -5, 'write', [2, 2, 1], setId),
    command('xgroup|destroy', 4, 'write', [2, 2, 1], destroy),
    command('xgroup|createconsumer', 5, 'write denyoom', [2, 2, 1], createConsumer),
    command('xgroup|delconsumer', 5, 'write', [2, 2, 1], deleteConsumer),
  ]),
  command('xack', -4, 'write fast', ONE_KEY, xack),
  command('xpending', -3, 'readonly', ONE_KEY, xpending),
  command('xclaim', -6, 'write fast', ONE_KEY, xclaim),
  command('xautoclaim', -6, 'write fast', ONE_KEY, xautoclaim),
];
