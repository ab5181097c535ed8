import type { Args } from '../args.js';
import { printed } from '../bytes.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { CommandError, OK, type Reply, SYNTAX_ERROR, subcommandSyntax, Verbatim } from '../reply.js';
import type { Session } from '../session.js';
import { checkName } from './connection.js';

/** One client as a line of CLIENT LIST. */
function describe(client: Client): string {
  const { now } = client.engine;
  const seconds = (since: number): number => Math.max(0, Math.floor((now - since) / 1000));
  const flags = `${client.blocked === undefined ? '' : 'b'}${client.subscriptions > 0 ? 'P' : ''}${client.transaction === undefined ? '' : 'x'}`;
  return (
    `id=${client.id} addr=${client.address} laddr=${client.localAddress} fd=${client.id} name=${client.name} age=${seconds(client.connectedAt)} idle=${seconds(client.lastAt)} flags=${flags === '' ? 'N' : flags} ` +
    `db=${client.db.index} sub=${client.channels.size} psub=${client.patterns.size} ssub=0 multi=${client.transaction?.queue.length ?? -1} ` +
    'qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r ' +
    `cmd=${client.lastCommand === '' ? 'NULL' : client.lastCommand} user=default redir=-1 resp=${client.protocol}`
  );
}

const TYPES = new Set(['normal', 'pubsub', 'master', 'replica', 'slave']);

function ofType(name: string): (client: Client) => boolean {
  const type = name.toLowerCase();
  if (!TYPES.has(type)) throw new CommandError(`ERR Unknown client type '${printed(name)}'`);
  return (client) => type === (client.subscriptions > 0 ? 'pubsub' : 'normal');
}

function list(client: Client, args: Args): Reply {
  let shown: Client[] = [...client.engine.sessions.values()];
  if (args.count > 2) {
    if (args.is(2, 'TYPE') && args.count === 4) {
      shown = shown.filter(ofType(args.text(3)));
    } else if (args.is(2, 'ID') && args.count > 3) {
      const ids = args.texts(3).map((_, index) => args.int(3 + index, 'ERR Invalid client ID'));
      shown = ids.flatMap((id) => client.engine.sessions.get(id) ?? []);
    } else throw SYNTAX_ERROR;
  }
  return new Verbatim(shown.map((other) => `${describe(other)}\n`).join(''));
}

function kill(client: Client, args: Args): Reply {
  const { sessions } = client.engine;
  if (args.count === 3) {
    const found = [...sessions.values()].find((session) => session.address === args.text(2));
    if (found === undefined) throw new CommandError('ERR No such client');
    found.close();
    return OK;
  }
  const tests: ((session: Session) => boolean)[] = [];
  let skipMe = true;
  for (let at = 2; at < args.count; at += 2) {
    if (at + 1 >= args.count) throw SYNTAX_ERROR;
    const value = args.text(at + 1);
    if (args.is(at, 'ID')) {
      const id = args.int(at + 1, 'ERR client-id should be greater than 0');
      if (id < 1) throw new CommandError('ERR client-id should be greater than 0');
      tests.push((session) => session.id === id);
    } else if (args.is(at, 'ADDR')) tests.push((session) => session.address === value);
    else if (args.is(at, 'LADDR')) tests.push((session) => session.localAddress === value);
    else if (args.is(at, 'TYPE')) tests.push(ofType(value));
    else if (args.is(at, 'USER')) {
      // There is one user, and everybody is it.
      if (value !== 'default') throw new CommandError(`ERR No such user '${printed(value)}'`);
    } else if (args.is(at, 'SKIPME')) {
      if (value.toLowerCase() !== 'yes' && value.toLowerCase() !== 'no') throw SYNTAX_ERROR;
      skipMe = value.toLowerCase() === 'yes';
    } else throw SYNTAX_ERROR;
  }
  let killed = 0;
  for (const session of [...sessions.values()]) {
    if ((skipMe && session === client) || !tests.every((test) => test(session))) continue;
    session.close();
    killed += 1;
  }
  return killed;
}

function unblock(client: Client, args: Args): Reply {
  if (args.count > 4) throw subcommandSyntax(args.text(1), 'CLIENT');
  const withError = args.count === 4 && args.is(3, 'ERROR');
  if (args.count === 4 && !withError && !args.is(3, 'TIMEOUT'))
    throw new CommandError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  const id = args.int(2);
  const blocked = client.engine.sessions.get(id)?.blocked;
  if (blocked === undefined) return 0;
  blocked.end(withError ? new CommandError('UNBLOCKED client unblocked via CLIENT UNBLOCK') : blocked.onTimeout);
  return 1;
}

function setName(client: Client, args: Args): Reply {
  checkName(args.text(2));
  client.name = args.text(2);
  return OK;
}

function pause(client: Client, args: Args): Reply {
  if (args.count > 4) throw subcommandSyntax(args.text(1), 'CLIENT');
  const writes = args.is(3, 'WRITE');
  if (args.count === 4 && !writes && !args.is(3, 'ALL')) throw new CommandError('ERR CLIENT PAUSE mode must be WRITE or ALL');
  const timeout = args.int(2, 'ERR timeout is not an integer or out of range');
  if (timeout < 0) throw new CommandError('ERR timeout is negative');
  client.engine.pauseClients(client.engine.now + timeout, !writes);
  return OK;
}

/** Nobody is ever sent away to make room for others but who holds most. */
function noEvict(_: Client, args: Args): Reply {
  if (!args.is(2, 'ON') && !args.is(2, 'OFF')) throw SYNTAX_ERROR;
  return OK;
}

const never = (): Reply => SYNTAX_ERROR;

export const clientCommands: readonly CommandSpec[] = [
  command('client', -2, '', NO_KEYS, never, [
    command('client|id', 2, 'noscript loading stale', NO_KEYS, (client) => client.id),
    command('client|getname', 2, 'noscript loading stale', NO_KEYS, (client) => (client.name === '' ? null : client.name)),
    command('client|setname', 3, 'noscript loading stale', NO_KEYS, setName),
    command('client|setinfo', 4, 'noscript loading stale', NO_KEYS, () => OK),
    command('client|info', 2, 'noscript loading stale', NO_KEYS, (client) => new Verbatim(`${describe(client)}\n`)),
    command('client|list', -2, 'admin noscript loading stale', NO_KEYS, list),
    command('client|kill', -3, 'admin noscript loading stale', NO_KEYS, kill),
    command('client|unblock', -3, 'admin noscript loading stale', NO_KEYS, unblock),
    command('client|pause', -3, 'admin noscript loading stale', NO_KEYS, pause),
    command('client|unpause', 2, 'admin noscript loading stale', NO_KEYS, (client) => {
      client.engine.unpauseClients();
      return OK;
    }),
    command('client|no-evict', 3, 'admin noscript loading stale', NO_KEYS, noEvict),
  ]),
];
