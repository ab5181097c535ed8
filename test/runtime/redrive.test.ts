/** Dead letters, redriven and discarded: what is over comes back as a new message, what is parked goes on where it waits. */
import test, { type ExecutionContext } from 'ava';
import { filter, firstValueFrom } from 'rxjs';
import type { ActorClass, ActorContext, ActorSystem } from '../../src/index.js';
import { Append, listActor } from '../support/shop.js';
import { type Options, onBoth, type Store } from '../support/stores.js';

void test;

/** Fails at words that begin with `bad`, until it is mended; tells what it was told. */
type Mended = ActorClass & {
  broken: boolean;
  seen: Pick<ActorContext, 'messageId' | 'idempotencyKey' | 'correlationId' | 'causationId' | 'attempt'>[];
};

function list(): Mended {
  const List = listActor((word, ctx) => {
    const { messageId, idempotencyKey, correlationId, causationId, attempt } = ctx;
    if (word.startsWith('bad')) List.seen.push({ messageId, idempotencyKey, correlationId, causationId, attempt });
    if (List.broken && word.startsWith('bad')) throw new Error('broken');
  }) as unknown as Mended;
  List.broken = true;
  List.seen = [];
  return List;
}

const policy = (order: 'block' | 'park') => [
  { name: 's', children: [{ actor: 'list', recoverability: { immediate: 1, delayed: [], order } }] },
];
const options =
  (order: 'block' | 'park' = 'block') =>
  (): Options => ({ actors: [list()], supervisors: policy(order), shards: 1 });
const listOf = ({ actors }: Options): Mended => actors[0] as Mended;

const tell = async (system: ActorSystem, ...words: string[]): Promise<void> => {
  for (const word of words) await system.tell(Append, { key: 'a', word });
};
const words = async (t: ExecutionContext, system: ActorSystem, expected: string[]): Promise<void> => {
  t.deepEqual((await system.state(listActor(), 'a'))?.words ?? [], expected);
};
async function settled({ system, pass }: Store): Promise<void> {
  const idle = system.idle();
  await pass('500ms');
  await idle;
}

// ---- what is over --------------------------------------------------------------------------------------------------------------------

onBoth(
  'a letter redriven is a new message, caused by the old one, with its correlation and idempotency key and a result of its own',
  options(),
  async (t, store, given) => {
    const { system, start } = store;
    const List = listOf(given);
    const { messageId } = await system.tell(Append, { key: 'a', word: 'bad' }, { correlationId: 'c-7', track: true });
    await tell(system, 'good');
    await settled(store);
    const letter = (await system.deadLetters.list()).items[0]?.id ?? '';
    List.broken = false;
    const client = await start({ actors: [], shards: 1 });
    const [redriven, ...others] = await client.deadLetters.redrive(letter);
    t.deepEqual(others, []);
    t.is(redriven?.letter, letter);
    const again = redriven?.messageId ?? '';
    t.not(again, messageId);
    const attached = client.attach(Append, again);
    await store.pass('2s');
    t.deepEqual(await attached, { length: 2 });
    t.like(await t.throwsAsync(client.attach(Append, messageId)), { code: 'DEAD_LETTERED' }, 'what was answered stays answered');
    t.deepEqual(List.seen.at(-1), {
      messageId: again,
      idempotencyKey: messageId,
      correlationId: 'c-7',
      causationId: messageId,
      attempt: 1,
    });
    await words(t, system, ['good', 'bad']);
    t.deepEqual((await client.deadLetters.list()).items, []);
    t.deepEqual(await client.deadLetters.redrive(letter), [], 'a second time there is nothing left to do');
    await settled(store);
    await words(t, system, ['good', 'bad']);
  },
);

onBoth(
  'letters chosen by a filter are redriven in the order of their key; what fails again is a letter again',
  options(),
  async (t, store, given) => {
    const { system } = store;
    await tell(system, 'bad 1', 'bad 2', 'bad 3');
    await system.tell(Append, { key: 'b', word: 'bad b' });
    await settled(store);
    const before = (await system.deadLetters.list()).items;
    t.is(before.length, 4);
    t.is((await system.deadLetters.redrive({ key: 'b' })).length, 1);
    await settled(store);
    const failedAgain = (await system.deadLetters.list()).items.find(({ key }) => key === 'b');
    t.is(failedAgain?.causationId, before.find(({ key }) => key === 'b')?.messageId);
    listOf(given).broken = false;
    t.is((await system.deadLetters.redrive({ actor: 'list', key: 'a', type: 'append', reason: 'HANDLER_FAILED' })).length, 3);
    await settled(store);
    await words(t, system, ['bad 1', 'bad 2', 'bad 3']);
    t.is((await system.deadLetters.redrive({})).length, 1, 'all there are');
    await settled(store);
    t.deepEqual((await system.deadLetters.list()).items, []);
  },
);

