/** An option that is given as `undefined` is as if it were left out: code that hands its own options on need not look at each of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';
import { parseSupervisors } from '../../src/api/config.js';
import { Actor, ActorSystem, actor, command, type DataOf, ErrandError, handles, subscribes, TerminalError } from '../../src/index.js';
import { createMemoryRedis } from '../../src/memory-redis/index.js';
import { given, startTestSystem } from '../../src/testing.js';
import { Append, Appended, listActor, type Words } from '../support/shop.js';
import { onBoth } from '../support/stores.js';

const START = {
  shards: undefined,
  lease: undefined,
  sendTimeout: undefined,
  supervisors: undefined,
  container: undefined,
  resolve: undefined,
  logger: undefined,
  allowEviction: undefined,
};
const WAIT = { timeout: undefined, signal: undefined };
const SEND = {
  idempotencyKey: undefined,
  correlationId: undefined,
  track: undefined,
  delay: undefined,
  at: undefined,
  expiresIn: undefined,
};
const FILTER = { actor: undefined, key: undefined, type: undefined, reason: undefined, correlationId: undefined };

/** Fails on the word `bad`; one attempt only. */
const failing = () => ({
  actors: [
    listActor((word) => {
      if (word === 'bad') throw new Error('a bad word');
    }),
  ],
  supervisors: [{ name: 'once', children: [{ actor: 'list', recoverability: { immediate: 0, delayed: [] } }] }],
  shards: 2,
});

test('of a system', async (t) => {
  const system = await ActorSystem.start({ ...START, name: 'absent', redis: 'memory:', actors: [listActor() as never] });
  t.is(system.shards, 16);
  await system.stop({ grace: undefined });
});

test('of a system under test', async (t) => {
  const own = { redis: undefined, clock: undefined, seed: undefined };
  const { system, clock, stop } = await startTestSystem({ ...START, ...own, name: undefined, actors: [listActor() as never] });
  t.is(system.name, 'test');
  t.is(system.shards, 4);
  t.is(clock.now(), Date.UTC(2030, 0, 1));
  t.deepEqual(await system.ask(Append, { key: 'a', word: 'x' }), { length: 1 });
  await stop({ grace: undefined });
});

const namesOf = (system: ActorSystem): string[] => system.supervisors.supervisors.map(({ name }) => name);

test('over a config file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'errand-absent-'));
  const file = join(folder, 'absent.yaml');
  writeFileSync(file, 'name: of-the-file\nredis: "memory:"\nshards: 3\nlease: 5s\nsupervisors: [{ name: of-the-file }]\n');
  const system = await ActorSystem.fromConfig(file, { ...START, name: undefined, redis: undefined });
  t.is(system.name, 'of-the-file');
  t.is(system.shards, 3);
  t.deepEqual(namesOf(system), ['of-the-file']);
  await system.stop();
  const other = await ActorSystem.fromConfig(file, { name: 'overridden', shards: 2, supervisors: [{ name: 'other' }] });
  t.deepEqual(namesOf(other), ['other']);
  t.is(other.name, 'overridden');
  t.is(other.shards, 2);
  await other.stop();
  rmSync(folder, { recursive: true });
});

test('of a supervisor and its children', (t) => {
  const child = {
    actor: 'list',
    restart: undefined,
    concurrency: undefined,
    prefetch: undefined,
    passivateAfter: undefined,
    attemptTimeout: undefined,
    recoverability: { immediate: undefined, delayed: undefined, order: undefined },
    directives: { retry: undefined, resume: undefined, stop: undefined, escalate: undefined },
    breaker: { failures: undefined, probeEvery: undefined },
    state: { keepFor: undefined, maxBytes: undefined },
  };
  const inner = {
    name: 'inner',
    children: [{ actor: 'mail', recoverability: undefined, directives: undefined, breaker: undefined, state: undefined }],
  };
  const outer = { name: 'outer', strategy: undefined, intensity: undefined, period: undefined, children: [child], supervisors: [inner] };
  const backoff = { min: undefined, max: undefined, factor: undefined, jitter: undefined };
  const bare = { name: 'bare', backoff: undefined, children: undefined, supervisors: undefined };
  t.deepEqual(
    parseSupervisors([{ ...outer, backoff }, bare], 'supervisors'),
    parseSupervisors(
      [{ name: 'outer', children: [{ actor: 'list' }], supervisors: [{ name: 'inner', children: [{ actor: 'mail' }] }] }, { name: 'bare' }],
      'supervisors',
    ),
  );
});

