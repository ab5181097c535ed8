import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { GlobBudget, globMatches } from '../glob.js';
import { Frames, Push, type Reply, SYNTAX_ERROR, subcommandSyntax } from '../reply.js';

function subscribe(kind: 'subscribe' | 'psubscribe') {
  return (client: Client, args: Args): Reply => {
    const frames: Reply[] = [];
    for (const name of args.texts(1)) {
      if (kind === 'subscribe') client.engine.pubsub.subscribe(client, name);
      else client.engine.pubsub.subscribePattern(client, name);
      frames.push(new Push([kind, name, client.subscriptions]));
    }
    return new Frames(frames);
  };
}

function unsubscribe(kind: 'unsubscribe' | 'punsubscribe') {
  return (client: Client, args: Args): Reply => {
    const current = kind === 'unsubscribe' ? client.channels : client.patterns;
    const names = args.count > 1 ? args.texts(1) : [...current];
    if (names.length === 0) return new Frames([new Push([kind, null, client.subscriptions])]);
    const frames: Reply[] = [];
    for (const name of names) {
      if (kind === 'unsubscribe') client.engine.pubsub.unsubscribe(client, name);
      else client.engine.pubsub.unsubscribePattern(client, name);
      frames.push(new Push([kind, name, client.subscriptions]));
    }
    return new Frames(frames);
  };
}

function channels(client: Client, args: Args): Reply {
  const all = [...client.engine.pubsub.channels.keys()];
  if (args.count > 3) throw subcommandSyntax(args.text(1), 'PUBSUB');
  if (args.count === 2) return all;
  const pattern = args.text(2);
  const budget = new GlobBudget();
  return all.filter((channel) => globMatches(pattern, channel, budget));
}

function numsub(client: Client, args: Args): Reply {
  return args.texts(2).flatMap((channel) => [channel, client.engine.pubsub.channels.get(channel)?.size ?? 0]);
}

const never = (): Reply => SYNTAX_ERROR;

export const pubsubCommands: readonly CommandSpec[] = [
  command('subscribe', -2, 'pubsub noscript loading stale', NO_KEYS, subscribe('subscribe')),
  command('psubscribe', -2, 'pubsub noscript loading stale', NO_KEYS, subscribe('psubscribe')),
  command('unsubscribe', -1, 'pubsub noscript loading stale', NO_KEYS, unsubscribe('unsubscribe')),
  command('punsubscribe', -1, 'pubsub noscript loading stale', NO_KEYS, unsubscribe('punsubscribe')),
  command('publish', 3, 'pubsub loading stale fast', NO_KEYS, (client, args) => client.engine.pubsub.publish(args.text(1), args.text(2))),
  command('pubsub', -2, '', NO_KEYS, never, [
    command('pubsub|channels', -2, 'pubsub loading stale', NO_KEYS, channels),
    command('pubsub|numsub', -2, 'pubsub loading stale', NO_KEYS, numsub),
    command('pubsub|numpat', 2, 'pubsub loading stale', NO_KEYS, (client) => client.engine.pubsub.patterns.size),
    command('pubsub|shardchannels', -2, 'pubsub loading stale', NO_KEYS, (_, args) => {
      if (args.count > 3) throw subcommandSyntax(args.text(1), 'PUBSUB');
      return [];
    }),
    command('pubsub|shardnumsub', -2, 'pubsub loading stale', NO_KEYS, (_, args) => args.texts(2).flatMap((channel) => [channel, 0])),
  ]),
];
