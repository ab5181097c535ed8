import test, { type ExecutionContext } from 'ava';
import { type Arbitrary, array, asyncProperty, assert as check, constantFrom, integer, option, string, tuple } from 'fast-check';
import { Appender } from '../../src/log/appender.js';
import { CommitBatch, commit } from '../../src/log/commit.js';
import { Link } from '../../src/log/connection.js';
import { Keys } from '../../src/log/keys.js';
import { acquire, release, renew } from '../../src/log/lease.js';
import { ScriptArguments } from '../../src/log/script-arguments.js';
import { loadScripts, runScript } from '../../src/log/scripts.js';
import { openStore } from '../../src/log/store.js';
import { ToldTypes } from '../../src/log/told-types.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { type Clock, systemClock } from '../../src/message/clock.js';
import { toFields } from '../../src/message/envelope.js';
import { RedisError } from '../../src/message/errors.js';
import { seededRandom } from '../../src/message/random.js';
import { VirtualClock } from '../../src/message/virtual-clock.js';
import { type RunningRedis, redisServerOnPath, startRedisServer } from '../support/redis-server.js';

/** The scripts themselves, on both stores. */

const keys = new Keys('s', 4);
const random = seededRandom(7);
const partition = { type: 'list', shard: 1 };
const inbox = keys.inbox('list', 1);

interface Bench {
  readonly link: Link;
  readonly clock: Clock;
  readonly advance: (ms: number) => Promise<void>;
}

let server: Promise<RunningRedis> | undefined;
const real = redisServerOnPath();
test.before(() => {
  if (real) server = startRedisServer();
});
test.after.always(async () => (await server)?.stop());

function onBoth(title: string, body: (t: ExecutionContext, bench: Bench) => Promise<void>): void {
  test(`${title} (in-process)`, async (t) => {
    const clock = new VirtualClock();
    const memory = createMemoryRedis({ clock, declaredKeysOnly: true });
    const link = new Link({ store: await openStore(memory, clock), name: 'test', clock, random, greet: loadScripts });
    await link.open();
    await body(t, { link, clock, advance: (ms) => clock.advance(ms) });
    link.close();
    await memory.close();
  });
  if (!real) return;
  test.serial(`${title} (redis-server)`, async (t) => {
    const link = new Link({
      store: await openStore((await server)?.url ?? '', systemClock),
      name: 'test',
      clock: systemClock,
      random,
      greet: loadScripts,
    });
    await link.open();
    await link.call('FLUSHALL');
    await body(t, { link, clock: systemClock, advance: () => Promise.resolve() });
    link.close();
  });
}

/** A batch of messages with one field each, as the appender lays it out. */
function send(link: Link, sequence: number, limit: number, words: readonly string[]): Promise<unknown> {
  const messages = new ScriptArguments();
  for (const word of words) {
    for (const number of [2, 1, 0]) messages.number(number);
    messages.row(2, ['word', word]);
  }
  return runScript(link, 'append', [keys.producer(1, 'p'), inbox], [sequence, 60_000, limit], messages.take());
}
const append = (link: Link, sequence: number, ...words: string[]): Promise<unknown> => send(link, sequence, 3, words);

onBoth('a batch that is sent again is applied once and answered as before', async (t, { link }) => {
  const first = await append(link, 1, 'a', 'b');
  t.is(await append(link, 1, 'a', 'b'), first);
  t.is(await link.call('XLEN', [inbox]), 2);
});

onBoth('a long batch, whose arguments go packed, means the same as short ones', async (t, { link }) => {
  const words = Array.from({ length: 40 }, (_, i) => `ä${i}`);
  const first = await send(link, 1, 100, words);
  t.is(await send(link, 1, 100, words), first);
  t.is(await send(link, 2, 100, ['last']), 'ok');
  t.is(await send(link, 1, 100, words), 'stale');
  t.deepEqual(
    await stored(link, inbox),
    [...words, 'last'].map((word) => ['word', word]),
  );
});