onBoth('several who redrive the same letters at once redrive each of them once', options(), async (t, store, given) => {
  const { system, start } = store;
  await tell(system, 'bad 1', 'bad 2', 'bad 3');
  await settled(store);
  listOf(given).broken = false;
  const client = await start({ actors: [], shards: 1 });
  const done = await Promise.all([system.deadLetters.redrive({}), client.deadLetters.redrive({}), system.deadLetters.redrive({})]);
  t.is(done.flat().length, 3);
  await settled(store);
  await words(t, system, ['bad 1', 'bad 2', 'bad 3']);
});

onBoth('a letter that is discarded is gone, and its message is not tried again', options(), async (t, store) => {
  const { system } = store;
  await tell(system, 'bad', 'good');
  await settled(store);
  const { items } = await system.deadLetters.list();
  const discarded = firstValueFrom(system.signals.pipe(filter(({ kind }) => kind === 'discarded')));
  t.is(await system.deadLetters.discard(items[0]?.id ?? ''), 1);
  t.is(await system.deadLetters.discard(items[0]?.id ?? ''), 0);
  t.like(await discarded, { actor: 'list', letter: items[0]?.id, messageId: items[0]?.messageId });
  t.deepEqual((await system.deadLetters.list()).items, []);
  await words(t, system, ['good']);
});

onBoth('what is no message cannot be redriven, and a misspelt filter chooses nothing', options(), async (t, store) => {
  const { system, redis } = store;
  await redis('XADD', '{sut:0}:list:commands', '*', 'what', 'ever');
  await settled(store);
  const { items } = await system.deadLetters.list();
  await t.throwsAsync(system.deadLetters.redrive(items[0]?.id ?? ''), { code: 'NOT_REDRIVABLE', message: /NO_ENVELOPE/ });
  t.deepEqual(await system.deadLetters.redrive({}), []);
  await t.throwsAsync(system.deadLetters.redrive({ acter: 'list' } as never), { code: 'INVALID_OPTION', message: /'acter'/ });
  await t.throwsAsync(system.deadLetters.discard({ actor: 1 } as never), { code: 'INVALID_OPTION' });
  await t.throwsAsync(system.deadLetters.redrive('list/0/x'), { code: 'INVALID_ID' });
  t.is(await system.deadLetters.discard({ reason: 'NO_ENVELOPE' }), 1);
});

/** A letter is changed by hand: the field, or nothing, becomes a text that is no JSON. Its own id from then on. */
async function damaged({ redis }: Store, field: string): Promise<string> {
  const [[entry, fields]] = (await redis('XRANGE', '{sut:0}:list:dead', '-', '+')) as [[string, string[]]];
  const at = fields.indexOf(field);
  fields.splice(at + 1, 1, '{"not');
  await redis('XDEL', '{sut:0}:list:dead', entry);
  return `list/0/${(await redis('XADD', '{sut:0}:list:dead', '*', ...fields)) as string}`;
}

for (const field of ['envelope', 'history', 'time', 'attempts']) {
  onBoth(`a letter whose ${field} was changed by hand hides no other, and can be put away`, options(), async (t, store) => {
    const { system } = store;
    await tell(system, 'bad');
    await settled(store);
    const id = await damaged(store, field);
    await tell(system, 'bad too');
    await settled(store);
    const { items } = await system.deadLetters.list();
    t.like(items, [{ id, key: 'a', reason: 'HANDLER_FAILED' }, { key: 'a' }]);
    t.true(items.every(({ at, attempts }) => at.getTime() > 0 && Number.isInteger(attempts)));
    if (field === 'envelope') {
      t.deepEqual((await system.deadLetters.redrive({ reason: 'HANDLER_FAILED' })).length, 1);
      await settled(store);
      await t.throwsAsync(system.deadLetters.redrive(id), { code: 'NOT_REDRIVABLE' });
    }
    t.is(await system.deadLetters.discard(id), 1);
    t.is(await system.deadLetters.get(id), undefined);
  });
}

