/**
 * What users, Redis and other programs get wrong. Each gets an error class with a stable code and a message that names the place, and
 * nothing is lost: what was accepted is settled, what was refused was not applied, and the next message is handled.
 */
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { filter, firstValueFrom, take, toArray } from 'rxjs';
import { z } from 'zod';
import {
  Actor,
  type ActorClass,
  type ActorContext,
  ActorSystem,
  AppendRejected,
  AskTimeoutError,
  actor,
  CommandFailed,
  command,
  type DataOf,
  type DeadLetter,
  ErrandError,
  event,
  handles,
  InvalidValueError,
  LimitError,
  RedisError,
  SchemaError,
  type Signal,
  type StartOptions,
  subscribes,
} from '../../src/index.js';
import { shardOf } from '../../src/log/shard.js';
import { EFFECTS_PER_MESSAGE, ID_BYTES, KEY_BYTES, PAYLOAD_BYTES } from '../../src/message/limits.js';
import { bulk, startFakeRedis } from '../support/fake-redis.js';
import { onEachStore, onRealRedis } from '../support/redis-url.js';
import { Append, Appended, countActor, listActor } from '../support/shop.js';
import { onBoth, type Store } from '../support/stores.js';

/** No second attempt, so that a failure is a dead letter at once. */
const once = (name: string, more: object = {}) => [
  { name: 'once', children: [{ actor: name, recoverability: { immediate: 0, delayed: [] }, ...more }] },
];

/** The system still takes and does work, and nothing of what was refused is left behind. */
async function goesOn(t: ExecutionContext, { system }: Pick<Store, 'system'>): Promise<void> {
  t.deepEqual(await system.ask(Append, { key: 'after', word: 'after' }), { length: 1 });
  await system.idle();
}

async function letters({ system }: Store): Promise<readonly DeadLetter[]> {
  await system.idle();
  return (await system.deadLetters.list()).items;
}

function startOn(
  redis: StartOptions['redis'],
  more: Partial<StartOptions> & { actors?: readonly ActorClass[] } = {},
): Promise<ActorSystem> {
  return ActorSystem.start({ name: 'bad', shards: 2, redis, ...more, actors: (more.actors ?? [listActor()]) as [] });
}

// ---- what is told --------------------------------------------------------------------------------------------------------------------

onBoth('data that fails its schema is refused, naming the field and what was expected', { actors: [listActor()] }, async (t, store) => {
  const { system } = store;
  const bad = { key: 'a', word: 5 as unknown as string };
  for (const send of [() => system.tell(Append, bad), () => system.ask(Append, bad), () => system.publish(Appended, bad)]) {
    const error = await t.throwsAsync(send(), { instanceOf: SchemaError, code: 'INVALID_DATA' });
    t.deepEqual(
      error.faults.map(({ path }) => path),
      ['word'],
    );
    t.regex(error.message, /^data of appende?d?: word: .*expected string, received number/);
  }
  await t.throwsAsync(system.tell(Append, undefined as never), { code: 'INVALID_DATA' });
  await goesOn(t, store);
});

onBoth('what JSON does not keep is refused, naming the place', { actors: [listActor()] }, async (t, store) => {
  const Anything = command('anything', { to: 'list', key: () => 'a', data: z.unknown() });
  const faults: readonly [unknown, RegExp][] = [
    [{ at: [new Date()] }, /^data of anything: at\[0\]: an instance of Date/],
    [{ n: 5n }, /^data of anything: n: a bigint/],
    [JSON.parse('{"a":{"__proto__":{"admin":true}}}'), /^data of anything: a\.__proto__: a key named __proto__ is refused/],
  ];
  for (const [data, message] of faults)
    await t.throwsAsync(store.system.tell(Anything, data), { instanceOf: SchemaError, code: 'NOT_JSON', message });
  t.is(({} as { admin?: unknown }).admin, undefined);
  await goesOn(t, store);
});

onBoth('a payload over its limit is refused, naming both sizes', { actors: [listActor()] }, async (t, store) => {
  const error = await t.throwsAsync(store.system.tell(Append, { key: 'a', word: 'x'.repeat(PAYLOAD_BYTES) }), {
    instanceOf: LimitError,
    code: 'PAYLOAD_TOO_LARGE',
  });
  t.is(error.limit, PAYLOAD_BYTES);
  t.regex(error.message, /^data of append: \d+ bytes, at most 1048576 are allowed/);
  await goesOn(t, store);
});

onBoth('a key that cannot stand in Redis is refused', { actors: [listActor()] }, async (t, store) => {
  const { system } = store;
  for (const key of ['', '{a}', 'a}b', 'a\nb', '\u0000', '\ud800', 'é'.repeat(KEY_BYTES)]) {
    await t.throwsAsync(system.tell(Append, { key, word: 'x' }), {
      instanceOf: InvalidValueError,
      code: 'INVALID_KEY',
      message: /^key of append: found/,
    });
    await t.throwsAsync(system.state(listActor(), key), { code: 'INVALID_KEY', message: /^key: found/ });
  }
  await goesOn(t, store);
});