onBoth('of what is sent, waited for and looked at', { actors: [listActor()], shards: 2 }, async (t, { system }) => {
  const seen = firstValueFrom(system.results(Append, { from: undefined }));
  const fact = firstValueFrom(system.events(Appended, { from: undefined }));
  const { messageId, correlationId, duplicate } = await system.tell(Append, { key: 'a', word: 'x' }, SEND);
  t.is(correlationId, messageId);
  t.false(duplicate);
  await system.idle(WAIT);
  t.is((await seen).messageId, messageId);
  t.is((await fact).key, 'a');
  t.deepEqual(await system.ask(Append, { key: 'a', word: 'y' }, { ...SEND, ...WAIT }), { length: 2 });
  await system.publish(Appended, { key: 'a', word: 'z' }, SEND);
  const tracked = await system.tell(Append, { key: 'a', word: 'z' }, { ...SEND, track: true });
  t.deepEqual(await system.attach(Append, tracked.messageId, WAIT), { length: 3 });
  await t.throwsAsync(system.attach(Append, messageId, WAIT), { code: 'NOT_TRACKED' });
});

onBoth('of dead letters: nothing is left out, and nothing is an unknown name', failing, async (t, { system }) => {
  for (const key of ['a', 'b', 'c']) await system.tell(Append, { key, word: 'bad' });
  await system.idle();
  const first = await system.deadLetters.list({ actor: undefined, limit: 2, after: undefined });
  t.is(first.items.length, 2);
  const second = await system.deadLetters.list({ actor: undefined, limit: undefined, after: first.next });
  t.is(second.items.length, 1);
  t.is(second.next, undefined);
  t.is((await system.deadLetters.list({ after: second.next })).items.length, 3, 'from the beginning again');
  t.is((await system.deadLetters.redrive({ ...FILTER, key: 'a' })).length, 1);
  await system.idle();
  t.is(await system.deadLetters.discard(FILTER), 3);
  await t.throwsAsync(system.deadLetters.discard({ acter: undefined } as object), { code: 'INVALID_OPTION' }, 'a misspelt one stays one');
});

test('of a branch that is hung into the tree', async (t) => {
  const { system, stop } = await startTestSystem({ actors: [listActor() as never] });
  await system.supervisors.spawn({ name: 'later', children: undefined }, { under: undefined });
  t.deepEqual(
    system.supervisors.supervisors.map(({ name }) => name),
    ['later'],
  );
  await stop();
});

test('of actors and messages', async (t) => {
  const Note = command('note', {
    to: 'notes',
    key: (d) => d.key,
    data: z.object({ key: z.string(), word: z.string() }),
    result: undefined,
  });
  @actor('notes', { pipelined: undefined })
  class Notes extends Actor<Words> {
    static subscriptions = { onToo: { event: Appended, key: undefined, from: undefined } };
    override initialState() {
      return { words: [] as string[] };
    }
    @handles(Note)
    note(data: DataOf<typeof Note>) {
      this.state.words.push(data.word);
    }
    @subscribes(Appended, { key: undefined, from: undefined })
    onToo(data: DataOf<typeof Appended>) {
      this.state.words.push(data.word);
    }
  }
  const start = { key: 'a', state: undefined, container: undefined, logger: undefined };
  const { result, state } = await given(Notes, start).when(Note, { key: 'a', word: 'x' });
  t.is(result.status === 'completed' && result.value, undefined);
  t.deepEqual(state, { words: ['x'] });
  const { system, stop } = await startTestSystem({ actors: [Notes] });
  await system.publish(Appended, { key: 'b', word: 'y' });
  await system.idle();
  t.deepEqual(await system.state(Notes, 'b'), { words: ['y'] }, "under the fact's own key");
  await stop();
});

test('of an in-process Redis', async (t) => {
  const none = { clock: undefined, appendOnlyFile: undefined, log: undefined, declaredKeysOnly: undefined, compileScriptsFrom: undefined };
  const redis = createMemoryRedis(none);
  const client = redis.client();
  redis.faults.inject('GET', { delay: 0 }, { times: undefined });
  await client.set('a', '1');
  t.is(await client.get('a'), '1');
  t.is(await client.eval('return redis.call("GET", "a")', 0), '1', 'keys need not be declared');
  client.disconnect();
  redis.faults.crash({ lose: undefined });
  redis.faults.restart();
  await redis.close();
});

test('of errors', (t) => {
  const error = new TerminalError('no', { code: undefined, cause: undefined });
  t.is(error.code, 'TERMINAL');
  t.false('cause' in error);
  t.false('cause' in new ErrandError('X', 'no', { cause: undefined }));
  t.is(new TerminalError('no', { cause: null }).cause, null);
});
