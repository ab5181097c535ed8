import { encode, type RawConnection, type RawReply } from '../support/raw-redis.js';

let marker = 0;

/** The replies to a sequence of requests, sent in one go to an empty server. */
export async function replies(connection: RawConnection, sequence: readonly (readonly string[])[]): Promise<RawReply[]> {
  const before = ['RESET', 'FLUSHALL', 'SCRIPT FLUSH'].map((line) => encode(line.split(' ')));
  marker += 1;
  const end = `marker ${marker}`;
  const bytes = Buffer.concat([...before, ...sequence.map(encode), encode(['RESET']), encode(['ECHO', end])]);
  return (await connection.exchange(bytes, end)).slice(before.length);
}

/** Commands whose replies have no order of their own. */
const UNORDERED =
  /^(KEYS|SMEMBERS|SUNION|SINTER|SDIFF|SCAN|SSCAN|HGETALL|HKEYS|HVALS|HSCAN|HRANDFIELD|ZRANDMEMBER|SPOP|SRANDMEMBER|PUBSUB|CONFIG|EVAL|EVAL_RO)$/i;
/** Numbers this large may be times, which two servers read a little apart. */
const MAYBE_TIME = 400;
const CLOCKS_APART = 3000;

function agree(words: readonly string[], ours: RawReply | undefined, theirs: RawReply | undefined): boolean {
  if (ours === undefined || theirs === undefined) return ours === theirs;
  const name = (words[0] ?? '').toUpperCase();
  if (/^(HRANDFIELD|SRANDMEMBER|ZRANDMEMBER)$/.test(name) && words.length === 2) return typeof ours === typeof theirs;
  // Redis' SORT takes what an earlier command left in errno for its own (README).
  if (/^SORT(_RO)?$/.test(name) && theirs === "-ERR One or more scores can't be converted into double") return true;
  // Which of all is given up first is a matter of Redis' hash tables.
  if (/^P?UNSUBSCRIBE$/.test(name) && words.length === 1 && Array.isArray(ours) && Array.isArray(theirs))
    return ours[1] === theirs[1] && ours[3] === theirs[3];
  if (name === 'CLIENT' && /^(id|list|info)$/i.test(words[1] ?? '') && words.length === 2) return ours[0] === theirs[0];
  if (name === 'MEMORY') return ours === theirs || (/^:\d+$/.test(String(ours)) && /^:\d+$/.test(String(theirs)));
  if (name === 'RANDOMKEY' && words.length === 1) return (ours === '$nil') === (theirs === '$nil');
  if (name === 'TIME') return Array.isArray(ours) === Array.isArray(theirs);
  if (name === 'XPENDING') return same(withoutIdle(ours), withoutIdle(theirs), false);
  if (name === 'XINFO') return same(withoutInternals(ours), withoutInternals(theirs), false);
  return same(withoutId(ours), withoutId(theirs), UNORDERED.test(name));
}

/** How a value is held depends on how it came about; only its looks are told here. */
const ENCODINGS = new Set(['$int', '$embstr', '$raw', '$listpack', '$hashtable', '$intset', '$skiplist']);

function same(a: RawReply, b: RawReply, unordered: boolean): boolean {
  if (typeof a === 'string' || typeof b === 'string') {
    if (a === b || (ENCODINGS.has(String(a)) && ENCODINGS.has(String(b)))) return true;
    if (typeof a !== 'string' || typeof b !== 'string' || !a.startsWith(':') || !b.startsWith(':')) return false;
    const [x, y] = [Number(a.slice(1)), Number(b.slice(1))];
    return x > MAYBE_TIME && y > MAYBE_TIME && Math.abs(x - y) < CLOCKS_APART;
  }
  if (a.length !== b.length) return false;
  const sorted = unordered || a[0] === '~';
  const arrange = (items: readonly RawReply[]): readonly RawReply[] => {
    if (!sorted) return items;
    if (items.every((item) => typeof item === 'string')) return [...items].sort();
    // RESP3 gives members and their scores as pairs.
    const isPair = (item: RawReply): boolean =>
      typeof item !== 'string' && item.length === 3 && item.every((word) => typeof word === 'string');
    const [mark, ...rest] = items;
    return rest.every(isPair) ? [mark as RawReply, ...rest.toSorted((x, y) => (String(x) < String(y) ? -1 : 1))] : items;
  };
  const [first, second] = [arrange(a), arrange(b)];
  return first.every((item, index) => same(item, second[index] as RawReply, unordered));
}

const INTERNALS = new Set(['$radix-tree-keys', '$radix-tree-nodes', '$idle']);