// ---- what is parked ------------------------------------------------------------------------------------------------------------------

onBoth(
  'a parked message redriven is tried again where it waits, as if it was new; its key goes on behind it',
  options('park'),
  async (t, store, given) => {
    const { system, start } = store;
    const List = listOf(given);
    await tell(system, 'one', 'bad', 'three');
    await settled(store);
    await words(t, system, ['one']);
    const { items } = await system.deadLetters.list();
    t.like(items, [{ parked: true, reason: 'PARKED_HANDLER_FAILED', attempts: 2 }]);
    const client = await start({ actors: [], shards: 1 });
    List.broken = false;
    const [redriven] = await client.deadLetters.redrive(items[0]?.id ?? '');
    t.is(redriven?.messageId, items[0]?.messageId, 'it is the same message');
    await settled(store);
    await words(t, system, ['one', 'bad', 'three']);
    t.deepEqual(
      List.seen.map(({ attempt }) => attempt),
      [1, 2, 1],
    );
    t.deepEqual((await client.deadLetters.list()).items, []);
    t.deepEqual(await client.deadLetters.redrive({}), []);
  },
);

onBoth('one that fails again is parked again; whoever asks twice has it tried once', options('park'), async (t, store, given) => {
  const { system } = store;
  const List = listOf(given);
  await tell(system, 'bad', 'two');
  await settled(store);
  const first = (await system.deadLetters.list()).items[0]?.id ?? '';
  await Promise.all([system.deadLetters.redrive(first), system.deadLetters.redrive(first), system.deadLetters.redrive({})]);
  await settled(store);
  t.is(List.seen.length, 4, 'two attempts, and two more');
  const { items } = await system.deadLetters.list();
  t.is(items.length, 1);
  t.not(items[0]?.id, first);
  t.is(items[0]?.history.length, 4, 'its story goes on');
  await words(t, system, []);
  List.broken = false;
  await system.deadLetters.redrive({ reason: 'PARKED_HANDLER_FAILED' });
  await settled(store);
  await words(t, system, ['bad', 'two']);
});

onBoth('a parked message discarded ends as failed, and those behind it go on', options('park'), async (t, store) => {
  const { system } = store;
  const { messageId } = await system.tell(Append, { key: 'a', word: 'bad' }, { track: true });
  await tell(system, 'two', 'three');
  await settled(store);
  const { items } = await system.deadLetters.list();
  t.is(await system.deadLetters.discard(items[0]?.id ?? ''), 1);
  await settled(store);
  t.like(await t.throwsAsync(system.attach(Append, messageId)), {
    code: 'DEAD_LETTERED',
    message: 'discarded; PARKED_HANDLER_FAILED: broken',
  });
  await words(t, system, ['two', 'three']);
  t.deepEqual((await system.deadLetters.list()).items, []);
  t.is(await system.deadLetters.discard(items[0]?.id ?? ''), 0);
});

onBoth('what is asked for while no owner lives is done by the next one', options('park'), async (t, { system, start, pass, redis }) => {
  await tell(system, 'bad', 'two');
  await system.idle();
  const letter = (await system.deadLetters.list()).items[0]?.id ?? '';
  await system.stop();
  const client = await start({ actors: [], shards: 1 });
  await client.deadLetters.redrive(letter);
  await client.deadLetters.discard(letter);
  t.is(await redis('XLEN', '{sut:0}:list:commands'), 2);
  const Next = list();
  Next.broken = false;
  const next = await start({ actors: [Next], supervisors: policy('park'), shards: 1 });
  const idle = next.idle();
  await pass('500ms');
  await idle;
  await words(t, next, ['bad', 'two']);
});

onBoth('a parked letter changed by hand still leads to its message', options('park'), async (t, store, given) => {
  const { system } = store;
  await tell(system, 'bad', 'two');
  await settled(store);
  const id = await damaged(store, 'envelope');
  listOf(given).broken = false;
  t.is((await system.deadLetters.redrive(id)).length, 1);
  await settled(store);
  await words(t, system, ['bad', 'two']);
  t.deepEqual((await system.deadLetters.list()).items, []);
});