const results = keys.results('list', 1);
/** Few values, so that most are those of the entry before or stand twice in one; long ones, odd ones, and entries of many fields. */
const value = constantFrom('', 'a', 'b', '0.0198c2a0-0000-7000-8000-000000000000', 'ä€😀', 'x'.repeat(200), '0', '-1', '%');
const fieldsOf = integer({ min: 1, max: 8 }).chain((count) =>
  array(tuple(constantFrom('id', 'type', 'data', 'n'), value), { minLength: count, maxLength: count }),
);
const long = integer({ min: 17, max: 80 }).chain((count) =>
  array(tuple(string({ minLength: 1 }), value), { minLength: count, maxLength: count }),
);
/** As errand writes most of them; some with a field more, or of another type. */
const envelopes = tuple(
  value,
  value,
  option(value),
  option(constantFrom('completed' as const, 'failed' as const)),
  option(value),
  option(value),
).map(([id, data, causationId, status, track, replyNode]) => {
  const envelope = { id, type: 't', source: 's', subject: 'k', time: 0, correlationId: data };
  const fields = toFields({
    ...envelope,
    data,
    causationId: causationId ?? undefined,
    status: status ?? undefined,
    track: track ?? undefined,
    replyNode: replyNode ?? undefined,
  });
  const typed = fields.map((text) => (data === '-1' && text === 'application/json' ? 'text/plain' : text));
  return typed.flatMap((name, i) => (i % 2 === 0 ? [[name, typed[i + 1] as string]] : []));
});
const shapes = [long, fieldsOf, envelopes, envelopes];
const entry = tuple(
  constantFrom(inbox, inbox, results),
  integer({ min: 0, max: 3 }).chain((draw): Arbitrary<string[][]> => shapes[draw] ?? fieldsOf),
);
const someEntries = array(entry, { minLength: 1, maxLength: 30 });

async function stored(link: Link, stream: string): Promise<string[][]> {
  return ((await link.call('XRANGE', [stream, '-', '+'])) as [string, string[]][]).map(([, fields]) => fields);
}

onBoth('whatever a batch of entries holds, the streams get what was given, in order', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  let sequence = 0;
  const arrives = asyncProperty(someEntries, constantFrom('append', 'commit'), async (entries, verb) => {
    await link.call('DEL', [inbox, results]);
    const given = entries.map(([stream, fields]) => ({ stream, fields: fields.flat() }));
    if (verb === 'append') {
      const messages = new ScriptArguments();
      for (const { stream, fields } of given) {
        for (const number of [stream === inbox ? 2 : 3, 0, 0]) messages.number(number);
        messages.row(stream === inbox ? 2 : 3, fields);
      }
      sequence += 1;
      await runScript(link, 'append', [keys.producer(1, 'p'), inbox, results], [sequence, 60_000, 1_000], messages.take());
    } else {
      const writes = new CommitBatch(keys.partition('list', 1));
      given.forEach(({ stream, fields }, i) => writes.append(stream, fields, i % 2 === 0 ? 1_000 : undefined));
      await commit(link, 'n1', writes);
    }
    for (const stream of [inbox, results]) {
      t.deepEqual(
        await stored(link, stream),
        given.filter((one) => one.stream === stream).map(({ fields }) => fields),
      );
    }
  });
  await check(arrives, { numRuns: 150 });
});

onBoth('of what a batch sets, each key holds the last, as long as it was to, among whatever else is written', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  const key = integer({ min: 1, max: 600 }).map((i) => keys.state('list', 1, `k${i}`));
  const sets = array(tuple(key, option(string({ unit: 'binary', maxLength: 40 }))), { minLength: 1, maxLength: 1_200, size: 'max' });
  const holds = asyncProperty(sets, option(integer({ min: 10_000, max: 90_000 }), { nil: undefined }), async (given, keepFor) => {
    await link.call('DEL', [results, ...given.map(([name]) => name)]);
    const batch = new CommitBatch(keys.partition('list', 1));
    const expected = new Map<string, string | null>();
    for (const [name, text] of given) {
      batch.set(name, text, keepFor);
      expected.set(name, text);
      if (expected.size % 7 === 0) batch.append(results, ['word', name]);
    }
    t.is(await commit(link, 'n1', batch), 'committed');
    t.deepEqual(await link.call('MGET', [...expected.keys()]), [...expected.values()]);
    const [first] = [...expected].find(([, text]) => text !== null) ?? [];
    if (first === undefined) return;
    const left = (await link.call('PTTL', [first])) as number;
    if (keepFor === undefined) t.is(left, -1);
    else t.true(left > 0 && left <= keepFor, `${left} ms`);
  });
  await check(holds, { numRuns: 40 });
});

// issue 14, A2
onBoth(
  'what Redis refuses of one message of a batch is said of that one, and of the others nothing is lost or sent twice',
  async (t, { link }) => {
    await link.call('SET', [results, 'no stream']);
    const messages = new ScriptArguments();
    for (const stream of [2, 3, 2]) {
      for (const number of [stream, 0, 0]) messages.number(number);
      messages.row(stream, ['word', 'a']);
    }
    const again = () => runScript(link, 'append', [keys.producer(1, 'p'), inbox, results], [1, 60_000, 100], messages.take());
    t.is(await again(), 'ok wrongtype ok');
    t.is(await again(), 'ok wrongtype ok');
    t.is(await link.call('XLEN', [inbox]), 2);
  },
);

