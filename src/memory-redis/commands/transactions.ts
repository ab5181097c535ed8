import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { CommandError, InProtocol, NULL_ARRAY, OK, type Reply } from '../reply.js';

function multi(client: Client): Reply {
  if (client.transaction !== undefined) throw new CommandError('ERR MULTI calls can not be nested');
  client.transaction = { queue: [], broken: false, scripts: false, bytes: 0 };
  return OK;
}

/** Ends MULTI, and with it WATCH. */
export function endTransaction(client: Client): void {
  client.heldBytes -= client.transaction?.bytes ?? 0;
  client.transaction = undefined;
  client.unwatchAll();
}

function discard(client: Client): Reply {
  if (client.transaction === undefined) throw new CommandError('ERR DISCARD without MULTI');
  endTransaction(client);
  return OK;
}

function exec(client: Client): Reply {
  const { transaction } = client;
  if (transaction === undefined) throw new CommandError('ERR EXEC without MULTI');
  client.lookAtWatched();
  const { dirty } = client;
  endTransaction(client);
  if (transaction.broken) throw new CommandError('EXECABORT Transaction discarded because of previous errors.');
  if (dirty) return NULL_ARRAY;
  const mayBlock = client.mayBlock;
  client.mayBlock = false;
  let replies: Reply[] = [];
  client.engine.atomically(() => {
    for (const { spec, args } of transaction.queue) {
      const { protocol } = client;
      replies.push(client.engine.run(client, spec, args));
      // HELLO in a transaction: what came before it is answered in the protocol that held then.
      if (client.protocol !== protocol)
        replies = [...replies.slice(0, -1).map((reply) => new InProtocol(reply, protocol)), ...replies.slice(-1)];
    }
  });
  client.mayBlock = mayBlock;
  return replies;
}

export const transactionCommands: readonly CommandSpec[] = [
  command('multi', 1, 'noscript loading stale fast allow_busy immediate', NO_KEYS, multi),
  command('exec', 1, 'noscript loading stale skip_slowlog immediate', NO_KEYS, exec),
  command('discard', 1, 'noscript loading stale fast allow_busy immediate', NO_KEYS, discard),
  command('watch', -2, 'noscript loading stale fast allow_busy immediate', [1, -1, 1], (client, args) => {
    if (client.transaction !== undefined) throw new CommandError('ERR WATCH inside MULTI is not allowed');
    for (const key of args.texts(1)) {
      // A key whose time is over already does not count as changed when it goes.
      client.db.get(key);
      client.watch(key);
    }
    return OK;
  }),
  command('unwatch', 1, 'noscript loading stale fast allow_busy', NO_KEYS, (client) => {
    client.unwatchAll();
    return OK;
  }),
];