onBoth('a message that is undefined is refused, naming the verb', { actors: [listActor()] }, async (t, store) => {
  const { system } = store;
  const Missing = undefined as unknown as typeof Append;
  const verbs: readonly [string, () => unknown][] = [
    ['tell', () => system.tell(Missing, { key: 'a', word: 'x' })],
    ['ask', () => system.ask(Missing, { key: 'a', word: 'x' })],
    ['attach', () => system.attach(Missing, '0.x')],
    ['publish', () => system.publish(Missing as never, { key: 'a', word: 'x' } as never)],
    ['results', () => system.results(Missing)],
    ['events', () => system.events(Missing as never)],
  ];
  for (const [verb, use] of verbs) {
    const error = await t.throwsAsync(async () => use(), { instanceOf: ErrandError, code: 'UNDEFINED_MESSAGE' });
    t.regex(error.message, new RegExp(`^${verb}: found undefined, expected an? `));
  }
  await t.throwsAsync(system.tell(Appended as never, { key: 'a', word: 'x' } as never), {
    message: /^tell: found an object, expected a command\(\)/,
  });
  await goesOn(t, store);
});

const options: readonly [what: string, options: object, code: string, message: RegExp][] = [
  ['a delay that is none', { delay: '1 hour' }, 'INVALID_DURATION', /^delay of append: found '1 hour'/],
  ['a negative delay', { delay: -1 }, 'INVALID_DURATION', /^delay of append: found -1/],
  ['a delay beyond all time', { delay: 1e18 }, 'INVALID_DURATION', /^delay of append: found 1000000000000000000/],
  ['an expiry beyond all time', { expiresIn: '99999999999d' }, 'INVALID_DURATION', /^expiresIn of append: found '99999999999d'/],
  ['a moment that is none', { at: new Date(Number.NaN) }, 'INVALID_OPTION', /^at of append: found an instance of Date, expected a Date/],
  [
    'a moment and a delay',
    { at: new Date(), delay: 1 },
    'INVALID_OPTION',
    /^options of append: found 'both delay and at', expected one of them/,
  ],
  ['an empty idempotency key', { idempotencyKey: '' }, 'INVALID_OPTION', /^idempotencyKey of append: found ''/],
  ['an overlong idempotency key', { idempotencyKey: 'x'.repeat(ID_BYTES + 1) }, 'INVALID_OPTION', /^idempotencyKey of append: found 'xxx/],
  ['a correlation id with a control character', { correlationId: 'a\nb' }, 'INVALID_OPTION', /^correlationId of append: found 'a/],
  ['a correlation id that is no text', { correlationId: 5 }, 'INVALID_OPTION', /^correlationId of append: found 5/],
];
onBoth('an option that makes no sense is refused, naming it', { actors: [listActor()] }, async (t, store) => {
  for (const [what, given, code, message] of options) {
    const error = await t.throwsAsync(
      store.system.tell(Append, { key: 'a', word: 'x' }, given),
      { instanceOf: InvalidValueError, code },
      what,
    );
    t.regex(error?.message ?? '', message, what);
  }
  await t.throwsAsync(store.system.ask(Append, { key: 'a', word: 'x' }, { timeout: 'soon' as '1s' }), {
    code: 'INVALID_DURATION',
    message: /^timeout: /,
  });
  await goesOn(t, store);
});

onBoth('other data under the same idempotency key is a conflict, and changes nothing', { actors: [listActor()] }, async (t, store) => {
  const { system } = store;
  await system.tell(Append, { key: 'a', word: 'one' }, { idempotencyKey: 'k' });
  const error = await t.throwsAsync(system.tell(Append, { key: 'a', word: 'two' }, { idempotencyKey: 'k' }), {
    instanceOf: AppendRejected,
    code: 'IDEMPOTENCY_CONFLICT',
  });
  t.regex(error.messageId, /^\d+\.k/);
  await system.idle();
  t.deepEqual(await system.state(listActor(), 'a'), { words: ['one'] });
  await goesOn(t, store);
});

onBoth(
  'an answer that does not come in time is unknown, never failed; it can be had later',
  () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    gates.push(release);
    return { actors: [listActor(() => gate)] };
  },
  async (t, store) => {
    const { system } = store;
    const asking = system.ask(Append, { key: 'a', word: 'slow' }, { timeout: '200ms', correlationId: 'c-9' });
    const failed = t.throwsAsync(asking, { instanceOf: AskTimeoutError, code: 'ASK_TIMEOUT' });
    await store.pass('1s');
    const { messageId, correlationId, message } = await failed;
    t.is(correlationId, 'c-9');
    t.regex(message, /the outcome is unknown/);
    gates[store.kind === 'memory' ? 0 : 1]?.();
    t.deepEqual(await system.attach(Append, messageId), { length: 1 });
  },
);
const gates: (() => void)[] = [];

// ---- what handlers do ----------------------------------------------------------------------------------------------------------------

type Handler = (word: string, ctx: ActorContext) => unknown;

/** An actor whose handler does one thing, and another that shows that all goes on. */
function actors(handler: Handler): ActorClass[] {
  @actor('odd')
  class Odd extends Actor<{ words: unknown[] }> {
    override initialState() {
      return { words: [] as unknown[] };
    }
    @handles(Try)
    async try(data: DataOf<typeof Try>, ctx: ActorContext) {
      const done = await handler(data.word, ctx);
      if (data.word === 'state') this.state.words = done as unknown[];
      else this.state.words.push(data.word);
      return (data.word === 'state' ? undefined : (done as { length: number } | undefined)) ?? { length: 1 };
    }
  }
  return [Odd, listActor()];
}
const Try = command('try', { to: 'odd', key: () => 'k', data: z.object({ word: z.string() }), result: z.object({ length: z.number() }) });

/** The handler does `handler` to the word 'bad'; the command is a dead letter, and the next one of its key is handled. */
async function condemns(t: ExecutionContext, store: Store, reason: string, message: RegExp, word = 'bad'): Promise<DeadLetter> {
  const { system } = store;
  const error = await t.throwsAsync(system.ask(Try, { word }), { instanceOf: CommandFailed, code: 'DEAD_LETTERED' });
  t.true(error.message.startsWith(`${reason}: `), error.message);
  const [letter, ...more] = await letters(store);
  t.is(more.length, 0);
  t.like(letter, { reason, actor: 'odd', key: 'k', type: 'try', attempts: 1, data: JSON.stringify({ word }) });
  t.regex(letter?.error.message ?? '', message);
  t.is(letter?.messageId, error.messageId);
  t.deepEqual(await system.ask(Try, { word: 'good' }), { length: 1 }, 'the next message of the same key');
  await goesOn(t, store);
  return letter as DeadLetter;
}

const onlyBad =
  (run: (ctx: ActorContext) => unknown): Handler =>
  (word, ctx) =>
    word === 'good' ? undefined : run(ctx);

onBoth(
  'a result that fails its schema is a dead letter that names the field',
  { actors: actors(onlyBad(() => ({ length: 'three' }))), supervisors: once('odd') },
  async (t, store) => {
    await condemns(t, store, 'INVALID_RESULT', /^result of try: length: .*expected number, received string/);
    t.like(await firstValueFrom(store.system.results(Try, { from: 'start' })), { status: 'failed', error: { code: 'DEAD_LETTERED' } });
  },
);

onBoth(
  'a result that JSON does not keep is a dead letter',
  { actors: actors(onlyBad(() => ({ length: Number.NaN }))), supervisors: once('odd') },
  async (t, store) => void (await condemns(t, store, 'NOT_JSON', /^result of try: length: NaN/)),
);

onBoth(
  'a state over its limit is a dead letter, and the state stays as it was',
  { actors: actors((word) => (word === 'state' ? ['x'.repeat(200)] : undefined)), supervisors: once('odd', { state: { maxBytes: 100 } }) },
  async (t, store) => {
    t.deepEqual(await store.system.ask(Try, { word: 'before' }), { length: 1 });
    await condemns(t, store, 'STATE_TOO_LARGE', /^state of odd\/k: 214 bytes, at most 100 are allowed/, 'state');
    const [Odd] = actors(() => undefined) as [ActorClass];
    t.deepEqual(await store.system.state(Odd, 'k'), { words: ['before', 'good'] });
  },
);

onBoth(
  'too many effects of one message are refused where they are staged, and none of them happens',
  {
    actors: actors(
      onlyBad((ctx) => {
        for (let i = 0; i <= EFFECTS_PER_MESSAGE; i += 1) ctx.tell(Append, { key: 'flood', word: `${i}` });
      }),
    ),
    supervisors: once('odd'),
  },
  async (t, store) => {
    await condemns(t, store, 'TOO_MANY_EFFECTS', /^odd\/k: 1001 effects of one message, at most 1000 are allowed/);
    t.is(await store.system.state(listActor(), 'flood'), undefined);
  },
);

onBoth(
  'what a handler tells is held to the same rules as what is told from outside',
  { actors: actors(onlyBad((ctx) => ctx.tell(Append, { key: '{a}', word: 'x' }))), supervisors: once('odd') },
  async (t, store) => void (await condemns(t, store, 'INVALID_KEY', /^key of append: found '\{a\}', expected a text without braces/)),
);

const thrownValues: readonly [what: string, value: unknown, message: RegExp][] = [
  ['a text', 'oops', /^thrown value: 'oops'$/],
  ['nothing', undefined, /^thrown value: undefined$/],
  ['null', null, /^thrown value: null$/],
  ['an object', { code: 'X' }, /^thrown value: an object$/],
  [
    'an Error whose message is no text',
    Object.assign(new Error(), { message: 42 }),
    /^thrown value: an instance of Error with the message 42$/,
  ],
  [
    'an Error without a prototype to speak of',
    Object.create(Error.prototype, { message: { value: 'bare' }, constructor: { value: undefined } }),
    /^bare$/,
  ],
  ['an Error with a very long message', new Error('x'.repeat(10_000)), /^x{1000}$/],
];
for (const [what, value, message] of thrownValues) {
  onBoth(
    `a handler that throws ${what} fails like any other`,
    {
      actors: actors(
        onlyBad(() => {
          throw value;
        }),
      ),
      supervisors: once('odd'),
    },
    async (t, store) => void (await condemns(t, store, 'HANDLER_FAILED', message)),
  );
}

const hanging: { aborted: unknown; late: unknown }[] = [];
onBoth(
  'a handler that never returns is given up after its time, and told so; the next message of its key goes on',
  () => {
    const seen: { aborted: unknown; late: unknown } = { aborted: undefined, late: undefined };
    hanging.push(seen);
    const handler = onlyBad(
      (ctx) =>
        new Promise(() => {
          ctx.signal.addEventListener('abort', () => {
            seen.aborted = ctx.signal.reason;
            // What it does from now on counts for nothing.
            setImmediate(() => {
              try {
                ctx.publish(Appended, { key: 'late', word: 'late' });
              } catch (error) {
                seen.late = error;
              }
            });
          });
        }),
    );
    return { actors: actors(handler), supervisors: once('odd', { attemptTimeout: '200ms' }) };
  },
  async (t, store) => {
    const failing = condemns(t, store, 'ATTEMPT_TIMEOUT', /^the handler did not settle within 200 ms/);
    await store.pass('1s');
    await failing;
    const seen = hanging[store.kind === 'memory' ? 0 : 1];
    t.like(seen?.aborted, { code: 'ATTEMPT_TIMEOUT' });
    t.like(seen?.late, { code: 'HANDLER_SETTLED' });
    t.is(await store.redis('EXISTS', ...[0, 1, 2, 3].map((shard) => `{sut:${shard}}:event:appended`)), 1, "only goesOn's own fact");
  },
);

const kept: ActorContext[] = [];
onBoth(
  'a context that is used after its handler settled refuses, and the system goes on',
  { actors: actors((_word, ctx) => void kept.push(ctx)) },
  async (t, store) => {
    await store.system.ask(Try, { word: 'good' });
    const ctx = kept.at(-1) as ActorContext;
    for (const use of [
      () => ctx.tell(Append, { key: 'late', word: 'x' }),
      () => ctx.publish(Appended, { key: 'late', word: 'x' }),
      () => ctx.forget(),
    ]) {
      t.throws(use, { instanceOf: ErrandError, code: 'HANDLER_SETTLED', message: /^the handler of try for odd\/k has settled/ });
    }
    await goesOn(t, store);
    t.is(await store.system.state(listActor(), 'late'), undefined);
    t.deepEqual(await letters(store), []);
  },
);

// ---- what others write into the log --------------------------------------------------------------------------------------------------

const hand = (...fields: string[]): string[] => ['XADD', '{sut:0}:list:commands', '*', ...fields];
const named = (data: string, ...more: string[]): string[] => hand('id', 'm-1', 'type', 'append', 'subject', 'a', 'data', data, ...more);

/** For a node of a newer build, that is. */
const nothingWaits = [{ name: 's', children: [{ actor: 'list', unhandledTimeout: 0 }] }];
const written: readonly [what: string, command: string[], reason: string, message: RegExp][] = [
  ['no envelope', hand('hello', 'world'), 'NO_ENVELOPE', /no field 'id'/],
  ['no subject', hand('id', 'm-1', 'type', 'append'), 'NO_ENVELOPE', /'subject' must be a text that is not empty/],
  ['braces in its subject', hand('id', 'm-1', 'type', 'append', 'subject', '{a}'), 'NO_ENVELOPE', /without braces/],
  ['an id that is too long', hand('id', 'm'.repeat(ID_BYTES + 1), 'type', 'append', 'subject', 'a'), 'NO_ENVELOPE', /'id' must be/],
  ['data that is no JSON', named('{"key":'), 'NOT_JSON', /^data of append: the text is not JSON/],
  ['no data', hand('id', 'm-1', 'type', 'append', 'subject', 'a'), 'INVALID_DATA', /^data of append: /],
  ['data that fails its schema', named('{"key":"a"}'), 'INVALID_DATA', /^data of append: word: /],
  ['__proto__ in its data', named('{"key":"a","word":"x","__proto__":{"admin":true}}'), 'NOT_JSON', /__proto__ is refused/],
  ['__proto__ in disguise', named('{"key":"a","word":"x","x":{"\\u005f_proto__":1}}'), 'NOT_JSON', /__proto__ is refused/],
  [
    'a type that nobody handles',
    hand('id', 'm-1', 'type', 'explode', 'subject', 'a', 'data', '{}'),
    'UNKNOWN_MESSAGE',
    /^list has no handler for the command 'explode'/,
  ],
  ['a fact that nobody subscribes to', named('{}', 'kind', 'event'), 'UNKNOWN_MESSAGE', /^list has no handler for the event 'append'/],
  ['a kind that nobody knows', named('{}', 'kind', 'query'), 'NO_ENVELOPE', /'kind' must be/],
];
for (const [what, entry, reason, message] of written) {
  const given = { actors: [listActor()], shards: 1, supervisors: nothingWaits };
  onBoth(`an entry with ${what} is a dead letter, and the stream goes on`, given, async (t, store) => {
    const [verb, ...args] = entry as [string, ...string[]];
    await store.redis(verb, ...args);
    await store.redis(...(named('{"key":"a","word":"next"}') as [string, ...string[]]));
    const found = await letters(store);
    t.is(found.length, 1);
    t.is(found[0]?.reason, reason);
    t.regex(found[0]?.error.message ?? '', message);
    t.is(found[0]?.attempts, 0);
    t.deepEqual(await store.system.state(listActor(), 'a'), { words: ['next'] });
    t.is(await store.redis('XLEN', '{sut:0}:list:commands'), 0);
    t.is(({} as { admin?: unknown }).admin, undefined);
    const again = await store.system.deadLetters.get(found[0]?.id ?? '');
    t.deepEqual(again, found[0]);
  });
}

onBoth(
  'an entry in the wrong shard is a dead letter that says where it belongs',
  { actors: [listActor()], shards: 4 },
  async (t, store) => {
    const key = ['a', 'b', 'c', 'd', 'e'].find((one) => shardOf(one, 4) !== 0) as string;
    const results = firstValueFrom(store.system.results(Append, { from: 'start' }));
    await store.redis(
      'XADD',
      '{sut:0}:list:commands',
      '*',
      'id',
      'm-1',
      'type',
      'append',
      'subject',
      key,
      'data',
      `{"key":"${key}","word":"x"}`,
    );
    t.like(await results, { status: 'failed', messageId: 'm-1', error: { code: 'DEAD_LETTERED' } });
    const [letter] = await letters(store);
    t.like(letter, { reason: 'WRONG_SHARD', messageId: 'm-1', key });
    t.is(letter?.error.message, `the key '${key}' belongs to shard ${shardOf(key, 4)} of 4, the entry stands in shard 0`);
    t.is(await store.system.state(listActor(), key), undefined);
    await goesOn(t, store);
  },
);

onBoth(
  'a return address, a fingerprint or times written by hand can break nothing',
  { actors: [listActor()], shards: 1 },
  async (t, store) => {
    const { system } = store;
    // The state key of the key 'x:commands' would be the "inbox" of the actor type 'list:state:x'.
    await system.ask(Append, { key: 'x:commands', word: 'x' });
    const odd: readonly string[][] = [
      ['replyto', 'list:state:x/a'],
      ['replyto', '}{/a'],
      ['replyto', 'nowhere'],
      ['replyto', '/'],
      ['replynode', 'nobody', 'track', 'YWJj'],
      ['track', '-', 'replynode', ''],
      ['expirytime', 'soon', 'duetime', 'later', 'time', 'then'],
      ['traceparent', '\u0000', 'source', '\n'],
      ['status', 'completed'],
    ];
    const words = odd.map((_, i) => `w${i}`);
    for (const [i, more] of odd.entries()) {
      await store.redis(
        ...(hand('id', `m-${i}`, 'type', 'append', 'subject', 'a', 'data', JSON.stringify({ key: 'a', word: words[i] }), ...more) as [
          string,
          ...string[],
        ]),
      );
    }
    t.deepEqual(await letters(store), []);
    t.deepEqual(await system.state(listActor(), 'a'), { words });
    await goesOn(t, store);
  },
);

onBoth(
  'a fact that is no envelope, or cannot be re-keyed, is a dead letter of its subscriber, and the facts after it are taken in',
  { actors: [countActor('start'), plainCount()], shards: 1 },
  async (t, store) => {
    const { system } = store;
    const faults: Signal[] = [];
    system.signals.subscribe((signal) => signal.kind === 'fault' && faults.push(signal));
    const seen = firstValueFrom(system.events(Appended, { from: 'start' }).pipe(take(1), toArray()));
    await store.redis('XADD', '{sut:0}:event:appended', '*', 'hello', 'world');
    await store.redis('XADD', '{sut:0}:event:appended', '*', 'id', 'e-1', 'type', 'appended', 'subject', 'a', 'data', '{"key":');
    await store.redis(
      'XADD',
      '{sut:0}:event:appended',
      '*',
      'id',
      'e-2',
      'type',
      'appended',
      'subject',
      'a',
      'data',
      '{"key":"a","word":"good"}',
    );
    const found = await letters(store);
    t.deepEqual(found.map(({ actor: of, reason }) => `${of} ${reason}`).toSorted(), [
      'count INVALID_DATA',
      'count NOT_JSON',
      'plain-count NOT_JSON',
      'plain-count NO_ENVELOPE',
    ]);
    t.deepEqual((await system.state(countActor(), 'all'))?.words, ['good']);
    t.deepEqual(
      (await seen).map(({ data }) => data.word),
      ['good'],
      'an observer goes on as well',
    );
    t.is(faults.length, 2, 'and is told');
  },
);

function plainCount(): ActorClass {
  @actor('plain-count')
  class PlainCount extends Actor {
    @subscribes(Appended, { from: 'start' })
    onAppended(): void {}
  }
  return PlainCount;
}

const Broken = event('broken', { key: () => 'a', data: z.object({ n: z.number() }) });
onBoth(
  'a re-keying function that throws, or answers no key, condemns the fact alone',
  () => {
    @actor('rekeyed')
    class Rekeyed extends Actor<{ seen: number[] }> {
      override initialState() {
        return { seen: [] as number[] };
      }
      @subscribes(Broken, {
        from: 'start',
        key: ({ n }) => {
          if (n === 1) throw new Error('no key for one');
          return n === 2 ? '{}' : 'k';
        },
      })
      onBroken({ n }: DataOf<typeof Broken>) {
        this.state.seen.push(n);
      }
    }
    return { actors: [Rekeyed] };
  },
  async (t, store) => {
    for (const n of [1, 2, 3]) await store.system.publish(Broken, { n });
    const found = await letters(store);
    t.deepEqual(
      found.map(({ reason, error }) => [reason, error.message]),
      [
        ['KEY_FAILED', 'no key for one'],
        ['INVALID_KEY', "key of broken for rekeyed: found '{}', expected a text without braces"],
      ],
    );
    t.is(await store.redis('EXISTS', ...[0, 1, 2, 3].map((shard) => `{sut:${shard}}:rekeyed:state:k`)), 1);
  },
);

// ---- starting and stopping -----------------------------------------------------------------------------------------------------------

const starts: readonly [what: string, options: object, code: string, message: RegExp][] = [
  ['no name', { name: undefined }, 'INVALID_NAME', /^name: found undefined/],
  ['a name with a brace', { name: 'a{b' }, 'INVALID_NAME', /^name: found 'a\{b'/],
  ['no redis', { redis: undefined }, 'INVALID_OPTION', /^redis: found undefined, expected 'memory:'/],
  ['an address that is none', { redis: 'localhost:6379' }, 'INVALID_OPTION', /^redis: found 'localhost:6379'/],
  ['an address of another protocol', { redis: 'http://localhost' }, 'INVALID_OPTION', /^redis: found 'http:\/\/localhost'/],
  [
    'options that name no place',
    { redis: { hots: 'redis', db: 1 } },
    'INVALID_OPTION',
    /^redis: found 'options with hots, db', expected options with host, port/,
  ],
  ['a URL', { redis: new URL('redis://redis:7000') }, 'INVALID_OPTION', /^redis: found 'options with nothing', .* by itself/],
  ['options with an address', { redis: { url: 'redis://redis' } }, 'INVALID_OPTION', /^redis: found 'options with url', .* by itself/],
  [
    'a client of a cluster',
    { redis: { isCluster: true, options: {}, duplicate: () => {} } },
    'INVALID_OPTION',
    /^redis: found 'a client of a Redis Cluster'/,
  ],
  ['a key prefix', { redis: { keyPrefix: 'x:' } }, 'INVALID_OPTION', /^redis\.keyPrefix: found 'x:'/],
  ['no shards', { shards: 0 }, 'INVALID_OPTION', /^shards: found 0, expected a whole number from 1/],
  ['half a shard', { shards: 1.5 }, 'INVALID_OPTION', /^shards: found 1\.5/],
  ['shards as a text', { shards: '4' }, 'INVALID_OPTION', /^shards: found '4'/],
  ['no lease', { lease: 0 }, 'INVALID_DURATION', /^lease: found 0, expected at least 500 ms/],
  ['a send timeout that is none', { sendTimeout: '1 min' }, 'INVALID_DURATION', /^sendTimeout: found '1 min'/],
];
for (const [what, given, code, message] of starts) {
  test(`a start with ${what} is refused`, async (t) => {
    await t.throwsAsync(startOn('memory:', given), { instanceOf: InvalidValueError, code, message });
  });
}

test('a password in an address that is none is not repeated', async (t) => {
  for (const address of ['redis//user:secret@host', 'http://user:secret@host', 'redis://user:secret@host:99999']) {
    const error = await t.throwsAsync(startOn(address), { instanceOf: InvalidValueError, code: 'INVALID_OPTION' });
    t.false(error.message.includes('secret'), error.message);
  }
});

onBoth('a number of shards other than the recorded one is refused, naming both', { actors: [listActor()], shards: 4 }, async (t, store) => {
  const error = await t.throwsAsync(store.start({ actors: [], shards: 5 }), { instanceOf: InvalidValueError, code: 'SHARDS_MISMATCH' });
  t.is(error.message, 'shards: found 5, expected 4, which this system was started with; it is fixed for the life of the system');
  await goesOn(t, store);
});

onBoth('after stop everything is refused as STOPPED, and nothing is appended', { actors: [listActor()], shards: 1 }, async (t, store) => {
  const { system } = store;
  await system.ask(Append, { key: 'a', word: 'one' });
  const observed = firstValueFrom(system.results(Append), { defaultValue: 'completed' });
  const signals = firstValueFrom(system.signals.pipe(toArray()));
  await system.stop();
  await system.stop();
  const uses: readonly (() => unknown)[] = [
    () => system.tell(Append, { key: 'a', word: 'two' }),
    () => system.ask(Append, { key: 'a', word: 'two' }),
    () => system.publish(Appended, { key: 'a', word: 'two' }),
    () => system.attach(Append, '0.x'),
    () => system.state(listActor(), 'a'),
    () => system.idle(),
    () => system.results(Append),
    () => system.events(Appended),
    () => system.deadLetters.list(),
  ];
  for (const use of uses)
    await t.throwsAsync(async () => use(), { instanceOf: ErrandError, code: 'STOPPED', message: /the system was stopped/ }, String(use));
  t.is(await observed, 'completed');
  t.is((await signals).at(-1)?.kind, 'stopped');
  t.is(await store.redis('XLEN', '{sut:0}:list:commands'), 0);
});

const begun: { promise: Promise<void>; resolve: () => void }[] = [];
onBoth(
  'who still waits for an answer when the system stops is told that it is unknown',
  () => {
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((begin) => {
      resolve = begin;
    });
    begun.push({ promise, resolve });
    const hangs = listActor(() => {
      resolve();
      return new Promise(() => undefined);
    });
    return { actors: [hangs] };
  },
  async (t, { system, kind }) => {
    const asking = t.throwsAsync(system.ask(Append, { key: 'a', word: 'never' }), {
      instanceOf: ErrandError,
      code: 'STOPPED',
      message: /outcome is unknown/,
    });
    await begun[kind === 'memory' ? 0 : 1]?.promise;
    await system.stop({ grace: 0 });
    await asking;
  },
);

// ---- Redis as it should not be -------------------------------------------------------------------------------------------------------

test('a Redis that is not there is an error that names the place, never the password', async (t) => {
  const closed = await startFakeRedis(() => undefined);
  await closed.stop();
  const address = closed.url.replace('//', '//user:secret@');
  const error = await t.throwsAsync(startOn(address), { instanceOf: RedisError, code: 'REDIS_UNREACHABLE' });
  t.true(error.message.includes(closed.url), error.message);
  t.regex(error.message, /ECONNREFUSED/);
  t.false(error.message.includes('secret'));
});

test('a server that hangs up is unreachable', async (t) => {
  const fake = await startFakeRedis(() => undefined);
  await t.throwsAsync(startOn(fake.url), { instanceOf: RedisError, code: 'REDIS_UNREACHABLE', message: new RegExp(fake.url) });
  await fake.stop();
});

/** A server that has only this to say about itself; it knows no Lua of ours. */
async function refusedBy(
  t: ExecutionContext,
  info: string,
  code: string,
  message: RegExp,
  script = '-ERR Error compiling script\r\n',
): Promise<void> {
  const fake = await startFakeRedis(([name]) => {
    if (name === 'INFO') return bulk(info);
    if (name === 'SCRIPT') return script;
    return name === 'CLIENT' || name === 'SELECT' ? '+OK\r\n' : '-ERR unknown command\r\n';
  });
  try {
    await t.throwsAsync(startOn(fake.url), { instanceOf: RedisError, code, message });
  } finally {
    await fake.stop();
  }
}

test('a Redis older than 7.0 is refused by its version, before it is given scripts that it cannot read', async (t) => {
  await refusedBy(
    t,
    'redis_version:6.2.14\r\ncluster_enabled:0\r\n',
    'REDIS_TOO_OLD',
    /^Redis 6\.2\.14 is too old; errand needs 7\.0 or later/,
  );
  await refusedBy(t, '# nothing', 'REDIS_TOO_OLD', /too old/);
});

test('a Redis that is still loading says so', async (t) => {
  const loading = '-LOADING Redis is loading the dataset in memory\r\n';
  await refusedBy(t, 'redis_version:7.0.15\r\nloading:1\r\n', 'REDIS_LOADING', /^Redis is loading its data/, loading);
});

onRealRedis('a Redis Cluster is refused by name', async (t) => {
  const { startRedisServer } = await import('../support/redis-server.js');
  const server = await startRedisServer({ args: ['--cluster-enabled', 'yes'] });
  try {
    await t.throwsAsync(startOn(server.url), {
      instanceOf: RedisError,
      code: 'REDIS_CLUSTER',
      message: /^this is a Redis Cluster; errand does not run on one yet/,
    });
  } finally {
    await server.stop();
  }
});

/** With a raw client, and systems that are stopped at the end. */
async function against(
  url: string,
  body: (tools: { admin: Redis; start: (more?: Parameters<typeof startOn>[1]) => Promise<ActorSystem> }) => Promise<void>,
): Promise<void> {
  const admin = new Redis(url, { retryStrategy: () => null });
  admin.on('error', () => undefined);
  const systems: ActorSystem[] = [];
  try {
    await body({
      admin,
      start: async (more) => {
        const system = await startOn(url, more);
        systems.push(system);
        return system;
      },
    });
  } finally {
    for (const system of systems) await system.stop({ grace: 0 });
    admin.disconnect();
  }
}

onEachStore('a Redis that may throw data away is refused unless that is allowed by name', async (t, { url }) => {
  await against(url, async ({ admin, start }) => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await t.throwsAsync(start(), {
      instanceOf: RedisError,
      code: 'REDIS_EVICTION',
      message: /^maxmemory-policy is allkeys-lru: .*allowEviction/,
    });
    await goesOn(t, { system: await start({ allowEviction: true }) });
  });
});