onBoth('a message whose outcome cannot be recorded is not appended either', async (t, { link }) => {
  const outcome = keys.outcome(1, 'id');
  await link.call('RPUSH', [outcome, 'no string']);
  const given = (sequence: number, more: number): Promise<unknown> => {
    const messages = new ScriptArguments();
    for (let i = 0; i <= more; i += 1) {
      for (const number of [2, 0, i === 0 ? 3 : 0]) messages.number(number);
      if (i === 0) for (const text of ['print', '0']) messages.text(text);
      messages.row(2, toFields({ id: 'id', type: 't', source: 's', subject: 'k', time: 0, correlationId: 'id', data: '1' }));
    }
    return runScript(link, 'append', [keys.producer(1, 'p'), inbox, outcome], [sequence, 60_000, 100], messages.take());
  };
  t.is(await given(1, 0), 'wrongtype');
  t.is(await link.call('XLEN', [inbox]), 0);
  t.is(await given(2, 1), 'wrongtype ok');
  t.is(await link.call('XLEN', [inbox]), 1);
});

onBoth("a producer's record of another type refuses the batch as a whole", async (t, { link }) => {
  await link.call('RPUSH', [keys.producer(1, 'p'), 'no string']);
  t.is(await append(link, 1, 'a', 'b'), 'none wrongtype');
  t.is(await link.call('XLEN', [inbox]), 0);
});

onBoth('a commit of which any key has another type writes nothing, whichever that is', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  const other = keys.inbox('other', 1);
  const [list, waiting, scheduled, state] = [
    keys.aside('list', 1, 'a'),
    keys.waiting('list', 1),
    keys.scheduled('list', 1),
    keys.state('list', 1, 'a'),
  ];
  const streams = [results, other, keys.dead('list', 1)];
  const gathered = (): CommitBatch => {
    const batch = new CommitBatch(keys.partition('list', 1));
    batch.set(state, '1 {}');
    for (const stream of [...streams, ...streams]) batch.append(stream, ['word', 'a']);
    batch.write('ZADD', waiting, 1, 'a');
    batch.write('RPUSH', list, 'one');
    batch.write('HSET', scheduled, 'id', 'text');
    batch.write('XTRIM', inbox, 'MINID', '=', '9-9');
    return batch;
  };
  const all = [...streams, waiting, list, scheduled, inbox, state];
  for (const key of all.slice(0, -1)) {
    await link.call('DEL', all);
    await link.call('SET', [key, 'of no use']);
    const error = await t.throwsAsync(commit(link, 'n1', gathered()), { instanceOf: RedisError, code: 'REDIS_WRONG_TYPE' }, key);
    t.is(error?.key, key);
    for (const one of all) {
      const length = one === key ? 0 : streams.includes(one) ? await link.call('XLEN', [one]) : await link.call('EXISTS', [one]);
      t.is(length, 0, `${one}, where ${key} is of another type`);
    }
  }
  await link.call('DEL', all);
  t.is(await commit(link, 'n1', gathered()), 'committed');
  t.is(await link.call('XLEN', [other]), 2);
});

onBoth('of what a commit does to one member or one list, the order counts', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  const [list, waiting] = [keys.aside('list', 1, 'a'), keys.waiting('list', 1)];
  await link.call('RPUSH', [list, 'one', 'two']);
  await link.call('ZADD', [waiting, 1, 'a', 1, 'b']);
  const batch = new CommitBatch(keys.partition('list', 1));
  batch.write('LPOP', list);
  batch.write('ZREM', waiting, 'a');
  batch.write('RPUSH', list, 'three');
  batch.write('LSET', list, 0, 'two again');
  batch.write('ZADD', waiting, 5, 'a');
  batch.write('ZADD', waiting, 6, 'b');
  batch.write('ZREM', waiting, 'b');
  batch.write('ZADD', waiting, 7, 'c');
  batch.write('ZADD', waiting, 8, 'c');
  t.is(await commit(link, 'n1', batch), 'committed');
  t.deepEqual(await link.call('LRANGE', [list, 0, -1]), ['two again', 'three']);
  t.deepEqual(await link.call('ZRANGE', [waiting, 0, -1, 'WITHSCORES']), ['a', '5', 'c', '8']);
});

