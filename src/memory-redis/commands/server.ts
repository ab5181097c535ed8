import { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { keyPositions } from '../command-keys.js';
import { arityFits, type CommandSpec, command, NO_KEYS } from '../command-table.js';
import { globMatches } from '../glob.js';
import { CommandError, MapReply, OK, type Reply, SetReply, Status, SYNTAX_ERROR, Verbatim } from '../reply.js';
import { infoText } from './info.js';

function time(client: Client): Reply {
  const { now } = client.engine;
  return [String(Math.floor(now / 1000)), String((now % 1000) * 1000)];
}

function configGet(client: Client, args: Args): Reply {
  const flat: string[] = [];
  const seen = new Set<string>();
  for (const pattern of args.texts(2)) {
    for (const [name, value] of client.engine.settings.matching(pattern)) {
      if (!seen.has(name)) flat.push(name, value);
      seen.add(name);
    }
  }
  return new MapReply(flat);
}

function configSet(client: Client, args: Args): Reply {
  const { settings } = client.engine;
  if (args.count % 2 === 1) throw SYNTAX_ERROR;
  const changes: [string, string][] = [];
  for (let at = 2; at < args.count; at += 2) {
    const name = args.text(at).toLowerCase();
    if (settings.get(name) === undefined)
      throw new CommandError(`ERR Unknown option or number of arguments for CONFIG SET - '${args.text(at)}'`);
    if (changes.some(([other]) => other === name))
      throw new CommandError(`ERR CONFIG SET failed (possibly related to argument '${name}') - duplicate parameter`);
    const refusal = settings.refusal(name, args.text(at + 1));
    if (refusal !== undefined) throw new CommandError(refusal);
    changes.push([name, args.text(at + 1)]);
  }
  for (const [name, value] of changes) settings.set(name, value);
  return OK;
}

function flush(all: boolean) {
  return (client: Client, args: Args): Reply => {
    if (args.count > 2 || (args.count === 2 && !args.is(1, 'ASYNC') && !args.is(1, 'SYNC'))) throw SYNTAX_ERROR;
    for (const db of all ? client.engine.databases : [client.db]) db.clear();
    return OK;
  };
}

function describe(spec: CommandSpec): Reply {
  const subcommands = [...(spec.subcommands?.values() ?? [])].map(describe);
  const flags = [...spec.flags].map((flag) => new Status(flag));
  return [spec.name, spec.arity, new SetReply(flags), ...spec.keys, new SetReply([]), [], [], subcommands];
}

function commandInfo(client: Client, args: Args): Reply {
  const { table } = client.engine;
  if (args.count === 2) return [...table.all()].map(describe);
  return args.texts(2).map((name) => {
    const spec = table.get(name);
    return spec === undefined ? null : describe(spec);
  });
}

function commandDocs(client: Client, args: Args): Reply {
  const { table } = client.engine;
  const specs = args.count === 2 ? [...table.all()] : args.texts(2).flatMap((name) => table.get(name) ?? []);
  return new MapReply(specs.flatMap((spec) => [spec.name, new MapReply(['summary', '', 'since', '1.0.0', 'group', 'generic'])]));
}

function commandList(client: Client, args: Args): Reply {
  const names = [...client.engine.table.all()].map((spec) => spec.name);
  if (args.count === 2) return names;
  if (args.count !== 5 || !args.is(2, 'FILTERBY')) throw SYNTAX_ERROR;
  if (args.is(3, 'PATTERN')) return names.filter((name) => globMatches(args.text(4).toLowerCase(), name));
  // No command comes from a module, and none is in a category: there is one user, who may do everything.
  if (args.is(3, 'MODULE') || args.is(3, 'ACLCAT')) return [];
  throw SYNTAX_ERROR;
}

function getKeys(client: Client, args: Args): Reply {
  const request = Args.of(args.texts(2));
  let spec = client.engine.table.find(request);
  if (spec?.subcommands !== undefined && request.count > 1) spec = spec.subcommands.get(request.upper(1));
  if (spec === undefined) throw new CommandError('ERR Invalid command specified');
  if (spec.keys[0] === 0 && !spec.flags.has('movablekeys')) throw new CommandError('ERR The command has no key arguments');
  if (!arityFits(spec, request.count)) throw new CommandError('ERR Invalid number of arguments specified for command');
  const positions = keyPositions(spec, request);
  if (positions.length === 0 && !spec.flags.has('no_mandatory_keys')) throw new CommandError('ERR Invalid arguments specified for command');
  return positions.map((at) => request.text(at));
}

function wait(_: Client, args: Args): Reply {
  args.int(1);
  if (args.int(2, 'ERR timeout is not an integer or out of range') < 0) throw new CommandError('ERR timeout is negative');
  // There are no replicas, and there never will be: waiting for them would change nothing.
  return 0;
}

const never = (): Reply => SYNTAX_ERROR;

export const serverCommands: readonly CommandSpec[] = [
  command('info', -1, 'loading stale', NO_KEYS, (client, args) => new Verbatim(infoText(client.engine, args.texts(1)))),
  command('time', 1, 'loading stale fast', NO_KEYS, time),
  command('dbsize', 1, 'readonly fast', NO_KEYS, (client) => client.db.size),
  command('flushall', -1, 'write', NO_KEYS, flush(true)),
  command('flushdb', -1, 'write', NO_KEYS, flush(false)),
  command('wait', 3, 'noscript', NO_KEYS, wait),
  command('lastsave', 1, 'loading stale fast', NO_KEYS, (client) => Math.floor(client.engine.startedAt / 1000)),
  command('config', -2, '', NO_KEYS, never, [
    command('config|get', -3, 'admin noscript loading stale', NO_KEYS, configGet),
    command('config|set', -4, 'admin noscript loading stale', NO_KEYS, configSet),
    command('config|resetstat', 2, 'admin noscript loading stale', NO_KEYS, (client) => {
      client.engine.commandsRun = 0;
      client.engine.shared.expired = 0;
      return OK;
    }),
  ]),
  command('command', -1, 'loading stale', NO_KEYS, (client) => [...client.engine.table.all()].map(describe), [
    command('command|count', 2, 'loading stale', NO_KEYS, (client) => client.engine.table.size),
    command('command|info', -2, 'loading stale', NO_KEYS, commandInfo),
    command('command|getkeys', -4, 'loading stale', NO_KEYS, getKeys),
    command('command|docs', -2, 'loading stale', NO_KEYS, commandDocs),
    command('command|list', -2, 'loading stale', NO_KEYS, commandList),
  ]),
];
