/** No message runs in the `AsyncLocalStorage` context of another message's sender, or of whoever started the system. Issue 14, B12. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { firstValueFrom, take, toArray } from 'rxjs';
import { z } from 'zod';
import { Actor, type ActorContext, actor, command, type DataOf, handles } from '../../src/index.js';
import { Recorder } from '../support/recorder.js';
import { onBoth } from '../support/stores.js';

const tenant = new AsyncLocalStorage<string>();
const Do = command('do', { to: 'worker', key: (d) => d.k, data: z.object({ k: z.string() }), result: z.string() });

@actor('worker')
class Worker extends Actor {
  @handles(Do)
  async do(_data: DataOf<typeof Do>) {
    const before = tenant.getStore();
    await new Promise((resolve) => setImmediate(resolve));
    return `${before ?? 'none'} ${tenant.getStore() ?? 'none'}`;
  }
}

onBoth('a handler runs in no context of a sender, however its message came', { actors: [Worker] }, async (t, { system, pass }) => {
  const contexts = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      tenant.run(`tenant-${i}`, async () => {
        const context = await system.ask(Do, { k: `k${i % 5}` });
        t.is(tenant.getStore(), `tenant-${i}`, 'the caller keeps its own');
        return context;
      }),
    ),
  );
  t.deepEqual([...new Set(contexts)], ['none none']);
  const later = await tenant.run('late', () => system.tell(Do, { k: 'z' }, { delay: 20, track: true }));
  await pass('1s');
  t.is(await system.attach(Do, later.messageId), 'none none', 'a schedule has none either');
});

onBoth('a system that a request starts lends its context to nobody', { actors: [Worker] }, async (t, { start }) => {
  const lazy = await tenant.run('first', () => start({ actors: [Worker], name: 'sut' }));
  t.is(await tenant.run('second', () => lazy.ask(Do, { k: 'a' })), 'none none');
});

onBoth('an observer is called in its own context or in none', { actors: [Worker] }, async (t, { system }) => {
  const seen: (string | undefined)[] = [];
  const results = tenant.run('observer', () => {
    const observed = system.results(Do);
    observed.subscribe(() => seen.push(tenant.getStore()));
    return firstValueFrom(observed.pipe(take(2), toArray()));
  });
  for (const k of ['a', 'b']) await tenant.run('sender', () => system.ask(Do, { k }));
  await results;
  t.true(
    seen.every((context) => context === undefined || context === 'observer'),
    String(seen),
  );
});

const Note = command('note', { to: 'noter', key: (d) => d.k, data: z.object({ k: z.string() }) });

@actor('noter')
class Noter extends Actor {
  @handles(Note)
  note(_data: unknown, ctx: ActorContext) {
    ctx.log.info({ words: 3 }, 'noted');
  }
}

onBoth(
  "an actor's own log lines say which message they belong to",
  () => ({ actors: [Noter], logger: new Recorder() }),
  async (t, { system }, { logger }) => {
    const { messageId } = await system.tell(Note, { k: 'x' }, { correlationId: 'click-1' });
    await system.idle();
    const [line] = (logger as Recorder).of('noted');
    t.deepEqual(line?.details, { actor: 'noter', key: 'x', type: 'note', messageId, correlationId: 'click-1', attempt: 1, words: 3 });
  },
);