/** How long ago something was is read on two clocks. */
function withoutIdle(reply: RawReply): RawReply {
  if (typeof reply === 'string') return reply;
  return reply.map((item) => (typeof item !== 'string' && item.length === 5 ? [...item.slice(0, 3), ':?', ...item.slice(4)] : item));
}

/** How a server holds a stream is its own affair. */
function withoutInternals(reply: RawReply): RawReply {
  if (typeof reply === 'string') return reply;
  const items = [...reply];
  for (const [index, item] of items.entries()) if (INTERNALS.has(String(item))) items[index + 1] = ':?';
  return items.map(withoutInternals);
}

function withoutId(reply: RawReply): RawReply {
  if (typeof reply === 'string') return reply;
  const at = reply.indexOf('$proto') < 0 ? -1 : reply.indexOf('$id');
  return reply.map((item, index) => (at >= 0 && index === at + 1 ? ':?' : withoutId(item)));
}

/** What the connection listens to, by the replies so far: `subscribe` to channels, `psubscribe` to patterns. */
type Heard = Readonly<Record<'subscribe' | 'psubscribe', Set<RawReply>>>;

function listen(heard: Heard, reply: RawReply): void {
  if (reply === '+RESET') for (const names of Object.values(heard)) names.clear();
  if (typeof reply === 'string') return;
  const [, pattern, un] = /^\$(p?)(un)?subscribe$/.exec(String(reply[1])) ?? [];
  if (pattern === undefined) {
    for (const part of reply) listen(heard, part);
    return;
  }
  const names = heard[pattern === '' ? 'subscribe' : 'psubscribe'];
  if (un === undefined) names.add(reply[2] as RawReply);
  else names.delete(reply[2] as RawReply);
}

/** (P)SUBSCRIBE and (P)UNSUBSCRIBE answer once for each of their words; without words, once for all that is listened to. */
function framesOf(words: readonly string[], reply: RawReply | undefined, heard: Heard): number {
  const [, kind] = /^(p?)(?:un)?subscribe$/i.exec(words[0] ?? '') ?? [];
  if (kind === undefined || typeof reply === 'string') return 1;
  const names = heard[kind === '' ? 'subscribe' : 'psubscribe'];
  return Math.max(1, words.length > 1 ? words.length - 1 : names.size);
}

const isMessage = (reply: RawReply): boolean =>
  typeof reply !== 'string' && reply[0] === '>' && (reply[1] === '$message' || reply[1] === '$pmessage');

/** The requests whose replies EXEC gives: those that were queued since MULTI. */
function queued(sequence: readonly (readonly string[])[], answers: readonly RawReply[], exec: number): (readonly string[])[] {
  const found: (readonly string[])[] = [];
  for (let at = exec - 1; at >= 0 && !/^multi$/i.test(sequence[at]?.[0] ?? ''); at -= 1)
    if (answers[at] === '+QUEUED') found.unshift(sequence[at] as readonly string[]);
  return found;
}

function execsAgree(requests: readonly (readonly string[])[], ours: RawReply | undefined, theirs: RawReply | undefined): boolean {
  if (!Array.isArray(ours) || !Array.isArray(theirs)) return ours === theirs;
  return ours.length === theirs.length && requests.every((words, index) => agree(words, ours[index + 1], theirs[index + 1]));
}

/** Where the first reply differs, in words. */
export function firstDifference(
  sequence: readonly (readonly string[])[],
  ours: readonly RawReply[],
  theirs: readonly RawReply[],
): string | undefined {
  const [mine, expected] = [ours, theirs].map((all) => all.filter((reply) => !isMessage(reply))) as [RawReply[], RawReply[]];
  const show = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
  const first: RawReply[] = []; // the first reply to each request
  const heard: Heard = { subscribe: new Set(), psubscribe: new Set() };
  let at = 0;
  for (const [index, words] of sequence.entries()) {
    first.push(expected[at] ?? '');
    const isExec = /^exec$/i.test(words[0] ?? '') && words.length === 1;
    for (let left = framesOf(words, expected[at], heard); left > 0; left -= 1, at += 1) {
      const agreed = isExec ? execsAgree(queued(sequence, first, index), mine[at], expected[at]) : agree(words, mine[at], expected[at]);
      if (!agreed) return `request ${index}: ${show(words)}\n  ours:  ${show(mine[at])}\n  redis: ${show(expected[at])}`;
      listen(heard, expected[at] ?? '');
    }
  }
  return mine.length === expected.length ? undefined : `${mine.length} replies instead of ${expected.length}`;
}
