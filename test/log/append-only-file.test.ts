/** What is asked of Redis about its append-only file, on every new connection (issue 14, A1). */
import test from 'ava';
import { AppendOnlyFile, type Ask, type FileReport, fileState } from '../../src/log/append-only-file.js';
import { RedisError } from '../../src/message/errors.js';
import { VirtualClock } from '../../src/testing.js';

/** A Redis as far as its file goes. */
class Server {
  readonly asked: string[] = [];
  run = 'first';
  enabled = true;
  role = 'master';
  loading = false;
  /** bytes in the file */
  size = 500;
  /** ms that the rewrite under way still takes; undefined: there is none */
  rewriting: number | undefined;
  /** since it started */
  rewritten = false;
  /** how the last rewrite ended */
  status = 'ok';
  /** so many of the next rewrites fail */
  failures = 0;
  /** what a command is refused with */
  readonly refuses = new Map<string, string>();

  constructor(private readonly clock: VirtualClock) {}

  readonly ask: Ask = async (command) => {
    this.asked.push(command);
    const refusal = this.refuses.get(command);
    if (refusal !== undefined) throw Object.assign(new Error(refusal), { name: 'ReplyError' });
    if (command === 'INFO') return this.#info();
    if (this.rewriting !== undefined)
      throw Object.assign(new Error('ERR Background append only file rewriting already in progress'), { name: 'ReplyError' });
    this.begin(100);
    return 'Background append only file rewriting started';
  };

  begin(ms: number): void {
    this.rewriting = ms;
    this.clock.after(ms, () => {
      this.rewriting = undefined;
      this.status = this.failures > 0 ? 'err' : 'ok';
      this.failures -= 1;
      this.rewritten = true;
    });
  }

  #info(): string {
    const lines = {
      run_id: this.run,
      loading: this.loading ? 1 : 0,
      role: this.role,
      aof_enabled: this.enabled ? 1 : 0,
      aof_rewrite_in_progress: this.rewriting === undefined ? 0 : 1,
      aof_rewrite_scheduled: 0,
      aof_last_rewrite_time_sec: this.rewritten ? 0 : -1,
      aof_last_bgrewrite_status: this.status,
      aof_current_size: this.size,
    };
    return Object.entries(lines)
      .map(([name, value]) => `${name}:${value}\r\n`)
      .join('');
  }

  get rewrites(): number {
    return this.asked.filter((command) => command === 'BGREWRITEAOF').length;
  }

  restart(run: string): void {
    this.run = run;
    this.rewritten = false;
    this.status = 'ok';
  }
}

function world(): { clock: VirtualClock; server: Server; file: AppendOnlyFile; reports: FileReport[] } {
  const clock = new VirtualClock();
  const reports: FileReport[] = [];
  return { clock, server: new Server(clock), file: new AppendOnlyFile(clock, (report) => reports.push(report)), reports };
}

test('a file that was loaded is rewritten once, and all connections wait for the end of it', async (t) => {
  const { clock, server, file, reports } = world();
  let passed = 0;
  const greeted = [1, 2, 3].map(() => file.greet(server.ask).then(() => (passed += 1)));
  await clock.advance(90);
  t.is(passed, 0, 'it is still being rewritten');
  await clock.advance(200);
  await Promise.all(greeted);
  t.is(server.rewrites, 1);
  t.deepEqual(
    reports.map(({ kind }) => kind),
    ['rewriting', 'rewritten'],
  );
  await file.greet(server.ask);
  t.is(server.rewrites, 1, 'a connection that was only cut costs one question');
});

test('another run of Redis has its file rewritten again', async (t) => {
  const { clock, server, file } = world();
  const first = file.greet(server.ask);
  await clock.advance(500);
  await first;
  server.restart('second');
  const second = file.greet(server.ask);
  await clock.advance(50);
  t.is(server.rewrites, 2);
  await clock.advance(500);
  await second;
});

test('a rewrite that somebody else asked for is waited for, and counts', async (t) => {
  const { clock, server, file, reports } = world();
  server.begin(1_000);
  let passed = false;
  const greeted = file.greet(server.ask).then(() => (passed = true));
  await clock.advance(900);
  t.false(passed);
  await clock.advance(1_000);
  await greeted;
  t.is(server.rewrites, 0);
  server.restart('second');
  server.rewritten = true; // by another node, before this one came
  await file.greet(server.ask);
  t.is(server.rewrites, 0);
  t.deepEqual(reports, []);
});

