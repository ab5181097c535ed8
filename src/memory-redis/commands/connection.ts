import type { Args } from '../args.js';
import { printed } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { CommandError, MapReply, OK, PONG, type Reply, Status, wrongArity } from '../reply.js';
import { SERVER_VERSION } from '../version.js';
import { endTransaction } from './transactions.js';

const NO_PASSWORD =
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?';
const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';

function ping(client: Client, args: Args): Reply {
  if (args.count > 2) throw wrongArity('ping');
  if (client.protocol === 2 && client.subscriptions > 0) return ['pong', args.count > 1 ? args.text(1) : ''];
  return args.count > 1 ? args.text(1) : PONG;
}

/** Nobody has a password here: the default user is let in with any, others are not known. */
function authenticate(user: string): void {
  if (user !== 'default') throw new CommandError(WRONG_PASSWORD);
}

function auth(_: Client, args: Args): Reply {
  if (args.count > 3) throw new CommandError('ERR syntax error');
  if (args.count === 2) throw new CommandError(NO_PASSWORD);
  authenticate(args.text(1));
  return OK;
}

function hello(client: Client, args: Args): Reply {
  let protocol = client.protocol;
  let at = 1;
  if (args.count > 1) {
    const version = args.int(1, 'ERR Protocol version is not an integer or out of range');
    if (version !== 2 && version !== 3) throw new CommandError('NOPROTO unsupported protocol version');
    protocol = version;
    at = 2;
  }
  for (; at < args.count; at += 1) {
    if (args.is(at, 'AUTH') && at + 2 < args.count) {
      authenticate(args.text(at + 1));
      at += 2;
    } else if (args.is(at, 'SETNAME') && at + 1 < args.count) {
      // At once, whatever is wrong further on.
      checkName(args.text(at + 1));
      client.name = args.text(at + 1);
      at += 1;
    } else throw new CommandError(`ERR Syntax error in HELLO option '${printed(args.text(at))}'`);
  }
  client.protocol = protocol;
  return new MapReply([
    'server',
    'redis',
    'version',
    SERVER_VERSION,
    'proto',
    protocol,
    'id',
    client.id,
    'mode',
    'standalone',
    'role',
    'master',
    'modules',
    [],
  ]);
}

export function checkName(name: string): void {
  if (!/^[!-~]*$/.test(name)) throw new CommandError('ERR Client names cannot contain spaces, newlines or special characters.');
}

function select(client: Client, args: Args): Reply {
  const index = args.int(1);
  if (index < 0 || index >= client.engine.databases.length) throw new CommandError('ERR DB index is out of range');
  client.db = client.engine.database(index);
  return OK;
}

function reset(client: Client): Reply {
  endTransaction(client);
  client.engine.pubsub.forget(client);
  client.db = client.engine.database(0);
  client.protocol = 2;
  client.name = '';
  return RESET;
}

const RESET = new Status('RESET');

export const connectionCommands: readonly CommandSpec[] = [
  command('ping', -1, 'fast', NO_KEYS, ping),
  command('echo', 2, 'loading stale fast', NO_KEYS, (_, args) => args.text(1)),
  command('hello', -1, 'noscript loading stale fast no_auth allow_busy', NO_KEYS, hello),
  command('auth', -2, 'noscript loading stale fast no_auth allow_busy', NO_KEYS, auth),
  command('select', 2, 'loading stale fast', NO_KEYS, select),
  command('reset', 1, 'noscript loading stale fast no_auth allow_busy immediate', NO_KEYS, reset),
  command('quit', -1, 'noscript loading stale fast no_auth allow_busy immediate', NO_KEYS, (client) => {
    client.close();
    return OK;
  }),
];