onRealRedis('a missing or wrong password is an error of its own, and is not repeated', async (t, { url }) => {
  await against(url, async ({ admin, start }) => {
    await admin.config('SET', 'requirepass', 'right');
    await t.throwsAsync(start(), { instanceOf: RedisError, code: 'REDIS_AUTH', message: /password/ });
    const wrong = await t.throwsAsync(startOn(url.replace('//', '//:mistaken@')), {
      instanceOf: RedisError,
      code: 'REDIS_AUTH',
      message: /password/,
    });
    t.false(wrong.message.includes('mistaken'));
    const system = await startOn(url.replace('//', '//:right@'));
    await goesOn(t, { system });
    await system.stop();
    await admin.call('ACL', 'SETUSER', 'weak', 'on', '>pw', '~*', '&*', '+@all', '-xadd');
    await t.throwsAsync(startOn(url.replace('//', '//weak:pw@')), { instanceOf: RedisError, code: 'REDIS_PERMISSION', message: /XADD/ });
  });
});

/** A list actor that waits for `open` before it does anything. */
function gatedList(): { target: new () => Actor<{ words: string[] }>; open: () => void } {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { target: listActor(() => gate), open };
}

onEachStore('a full Redis takes nothing new, says so, and still drains what it has', async (t, { url }) => {
  await against(url, async ({ admin, start }) => {
    const { target, open } = gatedList();
    const system = await start({ actors: [target], sendTimeout: '300ms' });
    const words = Array.from({ length: 20 }, (_, i) => `w${i}`);
    for (const word of words) await system.tell(Append, { key: 'a', word });
    await admin.config('SET', 'maxmemory', '1');
    const error = await t.throwsAsync(system.tell(Append, { key: 'a', word: 'refused' }), {
      instanceOf: AppendRejected,
      code: 'REDIS_OUT_OF_MEMORY',
    });
    t.regex(error.message, /^not appended: Redis has reached maxmemory/);
    const drained = firstValueFrom(system.results(Append, { from: 'start' }).pipe(take(words.length), toArray()));
    open();
    t.true((await drained).every(({ status }) => status === 'completed'));
    t.deepEqual(await system.state(target, 'a'), { words });
    await admin.config('SET', 'maxmemory', '0');
    await goesOn(t, { system });
  });
});

