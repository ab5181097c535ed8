// issue 14, A10
/** Beyond each bound in bytes there is a named error and a letter that keeps what it can; nothing is tried for ever, and neighbours go on. */
import { z } from 'zod';
import { Actor, type ActorClass, type ActorContext, actor, CommandFailed, command, type DataOf, handles } from '../../src/index.js';
import { EFFECTS_BYTES } from '../../src/message/limits.js';
import { Append, listActor } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

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
