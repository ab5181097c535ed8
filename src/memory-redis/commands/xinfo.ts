import type { Args } from '../args.js';
import { printed } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import type { ConsumerGroup } from '../consumer-group.js';
import { wrapped } from '../numbers.js';
import { CommandError, MapReply, NO_SUCH_KEY, type Reply, SYNTAX_ERROR, subcommandSyntax } from '../reply.js';
import type { Stream } from '../stream.js';
import { formatId, HIGHEST_ID, LOWEST_ID } from '../stream-id.js';
import { byName } from './stream-groups.js';

const DEFAULT_COUNT = 10;

function streamOf(client: Client, args: Args): Stream {
  const stream = client.db.stream(args.text(2));
  if (stream === undefined) throw NO_SUCH_KEY;
  return stream;
}

function showStream(client: Client, args: Args): Reply {
  const found = streamOf(client, args);
  const head: Reply[] = [
    'length',
    found.length,
    'radix-tree-keys',
    found.chunkCount,
    'radix-tree-nodes',
    found.chunkCount + 1,
    'last-generated-id',
    formatId(found.lastId),
    'max-deleted-entry-id',
    formatId(found.maxDeletedId),
    'entries-added',
    wrapped(found.entriesAdded),
    'recorded-first-entry-id',
    formatId(found.firstId),
  ];
  if (args.count === 3) {
    const ends = ['first-entry', found.firstEntry ?? null, 'last-entry', found.lastEntry ?? null];
    return new MapReply([...head, 'groups', found.groups?.size ?? 0, ...ends]);
  }
  const most = readFull(args);
  const entries = found.range(LOWEST_ID, HIGHEST_ID, most);
  const groups = byName(found.groups?.values() ?? []).map((group) => fullGroup(found, group, most));
  return new MapReply([...head, 'entries', entries, 'groups', groups]);
}

/** How much of everything `FULL [COUNT n]` asks for. */
function readFull(args: Args): number {
  if (!args.is(3, 'FULL') || (args.count !== 4 && (args.count !== 6 || !args.is(4, 'COUNT')))) {
    throw subcommandSyntax(args.text(1), 'XINFO');
  }
  if (args.count === 4) return DEFAULT_COUNT;
  const count = args.int(5);
  if (count === 0) return Number.MAX_SAFE_INTEGER;
  return count < 0 ? DEFAULT_COUNT : count;
}

function fullGroup(found: Stream, group: ConsumerGroup, most: number): Reply {
  const pending = group.pending.range(LOWEST_ID, HIGHEST_ID, most);
  const consumers = byName(group.consumers.values()).map((consumer) => {
    const own = consumer.pending.range(LOWEST_ID, HIGHEST_ID, most);
    const shown = own.map(({ id, deliveredAt, deliveries }) => [formatId(id), deliveredAt, deliveries]);
    return new MapReply(['name', consumer.name, 'seen-time', consumer.seenAt, 'pel-count', consumer.pending.size, 'pending', shown]);
  });
  return new MapReply([
    'name',
    group.name,
    'last-delivered-id',
    formatId(group.lastId),
    'entries-read',
    group.entriesRead ?? null,
    'lag',
    group.lag(found) ?? null,
    'pel-count',
    group.pending.size,
    'pending',
    pending.map(({ id, consumer, deliveredAt, deliveries }) => [formatId(id), consumer.name, deliveredAt, deliveries]),
    'consumers',
    consumers,
  ]);
}

function showGroups(client: Client, args: Args): Reply {
  const found = streamOf(client, args);
  return byName(found.groups?.values() ?? []).map(
    (group) =>
      new MapReply([
        'name',
        group.name,
        'consumers',
        group.consumers.size,
        'pending',
        group.pending.size,
        'last-delivered-id',
        formatId(group.lastId),
        'entries-read',
        group.entriesRead ?? null,
        'lag',
        group.lag(found) ?? null,
      ]),
  );
}

function showConsumers(client: Client, args: Args): Reply {
  const group = streamOf(client, args).groups?.get(args.text(3));
  if (group === undefined)
    throw new CommandError(`NOGROUP No such consumer group '${printed(args.text(3))}' for key name '${printed(args.text(2))}'`);
  return byName(group.consumers.values()).map(
    ({ name, pending, seenAt }) => new MapReply(['name', name, 'pending', pending.size, 'idle', Math.max(0, client.engine.now - seenAt)]),
  );
}

const never = (): Reply => SYNTAX_ERROR;

export const xinfoCommands: readonly CommandSpec[] = [
  command('xinfo', -2, '', NO_KEYS, never, [
    command('xinfo|stream', -3, 'readonly', [2, 2, 1], showStream),
    command('xinfo|groups', 3, 'readonly', [2, 2, 1], showGroups),
    command('xinfo|consumers', 4, 'readonly', [2, 2, 1], showConsumers),
  ]),
];
