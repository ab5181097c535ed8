/** What can happen to Redis itself: killed and started again, full, busy, paused, without its scripts, cutting connections. */
import { AppendRejected } from '../../src/index.js';
import { faultTest, LEASE_MS } from '../support/fault-world.js';
import { pause, until } from '../support/fleet.js';
import { Word } from '../support/words.js';

faultTest('Redis is killed with -9 and starts again on its log: nothing is lost or done twice', 60_000, async (world) => {
  await world.startWorkers(2);
  await world.startClient();
  const telling = world.tell({ keys: 12, words: 50, during: 5_000 });
  telling.catch(() => undefined);
  for (let i = 0; i < 3; i += 1) {
    const { settled } = world;
    await until('words are being settled', 20_000, () => world.settled > settled + 20);
    await pause(world.below(300)); // where in its work it dies is chance
    await world.server.crash();
    await pause(world.below(400));
    await world.server.restart();
  }
  await telling;
  await world.check();
});

faultTest('a full Redis is drained by its owners; tells wait or are refused, and go on once there is room', 60_000, async (world) => {
  const { t, workers } = world;
  await world.startWorkers(2);
  await world.startClient();
  const hasty = await world.startClient({ sendTimeout: 300 });
  for (const worker of workers) worker.freeze();
  await world.tell({ keys: 8, words: 40, during: 0 });
  t.is(await world.backlog(), 320, 'nobody has worked yet');
  await world.redis('CONFIG', 'SET', 'maxmemory', '1mb');
  const refused = await t.throwsAsync(hasty.tell(Word, { key: 'none', word: 'none', work: 0 }), { instanceOf: AppendRejected });
  t.is(refused?.code, 'REDIS_OUT_OF_MEMORY');
  const waiting = world.tell({ keys: 4, words: 5, during: 0 }, world.client, 'late');
  waiting.catch(() => undefined);
  for (const worker of workers) worker.thaw();
  await until('the owners have drained the full Redis', 30_000, () => world.settled === 320);
  t.is(world.told, 320, 'what was told meanwhile still waits');
  t.is(await world.backlog(), 0);
  await world.redis('CONFIG', 'SET', 'maxmemory', '0');
  await waiting;
  await world.check();
});

faultTest('connections killed, Redis paused, busy for longer than the lease, its scripts gone', 60_000, async (world) => {
  await world.startWorkers(2);
  await world.startClient();
  const telling = world.tell({ keys: 12, words: 60, during: 7_000 });
  telling.catch(() => undefined);
  const killSome = async (): Promise<void> => {
    const lines = String(await world.redis('CLIENT', 'LIST')).split('\n');
    for (const line of lines) {
      const id = /\bid=(\d+)/.exec(line)?.[1];
      if (line.includes('name=errand:') && id !== undefined && world.below(2) === 0) await world.redis('CLIENT', 'KILL', 'ID', id);
    }
  };
  const faults = [
    killSome,
    () => world.redis('SCRIPT', 'FLUSH'),
    killSome,
    () => world.redis('CLIENT', 'PAUSE', 400 + world.below(400), 'WRITE'),
    () => world.redis('CLIENT', 'PAUSE', LEASE_MS + 300, 'ALL'),
    () => world.redis('SCRIPT', 'FLUSH'),
    () => world.redis('DEBUG', 'SLEEP', (LEASE_MS + 300) / 1_000),
    killSome,
  ];
  for (const fault of faults) {
    const { settled } = world;
    await until('words are being settled', 20_000, () => world.settled > settled + 10 || world.settled === 720);
    await pause(world.below(150));
    await fault();
  }
  await telling;
  await world.check();
});

