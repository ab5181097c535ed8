import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command, ONE_KEY } from '../command-table.js';
import { type Int64, parseUnsigned } from '../numbers.js';
import { CommandError, NO_SUCH_KEY, NULL_ARRAY, OK, type Reply, SYNTAX_ERROR, wrongArity } from '../reply.js';
import { Stream } from '../stream.js';
import { compareIds, HIGHEST_ID, INVALID_ID, LOWEST_ID, nextId, parseBound, parseId, type StreamId } from '../stream-id.js';
import { type Trim, TrimOptions, trim } from './stream-trim.js';

const TOO_SMALL = new CommandError('ERR The ID specified in XADD is equal or smaller than the target stream top item');
const ZERO_ID = new CommandError('ERR The ID specified in XADD must be greater than 0-0');
const EXHAUSTED = new CommandError('ERR The stream has exhausted the last possible ID, unable to add more items');

/** What XADD's id asks for: any of its two halves may be left to the stream. */
type WantedId = '*' | { readonly ms: Int64; readonly seq: Int64 | undefined };

function readWantedId(text: string): WantedId {
  if (text.endsWith('-*') && text.indexOf('-') === text.length - 2) {
    const ms = text.length > 127 ? undefined : parseUnsigned(text.slice(0, -2));
    if (ms === undefined) throw INVALID_ID;
    return { ms, seq: undefined };
  }
  return parseId(text, 0);
}

function chooseId(wanted: WantedId, last: StreamId, now: number): StreamId {
  if (wanted === '*') {
    if (last.ms < now) return { ms: now, seq: 0 };
    const id = nextId(last);
    if (id === undefined) throw TOO_SMALL;
    return id;
  }
  if (wanted.seq !== undefined) return { ms: wanted.ms, seq: wanted.seq };
  if (wanted.ms < last.ms) throw TOO_SMALL;
  if (wanted.ms > last.ms) return { ms: wanted.ms, seq: 0 };
  const id = nextId(last);
  if (id === undefined || id.ms !== wanted.ms) throw TOO_SMALL;
  return id;
}

function xadd(client: Client, args: Args): Reply {
  let create = true;
  const options = new TrimOptions(false);
  let at = 2;
  for (; at < args.count && !args.is(at, '*'); at += 1) {
    if (args.is(at, 'NOMKSTREAM')) create = false;
    else {
      const last = options.read(args, at);
      if (last === undefined) break;
      at = last;
    }
  }
  if (at >= args.count) throw wrongArity('xadd');
  const wanted = args.is(at, '*') ? '*' : readWantedId(args.text(at));
  const rule = options.together();
  const words = args.count - at - 1;
  if (words < 2 || words % 2 === 1) throw wrongArity('xadd');
  if (wanted !== '*' && wanted.ms === 0 && wanted.seq === 0) throw ZERO_ID;
  const key = args.text(1);
  const found = client.db.stream(key);
  if (found === undefined && !create) return null;
  const stream = found ?? new Stream();
  if (compareIds(stream.lastId, HIGHEST_ID) === 0) throw EXHAUSTED;
  const id = chooseId(wanted, stream.lastId, client.engine.now);
  if (compareIds(id, stream.lastId) <= 0) throw TOO_SMALL;
  const text = stream.append(id, args, at + 1);
  if (rule !== undefined) trim(stream, rule);
  if (found === undefined) client.db.set(key, stream);
  else client.db.changed(key, stream);
  return text;
}

function xtrim(client: Client, args: Args): Reply {
  const options = new TrimOptions(true);
  for (let at = 2; at < args.count; at += 1) {
    const last = options.read(args, at);
    if (last === undefined) throw SYNTAX_ERROR;
    at = last;
  }
  const rule = options.together() as Trim;
  const key = args.text(1);
  const stream = client.db.stream(key);
  if (stream === undefined) return 0;
  const removed = trim(stream, rule);
  if (removed > 0) client.db.changed(key, stream);
  return removed;
}

function xrange(reverse: boolean) {
  return (client: Client, args: Args): Reply => {
    const start = parseBound(args.text(reverse ? 3 : 2), 'start');
    const end = parseBound(args.text(reverse ? 2 : 3), 'end');
    let most = Number.MAX_SAFE_INTEGER;
    for (let at = 4; at < args.count; at += 2) {
      if (!args.is(at, 'COUNT') || at + 1 >= args.count) throw SYNTAX_ERROR;
      most = Math.max(0, args.int(at + 1));
    }
    const stream = client.db.stream(args.text(1));
    if (stream === undefined) return [];
    if (most === 0) return NULL_ARRAY;
    return reverse ? stream.reverseRange(start, end, most) : stream.range(start, end, most);
  };
}

function xdel(client: Client, args: Args): Reply {
  const key = args.text(1);
  const stream = client.db.stream(key);
  if (stream === undefined) return 0;
  const ids = args.texts(2).map((text) => parseId(text, 0));
  let removed = 0;
  for (const id of ids) if (stream.delete(id)) removed += 1;
  if (removed > 0) client.db.changed(key, stream);
  return removed;
}

function xsetid(client: Client, args: Args): Reply {
  const id = parseId(args.text(2), 0);
  let added: Int64 | undefined;
  let deleted: StreamId | undefined;
  for (let at = 3; at < args.count; at += 2) {
    if (at + 1 >= args.count) throw SYNTAX_ERROR;
    if (args.is(at, 'ENTRIESADDED')) {
      added = args.int64(at + 1);
      if (added < 0) throw new CommandError('ERR entries_added must be positive');
    } else if (args.is(at, 'MAXDELETEDID')) {
      deleted = parseId(args.text(at + 1), 0);
      if (compareIds(id, deleted) < 0) {
        throw new CommandError('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id');
      }
    } else throw SYNTAX_ERROR;
  }
  const key = args.text(1);
  const stream = client.db.stream(key);
  if (stream === undefined) throw NO_SUCH_KEY;
  if (compareIds(id, stream.maxDeletedId) < 0) {
    throw new CommandError('ERR The ID specified in XSETID is smaller than current max_deleted_entry_id');
  }
  if (stream.length > 0) {
    if (compareIds(id, stream.topId) < 0)
      throw new CommandError('ERR The ID specified in XSETID is smaller than the target stream top item');
    if (added !== undefined && stream.length > added) {
      throw new CommandError('ERR The entries_added specified in XSETID is smaller than the target stream length');
    }
  }
  stream.lastId = id;
  if (added !== undefined) stream.entriesAdded = added;
  if (deleted !== undefined && compareIds(deleted, LOWEST_ID) !== 0) stream.maxDeletedId = deleted;
  client.db.changed(key, stream);
  return OK;
}

function xlen(client: Client, args: Args): Reply {
  return client.db.stream(args.text(1))?.length ?? 0;
}

export const streamCommands: readonly CommandSpec[] = [
  command('xadd', -5, 'write denyoom fast', ONE_KEY, xadd),
  command('xtrim', -4, 'write', ONE_KEY, xtrim),
  command('xdel', -3, 'write fast', ONE_KEY, xdel),
  command('xlen', 2, 'readonly fast', ONE_KEY, xlen),
  command('xrange', -4, 'readonly', ONE_KEY, xrange(false)),
  command('xrevrange', -4, 'readonly', ONE_KEY, xrange(true)),
  command('xsetid', -3, 'write denyoom fast', ONE_KEY, xsetid),
];