test('two that ask at the same moment wait for the same rewrite', async (t) => {
  const { clock, server, file } = world();
  const ask: Ask = async (command) => {
    if (command === 'BGREWRITEAOF') server.begin(100); // the other one was faster
    return server.ask(command);
  };
  const greeted = file.greet(ask);
  await clock.advance(500);
  await greeted;
  t.true(server.rewritten);
});

for (const [what, change] of [
  ['is switched off', (server: Server) => (server.enabled = false)],
  ['is empty', (server: Server) => (server.size = 0)],
  ['is that of a replica', (server: Server) => (server.role = 'slave')],
] as const)
  test(`nothing is done about a file that ${what}`, async (t) => {
    const { server, file, reports } = world();
    change(server);
    await file.greet(server.ask);
    t.deepEqual(server.asked, ['INFO']);
    t.deepEqual(reports, []);
  });

test('a Redis that is loading its file is no use yet', async (t) => {
  const { server, file } = world();
  server.loading = true;
  const error = await t.throwsAsync(file.greet(server.ask), { instanceOf: RedisError });
  t.is(error?.code, 'REDIS_LOADING');
});

for (const [who, refusal, code] of [
  ['a user without the right', "NOPERM this user has no permissions to run the 'bgrewriteaof' command", 'REDIS_PERMISSION'],
  ['a service without the command', 'ERR unknown command `BGREWRITEAOF`, with args beginning with: ', 'REDIS_UNKNOWN_COMMAND'],
] as const)
  test(`${who} goes on, and it is said once`, async (t) => {
    const { server, file, reports } = world();
    server.refuses.set('BGREWRITEAOF', refusal);
    await Promise.all([file.greet(server.ask), file.greet(server.ask)]);
    await file.greet(server.ask);
    const told = reports.filter(({ kind }) => kind === 'not-rewritten');
    t.is(told.length, 1);
    t.like(told[0], { code });
    t.regex(JSON.stringify(told[0]), /BGREWRITEAOF/);
    server.restart('second');
    await file.greet(server.ask);
    t.is(reports.filter(({ kind }) => kind === 'not-rewritten').length, 2, 'and once again after the next restart');
  });

test('where INFO is refused nobody knows, which is said once; work goes on', async (t) => {
  const { server, file, reports } = world();
  server.refuses.set('INFO', "NOPERM this user has no permissions to run the 'info' command");
  await file.greet(server.ask);
  await file.greet(server.ask);
  t.is(reports.length, 1);
  t.like(reports[0], { kind: 'not-rewritten', code: 'REDIS_PERMISSION' });
  const state = await fileState(server.ask);
  t.is(state.kind, 'unknown');
});

test('a rewrite that fails is asked for again, a few times', async (t) => {
  const { clock, server, file, reports } = world();
  server.failures = 2;
  const greeted = file.greet(server.ask);
  await clock.advance('3s');
  await greeted;
  t.is(server.rewrites, 3);
  t.is(reports.at(-1)?.kind, 'rewritten');
  server.restart('second');
  server.failures = 100;
  const again = file.greet(server.ask);
  await clock.advance('5s');
  await again;
  t.is(server.rewrites, 6);
  t.like(reports.at(-1), { kind: 'not-rewritten', code: 'REDIS_ERROR' });
});

test('a connection that breaks meanwhile fails those who wait; the next one sees to it', async (t) => {
  const { clock, server, file } = world();
  let broken = false;
  const ask: Ask = async (command) => {
    if (broken) throw new Error('Connection is closed.');
    return server.ask(command);
  };
  const waiting = [file.greet(ask), file.greet(ask)];
  const failed = Promise.all(waiting.map((one) => t.throwsAsync(one, { instanceOf: RedisError })));
  await clock.advance(30);
  broken = true;
  await clock.advance(100);
  t.deepEqual(
    (await failed).map((error) => error?.code),
    ['REDIS_CONNECTION_LOST', 'REDIS_CONNECTION_LOST'],
  );
  const next = file.greet(server.ask);
  await clock.advance(500);
  await next;
  t.true(server.rewritten);
});
