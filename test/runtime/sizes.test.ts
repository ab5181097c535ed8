// issue 14, A10
/** Beyond each bound in bytes there is a named error and a letter that keeps what it can; nothing is tried for ever, and neighbours go on. */
import { z } from 'zod';
import { Actor, type ActorClass, type ActorContext, actor, CommandFailed, command, type DataOf, handles } from '../../src/index.js';
import { EFFECTS_BYTES, ENTRY_BYTES } from '../../src/message/limits.js';
import { Append, Appended, countActor, listActor } from '../support/shop.js';
import { onBoth, type Store } from '../support/stores.js';

const Fan = command('fan', { to: 'fan', key: (d) => d.key, data: z.object({ key: z.string(), each: z.number(), times: z.number() }) });

function fanActor(caught: string[] = []): ActorClass {
  @actor('fan')
  class FanActor extends Actor {
    @handles(Fan)
    fan({ key, each, times }: DataOf<typeof Fan>, ctx: ActorContext) {
      const word = 'x'.repeat(each);
      try {
        for (let i = 0; i < times; i += 1) ctx.tell(Append, { key: 'fanned', word });
      } catch (error) {
        if (key !== 'careful') throw error;
        caught.push((error as { code: string }).code);
        ctx.tell(Append, { key: 'fanned', word: 'less' });
      }
    }
  }
  return FanActor;
}

const once = [{ name: 'once', children: [{ actor: 'fan', recoverability: { immediate: 0, delayed: [] } }] }];