onBoth('a message alone is judged as one among others', async (t, { link }) => {
  const outcome = keys.outcome(1, 'id');
  let sequence = 0;
  const given = (limit: number, print: string | undefined, replyNode?: string): Promise<unknown> => {
    const messages = new ScriptArguments();
    for (const number of [2, 1]) messages.number(number);
    if (print === undefined) messages.number(0);
    else {
      messages.number(3);
      for (const text of [print, '0']) messages.text(text);
    }
    const envelope = { id: 'id', type: 't', source: 's', subject: 'k', time: 0, correlationId: 'id', data: '1', track: print, replyNode };
    messages.row(2, toFields(envelope));
    sequence += 1;
    return runScript(link, 'append', [keys.producer(1, 'p'), inbox, outcome], [sequence, 60_000, limit], messages.take());
  };
  t.is(await given(0, 'one', 'node'), 'full');
  t.is(await given(9, 'one', 'node'), 'ok');
  t.is(await given(9, 'one', 'node'), 'duplicate');
  t.is(await given(9, 'two', 'node'), 'conflict');
  t.is(await link.call('GET', [outcome]), 'one pending');
  t.is(await given(2, undefined), 'ok');
  t.is(await given(2, undefined), 'full');
  t.is(await link.call('XLEN', [inbox]), 2);
});

onBoth('a batch older than the last one is ignored', async (t, { link }) => {
  await append(link, 2, 'b');
  t.is(await append(link, 1, 'a'), 'stale');
  t.is(await link.call('XLEN', [inbox]), 1);
});

onBoth('an inbox that is full refuses the message, and only that one', async (t, { link }) => {
  const words = String(await append(link, 1, 'a', 'b', 'c', 'd')).split(' ');
  t.is(words.length, 4);
  t.is(words[3], 'full');
  t.is(await link.call('XLEN', [inbox]), 3);
});

onBoth('a partition has one owner until its lease ends, or it is released', async (t, { link, advance }) => {
  const owner = { nonce: 'n1', node: 'one', lease: 10_000, previous: [] };
  t.is((await acquire(link, keys, partition, owner)).kind, 'acquired');
  const other = { nonce: 'n2', node: 'two', lease: 10_000, previous: [] };
  t.like(await acquire(link, keys, partition, other), { kind: 'held', node: 'one' });
  t.deepEqual(await renew(link, keys, [{ ...partition, nonce: 'n1' }], 10_000), []);
  t.deepEqual(await renew(link, keys, [{ ...partition, nonce: 'n2' }], 10_000), [{ ...partition, nonce: 'n2' }]);
  t.deepEqual(await release(link, keys, [{ ...partition, nonce: 'n1' }]), []);
  t.is((await acquire(link, keys, partition, { ...other, lease: 1 })).kind, 'acquired');
  await advance(2);
  t.is((await acquire(link, keys, partition, { ...owner, previous: ['n1', 'n2'] })).kind, 'acquired', 'it was ours, or its lease is over');
});

onBoth('a commit with another nonce writes nothing', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  const batch = new CommitBatch(keys.partition('list', 1));
  batch.write('SET', keys.state('list', 1, 'a'), '1 {}');
  t.is(await commit(link, 'n2', batch), 'fenced');
  t.is(await link.call('EXISTS', [keys.state('list', 1, 'a')]), 0);
  t.is(await commit(link, 'n1', batch), 'committed');
  t.is(await link.call('GET', [keys.state('list', 1, 'a')]), '1 {}');
});

onBoth('a commit whose condition does not hold writes nothing', async (t, { link }) => {
  await acquire(link, keys, partition, { nonce: 'n1', node: 'one', lease: 10_000, previous: [] });
  const move = (from: string, to: string): CommitBatch => {
    const batch = new CommitBatch(keys.partition('list', 1));
    batch.expect('cursor:x', from);
    batch.append(inbox, ['fact', to]);
    batch.write('HSET', keys.partition('list', 1), 'cursor:x', to);
    return batch;
  };
  t.is(await commit(link, 'n1', move('', '1-0')), 'committed');
  t.is(await commit(link, 'n1', move('', '1-0')), 'changed', 'the same facts are not taken in twice');
  t.is(await link.call('XLEN', [inbox]), 1);
  t.is(await commit(link, 'n1', move('1-0', '2-0')), 'committed');
});

onBoth('a flushed script cache is no failure', async (t, { link }) => {
  await link.call('SCRIPT', ['FLUSH']);
  await append(link, 1, 'a');
  t.is(await link.call('XLEN', [inbox]), 1);
});

onBoth('what is told in one turn is one batch, and each message gets its own answer', async (t, { link, clock }) => {
  const appender = new Appender({ link, keys, clock, producer: 'q', told: new ToldTypes(), sendTimeout: 1_000, inboxLimit: 2 });
  const one = (word: string) =>
    appender.append(1, { messageId: word, stream: inbox, to: 'list', bounded: true, fields: ['word', word], outcome: undefined }).then(
      () => word,
      (error: unknown) => (error as { code: string }).code,
    );
  t.deepEqual(await Promise.all(['a', 'b', 'c'].map(one)), ['a', 'b', 'INBOX_FULL']);
  t.regex(String(await link.call('GET', [keys.producer(1, 'q')])), /^1 ok ok full$/, 'one batch, one sequence');
  appender.close();
  t.is(await one('d'), 'STOPPED');
});
