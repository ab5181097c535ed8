/** What tools ask of any Redis: they get an answer that is true of this one, though often an empty one. */
import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { CommandError, OK, type Reply, Status, SYNTAX_ERROR } from '../reply.js';

function swapdb(client: Client, args: Args): Reply {
  const { engine } = client;
  const first = args.int(1, 'ERR invalid first DB index');
  const second = args.int(2, 'ERR invalid second DB index');
  for (const index of [first, second]) {
    if (index < 0 || index >= engine.databases.length) throw new CommandError('ERR DB index is out of range');
  }
  engine.database(first).swap(engine.database(second));
  return OK;
}

const none = (): Reply => [];
const never = (): Reply => SYNTAX_ERROR;
const NO_CLUSTER = new CommandError('ERR This instance has cluster support disabled');
const NO_DEBUG = new CommandError(
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.',
);

export const administrationCommands: readonly CommandSpec[] = [
  command('swapdb', 3, 'write fast', NO_KEYS, swapdb),
  command('role', 1, 'noscript loading stale fast', NO_KEYS, () => ['master', 0, []]),
  command('save', 1, 'admin noscript', NO_KEYS, () => OK),
  command('bgsave', -1, 'admin noscript', NO_KEYS, () => new Status('Background saving started')),
  command('bgrewriteaof', 1, 'admin noscript', NO_KEYS, (client) => {
    client.engine.journal?.rewrite();
    return new Status('Background append only file rewriting started');
  }),
  command('debug', -2, 'admin noscript loading stale', NO_KEYS, () => NO_DEBUG),
  command('cluster', -2, '', NO_KEYS, () => NO_CLUSTER),
  command('slowlog', -2, '', NO_KEYS, never, [
    command('slowlog|get', -2, 'admin loading stale', NO_KEYS, none),
    command('slowlog|len', 2, 'admin loading stale', NO_KEYS, () => 0),
    command('slowlog|reset', 2, 'admin loading stale', NO_KEYS, () => OK),
  ]),
  command('latency', -2, '', NO_KEYS, never, [
    command('latency|latest', 2, 'admin noscript loading stale', NO_KEYS, none),
    command('latency|history', 3, 'admin noscript loading stale', NO_KEYS, none),
    command('latency|reset', -2, 'admin noscript loading stale', NO_KEYS, () => 0),
  ]),
  command('acl', -2, '', NO_KEYS, never, [
    command('acl|whoami', 2, 'noscript loading stale', NO_KEYS, () => 'default'),
    command('acl|users', 2, 'admin noscript loading stale', NO_KEYS, () => ['default']),
    command('acl|list', 2, 'admin noscript loading stale', NO_KEYS, () => ['user default on nopass ~* &* +@all']),
  ]),
];