onBoth(
  'effects over their bound in bytes are refused where they are staged, and none of them happens',
  { actors: [fanActor(), listActor()], supervisors: once, sizes: { effects: 10_000 } },
  async (t, { system }) => {
    const error = await t.throwsAsync(system.ask(Fan, { key: 'a', each: 1_000, times: 10 }), { instanceOf: CommandFailed });
    t.regex(error.message, /^EFFECTS_TOO_LARGE: fan\/a: 10\d\d\d bytes in one message's effects, at most 10000 are allowed$/);
    await system.ask(Fan, { key: 'a', each: 1_000, times: 9 });
    await system.idle();
    t.is(((await system.state(listActor() as never, 'fanned')) as unknown as { words: string[] }).words.length, 9);
    const { items } = await system.deadLetters.list();
    t.deepEqual(
      items.map(({ reason, key }) => [reason, key]),
      [['EFFECTS_TOO_LARGE', 'a']],
    );
  },
);

const caught: string[] = [];
onBoth(
  'a handler may catch the refusal of an effect and stage less',
  { actors: [fanActor(caught), listActor()], supervisors: once, sizes: { effects: 3_000 } },
  async (t, { system }) => {
    await system.ask(Fan, { key: 'careful', each: 1_000, times: 5 });
    await system.idle();
    const { words } = (await system.state(listActor() as never, 'fanned')) as unknown as { words: string[] };
    t.deepEqual([words.length, words.at(-1)], [3, 'less']);
    t.is(caught.at(-1), 'EFFECTS_TOO_LARGE');
  },
);

onBoth(
  'the most that one message may stage is committed, at its real size',
  { actors: [fanActor()], supervisors: once, shards: 1 },
  async (t, { system, redis }) => {
    const each = 1_000_000;
    const times = Math.floor(EFFECTS_BYTES / (each + 100));
    await system.ask(Fan, { key: 'a', each, times }, { timeout: '60s' });
    t.is(await redis('XLEN', '{sut:0}:list:commands'), times);
  },
);

/** One entry by a program that knows no bounds. @param more names and values behind `id`, `type` and `subject` */
const write = ({ redis }: Store, stream: string, id: string, ...more: string[]): Promise<unknown> =>
  redis('XADD', stream, '*', 'id', id, 'type', 'append', 'subject', 'a', ...more);

onBoth(
  'an entry that is too large is a letter that keeps its size and its beginning, and neighbours go on',
  { actors: [listActor()], sizes: { entry: 5_000 }, shards: 1 },
  async (t, store) => {
    const { system, redis } = store;
    const inbox = '{sut:0}:list:commands';
    const word = (length: number): string => JSON.stringify({ key: 'a', word: 'x'.repeat(length) });
    await write(store, inbox, 'one', 'data', word(100_000));
    await write(store, inbox, 'many', ...Array.from({ length: 1_200 }, (_, i) => [`field ${i}`, '']).flat());
    await write(store, inbox, 'sum', ...Array.from({ length: 40 }, (_, i) => [`field ${i}`, 'y'.repeat(500)]).flat());
    await redis('XADD', inbox, '*', 'first', 'z'.repeat(9_000), 'id', 'late', 'type', 'append', 'subject', 'a', 'data', word(1));
    await write(store, inbox, 'fits', 'data', word(3_000));
    t.deepEqual(await system.ask(Append, { key: 'a', word: 'after' }), { length: 2 });
    await system.idle();
    const { items } = await system.deadLetters.list();
    t.deepEqual(
      items.map(({ reason, messageId, key, type, cut }) => [reason, messageId, key, type, cut?.fields]),
      [
        ['ENTRY_TOO_LARGE', 'one', 'a', 'append', 4],
        ['ENTRY_TOO_LARGE', 'many', 'a', 'append', 1_203],
        ['ENTRY_TOO_LARGE', 'sum', 'a', 'append', 43],
        ['ENTRY_TOO_LARGE', 'late', 'a', 'append', 5],
      ],
    );
    t.is(items[0]?.data, `${word(100_000).slice(0, 1_000)}…`);
    t.is(items[0]?.cut?.bytes, 100_000 + '{"key":"a","word":""}idonetypeappendsubjectadata'.length);
    t.regex(items[0]?.error.message ?? '', /^the entry has 1000\d\d bytes in 4 fields, at most \d+ bytes in 500 fields are taken$/);
    for (const { id } of items) await t.throwsAsync(system.deadLetters.redrive(id), { code: 'NOT_REDRIVABLE' });
    t.deepEqual(await system.deadLetters.redrive({}), []);
    t.is(await system.deadLetters.discard({}), 4);
  },
);

onBoth(
  'a fact that is too large is a letter of each subscriber, which takes in those behind it; observers see those, too',
  { actors: [listActor(), countActor('start')], sizes: { entry: 5_000 }, shards: 1 },
  async (t, store) => {
    const { system } = store;
    const faults: string[] = [];
    system.signals.subscribe((signal) => {
      if (signal.kind === 'fault') faults.push(signal.code);
    });
    const seen: string[] = [];
    const both = new Promise<void>((resolve) => {
      system.events(Appended).subscribe(({ data }) => {
        seen.push(data.word);
        if (seen.length === 2) resolve();
      });
    });
    const fact = (word: string): string[] => ['type', 'appended', 'data', JSON.stringify({ key: 'a', word })];
    await system.publish(Appended, { key: 'a', word: 'before' });
    await store.redis('XADD', '{sut:0}:event:appended', '*', 'id', 'large', 'subject', 'a', ...fact('x'.repeat(100_000)));
    await system.publish(Appended, { key: 'a', word: 'after' });
    await system.idle();
    await both;
    t.deepEqual(seen, ['before', 'after']);
    t.deepEqual(faults, ['ENTRY_TOO_LARGE']);
    t.deepEqual(await system.state(countActor(), 'all'), { words: ['before', 'after'] });
    const { items } = await system.deadLetters.list();
    t.like(items[0], { actor: 'count', reason: 'ENTRY_TOO_LARGE', messageId: 'large', key: 'a' });
    t.is(items.length, 1);
  },
);

/** Written by Redis itself, so that no test process holds it. */
const WRITE_LARGE =
  "return redis.call('XADD', KEYS[1], '*', 'id', 'huge', 'type', 'append', 'subject', 'a', 'data', string.rep('\\1', ARGV[1]))";

onBoth(
  'an entry of 100 MB of control characters, in process a little above the bound, is a letter, too',
  { actors: [listActor()], shards: 1 },
  async (t, store) => {
    const { system, redis, kind } = store;
    const bytes = kind === 'redis' ? 100_000_000 : ENTRY_BYTES + 1;
    await redis('EVAL', WRITE_LARGE, 1, '{sut:0}:list:commands', bytes);
    t.deepEqual(await system.ask(Append, { key: 'a', word: 'after' }), { length: 1 });
    await system.idle();
    const { items } = await system.deadLetters.list();
    t.is(items.length, 1);
    t.like(items[0], { messageId: 'huge', reason: 'ENTRY_TOO_LARGE', data: `${'\u0001'.repeat(1_000)}…` });
    t.true((items[0]?.cut?.bytes ?? 0) > bytes);
  },
);
