import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { SetValue } from '../collections.js';
import { ALL_KEYS, type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { CommandError, type Reply, SetReply, SYNTAX_ERROR } from '../reply.js';
import { choose, firstOf } from './repeats.js';
import { scanElements } from './scan.js';

function store(client: Client, key: string, set: SetValue): void {
  if (set.members.size === 0) client.db.remove(key);
  else if (set.accounted === 0) client.db.set(key, set);
  else client.db.changed(key, set);
}

function sadd(client: Client, args: Args): Reply {
  const key = args.text(1);
  const set = client.db.members(key) ?? new SetValue();
  let added = 0;
  for (let at = 2; at < args.count; at += 1) if (set.add(args.text(at))) added += 1;
  if (added > 0) store(client, key, set);
  return added;
}

function srem(client: Client, args: Args): Reply {
  const key = args.text(1);
  const set = client.db.members(key);
  if (set === undefined) return 0;
  let removed = 0;
  for (let at = 2; at < args.count; at += 1) if (set.delete(args.text(at))) removed += 1;
  if (removed > 0) store(client, key, set);
  return removed;
}

function smove(client: Client, args: Args): Reply {
  const { db } = client;
  const [from, to, member] = args.texts(1) as [string, string, string];
  const source = db.members(from);
  if (source === undefined) return 0;
  const target = db.members(to);
  if (!source.members.has(member)) return 0;
  if (from === to) return 1;
  source.delete(member);
  store(client, from, source);
  const into = target ?? new SetValue();
  into.add(member);
  store(client, to, into);
  return 1;
}

type Combine = (sets: readonly (ReadonlySet<string> | undefined)[]) => Set<string>;

const union: Combine = (sets) => {
  const all = new Set<string>();
  for (const set of sets) for (const member of set ?? []) all.add(member);
  return all;
};

const intersection: Combine = ([first, ...others]) => {
  const common = new Set<string>();
  for (const member of first ?? []) if (others.every((set) => set?.has(member))) common.add(member);
  return common;
};

const difference: Combine = ([first, ...others]) => {
  const left = new Set<string>();
  for (const member of first ?? []) if (!others.some((set) => set?.has(member))) left.add(member);
  return left;
};

function combine(how: Combine) {
  return (client: Client, args: Args): Reply => new SetReply([...how(args.texts(1).map((key) => client.db.members(key)?.members))]);
}

function combineInto(how: Combine) {
  return (client: Client, args: Args): Reply => {
    const sets = args.texts(2).map((key) => client.db.members(key));
    client.engine.checkRoom(sets.reduce((sum, set) => sum + (set?.bytes ?? 0), 0));
    const result = how(sets.map((set) => set?.members));
    const target = args.text(1);
    client.db.remove(target);
    if (result.size === 0) return 0;
    const set = new SetValue();
    for (const member of result) set.add(member);
    client.db.set(target, set);
    return result.size;
  };
}

/** Chance has no place here: the members come in the order in which they were added. */
function spop(client: Client, args: Args): Reply {
  const key = args.text(1);
  if (args.count > 3) throw SYNTAX_ERROR;
  const count = args.count === 3 ? args.int(2, 'ERR value is out of range, must be positive') : 1;
  if (count < 0) throw new CommandError('ERR value is out of range, must be positive');
  const set = client.db.members(key);
  if (set === undefined) return args.count === 3 ? new SetReply([]) : null;
  const taken = firstOf(set.members, count);
  for (const member of taken) set.delete(member);
  if (taken.length > 0) store(client, key, set);
  return args.count === 3 ? new SetReply(taken) : (taken[0] as string);
}

function srandmember(client: Client, args: Args): Reply {
  if (args.count > 3) throw SYNTAX_ERROR;
  const count = args.count === 3 ? args.int(2) : undefined;
  const set = client.db.members(args.text(1));
  if (set === undefined) return count === undefined ? null : [];
  return count === undefined ? (firstOf(set.members, 1)[0] as string) : choose(set.members, count);
}

function smismember(client: Client, args: Args): Reply {
  const set = client.db.members(args.text(1));
  return args.texts(2).map((member) => (set?.members.has(member) ? 1 : 0));
}

export const setCommands: readonly CommandSpec[] = [
  command('sadd', -3, 'write denyoom fast', ONE_KEY, sadd),
  command('srem', -3, 'write fast', ONE_KEY, srem),
  command('scard', 2, 'readonly fast', ONE_KEY, (client, args) => client.db.members(args.text(1))?.members.size ?? 0),
  command('sismember', 3, 'readonly fast', ONE_KEY, (client, args) => (client.db.members(args.text(1))?.members.has(args.text(2)) ? 1 : 0)),
  command('smismember', -3, 'readonly fast', ONE_KEY, smismember),
  command('smembers', 2, 'readonly', ONE_KEY, (client, args) => new SetReply([...(client.db.members(args.text(1))?.members ?? [])])),
  command('smove', 4, 'write fast', [1, 2, 1], smove),
  command('spop', -2, 'write fast', ONE_KEY, spop),
  command('srandmember', -2, 'readonly', ONE_KEY, srandmember),
  command('sunion', -2, 'readonly', ALL_KEYS, combine(union)),
  command('sinter', -2, 'readonly', ALL_KEYS, combine(intersection)),
  command('sdiff', -2, 'readonly', ALL_KEYS, combine(difference)),
  command('sunionstore', -3, 'write denyoom', ALL_KEYS, combineInto(union)),
  command('sinterstore', -3, 'write denyoom', ALL_KEYS, combineInto(intersection)),
  command('sdiffstore', -3, 'write denyoom', ALL_KEYS, combineInto(difference)),
  command('sscan', -3, 'readonly', ONE_KEY, (client, args) =>
    scanElements(
      client,
      args,
      () => client.db.members(args.text(1))?.members,
      (member) => member,
      (member) => [member],
    ),
  ),
];