faultTest('a Redis that is loading its data is waited out: what is told meanwhile lands once', 60_000, async (world) => {
  const { t } = world;
  await world.startWorkers(1);
  await world.startClient();
  const hasty = await world.startClient({ sendTimeout: 300 });
  await world.tell({ keys: 12, words: 3, during: 0 });
  await until('all is settled', 20_000, async () => (await world.backlog()) === 0);
  const other = world.raw.duplicate();
  other.on('error', () => undefined);
  t.teardown(() => other.disconnect());
  await other.ping();
  await other.call('CONFIG', 'SET', 'loading-process-events-interval-bytes', '1024', 'key-load-delay', '30000');
  const loaded = other.call('DEBUG', 'RELOAD');
  loaded.catch(() => undefined);
  await until('it is loading', 20_000, () =>
    world.redis('DBSIZE').then(
      () => false,
      (error: unknown) => /LOADING/.test(String(error)),
    ),
  );
  const waiting = world.tell({ keys: 4, words: 5, during: 0 }, world.client, 'loading');
  waiting.catch(() => undefined);
  const refused = await t.throwsAsync(hasty.tell(Word, { key: 'none', word: 'none', work: 0 }), { instanceOf: AppendRejected });
  t.is(refused?.code, 'REDIS_LOADING');
  await loaded;
  await waiting;
  await world.check();
});

faultTest('a Redis that is read-only or busy with a script is waited out: what is told meanwhile lands once', 60_000, async (world) => {
  const { t } = world;
  await world.startWorkers(1);
  await world.startClient();
  const hasty = await world.startClient({ sendTimeout: 300 });
  const other = world.raw.duplicate();
  other.on('error', () => undefined);
  t.teardown(() => other.disconnect());
  await other.ping();
  await world.tell({ keys: 2, words: 2, during: 0 });
  const refusedWith = async (code: string): Promise<void> => {
    const refused = await t.throwsAsync(hasty.tell(Word, { key: 'none', word: 'none', work: 0 }), { instanceOf: AppendRejected });
    t.is(refused?.code, code);
  };

  await world.redis('REPLICAOF', '127.0.0.1', '1'); // a replica of nobody: it keeps what it has and takes no writes
  const first = world.tell({ keys: 4, words: 5, during: 0 }, world.client, 'readonly');
  first.catch(() => undefined);
  await refusedWith('REDIS_READONLY');
  await world.redis('REPLICAOF', 'NO', 'ONE');
  await first;

  await world.redis('CONFIG', 'SET', 'busy-reply-threshold', '50');
  const endless = world.redis('EVAL', 'while true do end', 0).catch((error: unknown) => error);
  const second = world.tell({ keys: 4, words: 5, during: 0 }, world.client, 'busy');
  second.catch(() => undefined);
  await refusedWith('REDIS_BUSY');
  await other.call('SCRIPT', 'KILL');
  t.regex(String(await endless), /killed/i);
  await second;
  await world.check();
});

faultTest(
  'all data is wiped by hand under load: every worker says so, and what is told from then on is done once, in order',
  90_000,
  async (world) => {
    const { t, workers } = world;
    await world.startWorkers(2);
    await world.startClient();
    const early = world.tell({ keys: 8, words: 120, during: 5_000 }, world.client, 'early');
    early.catch(() => undefined);
    await until('words are being settled', 20_000, () => world.settled > 80);
    await world.redis('FLUSHALL');
    await until('every worker says so', 20_000, () => workers.every(({ signals }) => signals.some(({ kind }) => kind === 'wiped')));
    await early; // nothing is claimed about what was told before
    await world.tell({ keys: 8, words: 20, during: 500 }, world.client, 'late');
    await until('the inboxes are empty', 40_000, async () => (await world.backlog()) === 0);
    const { states, results, wrong } = await world.picture();
    t.deepEqual(wrong, [], 'nothing is left over');
    for (let key = 0; key < 8; key += 1) {
      const words = Array.from({ length: 20 }, (_, i) => `late${key}.${i}`);
      t.deepEqual(states.get(`late${key}`), { version: 20, words });
      t.deepEqual(
        results.filter((result) => result.key === `late${key}`).map(({ data }) => data),
        words.map((word, i) => JSON.stringify({ word, length: i + 1 })),
      );
    }
    t.true(
      workers.every(({ signals }) => signals.filter(({ kind }) => kind === 'wiped').length === 1),
      'each says so once',
    );
  },
);