onEachStore('a full Redis does not keep a node from starting: it must be able to drain', async (t, { url }) => {
  await against(url, async ({ admin, start }) => {
    const client = await start({ actors: [], shards: 2 });
    await client.tell(Append, { key: 'a', word: 'waits' });
    const first = await start();
    await first.idle();
    await first.stop();
    await client.tell(Append, { key: 'a', word: 'too' });
    await admin.config('SET', 'maxmemory', '1');
    const system = await start();
    await firstValueFrom(system.results(Append, { from: 'start' }).pipe(take(2), toArray()));
    t.deepEqual(await system.state(listActor(), 'a'), { words: ['waits', 'too'] });
  });
});

onRealRedis('a read-only replica takes nothing, says so, and nothing is lost when it is promoted', async (t, { url }) => {
  await against(url, async ({ admin, start }) => {
    const { target, open } = gatedList();
    const system = await start({ actors: [target], sendTimeout: '300ms' });
    await system.tell(Append, { key: 'a', word: 'accepted' });
    const lost = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'partition-lost')));
    await admin.call('REPLICAOF', '127.0.0.1', '1');
    const error = await t.throwsAsync(system.tell(Append, { key: 'a', word: 'refused' }), {
      instanceOf: AppendRejected,
      code: 'REDIS_READONLY',
    });
    t.regex(error.message, /^not appended: this Redis is a read-only replica/);
    await t.throwsAsync(start({ actors: [listActor()] }), { instanceOf: RedisError, code: 'REDIS_READONLY' });
    open();
    await lost; // its commit was refused
    await admin.call('REPLICAOF', 'NO', 'ONE');
    await system.idle();
    t.deepEqual(await system.state(target, 'a'), { words: ['accepted'] });
    await goesOn(t, { system });
  });
});
