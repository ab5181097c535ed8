import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { CommandError, OK, type Reply, SYNTAX_ERROR } from '../reply.js';

function flush(client: Client, args: Args): Reply {
  if (args.count > 3 || (args.count === 3 && !args.is(2, 'SYNC') && !args.is(2, 'ASYNC'))) {
    throw new CommandError('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
  }
  client.engine.scripts.flush();
  return OK;
}

const never = (): Reply => SYNTAX_ERROR;

export const scriptingCommands: readonly CommandSpec[] = [
  command('eval', -3, 'scripts noscript stale skip_monitor movablekeys no_mandatory_keys', NO_KEYS, (client, args) =>
    client.engine.scripts.eval(client, args, false),
  ),
  command('eval_ro', -3, 'scripts noscript stale skip_monitor movablekeys no_mandatory_keys readonly', NO_KEYS, (client, args) =>
    client.engine.scripts.eval(client, args, true),
  ),
  command('evalsha', -3, 'scripts noscript stale skip_monitor movablekeys no_mandatory_keys', NO_KEYS, (client, args) =>
    client.engine.scripts.evalsha(client, args, false),
  ),
  command('evalsha_ro', -3, 'scripts noscript stale skip_monitor movablekeys no_mandatory_keys readonly', NO_KEYS, (client, args) =>
    client.engine.scripts.evalsha(client, args, true),
  ),
  command('script', -2, 'scripts', NO_KEYS, never, [
    command('script|load', 3, 'scripts noscript stale', NO_KEYS, (client, args) => client.engine.scripts.add(args.text(2))),
    command('script|exists', -3, 'noscript', NO_KEYS, (client, args) =>
      args.texts(2).map((sha) => (client.engine.scripts.has(sha) ? 1 : 0)),
    ),
    command('script|flush', -2, 'noscript', NO_KEYS, flush),
    command('script|kill', 2, 'noscript allow_busy', NO_KEYS, () => {
      throw new CommandError('NOTBUSY No scripts in execution right now.');
    }),
  ]),
];
