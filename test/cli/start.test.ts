import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { onRealRedis } from '../support/redis-url.js';

const folder = mkdtempSync(join(tmpdir(), 'errand-cli-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function write(ending: string, content: string): string {
  files += 1;
  const path = join(folder, `${files}.${ending}`);
  writeFileSync(path, content);
  return path;
}

/** The example's own; ava runs in the project's root. */
const SHOP = 'actors/shop.yaml';

class Errand {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly ended: Promise<number | NodeJS.Signals>;

  constructor(t: ExecutionContext, ...args: string[]) {
    this.child = spawn(process.execPath, [resolve('dist/src/cli/main.js'), ...args], {
      env: { ...process.env, OUTBOX: join(folder, 'outbox') },
    });
    this.child.stdout?.on('data', (chunk) => (this.out += String(chunk)));
    this.child.stderr?.on('data', (chunk) => (this.err += String(chunk)));
    this.ended = once(this.child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
    t.teardown(() => void this.child.kill('SIGKILL'));
  }

  /** Resolves once the command has printed what it hosts. */
  async ready(): Promise<string> {
    while (!this.out.includes('\n')) {
      const happened = await Promise.race([once(this.child.stdout as NodeJS.ReadableStream, 'data'), this.ended]);
      if (!Array.isArray(happened)) throw new Error(`ended with ${happened}: ${this.err}`);
    }
    return this.out;
  }
}

async function client(t: ExecutionContext, url: string): Promise<Redis> {
  const redis = new Redis(url, { lazyConnect: true, protocol: 2, replyMapping: 'legacy' });
  redis.on('error', () => undefined); // the other end may stop first
  await redis.connect();
  t.teardown(() => redis.disconnect());
  return redis;
}

/** The first entry of a stream, waited for by Redis itself. */
async function firstEntry(redis: Redis, stream: string): Promise<Record<string, string>> {
  const reply = (await redis.call('XREAD', 'COUNT', 1, 'BLOCK', 20_000, 'STREAMS', stream, '0')) as [string, [string, string[]][]][] | null;
  const fields = reply?.[0]?.[1][0]?.[1] ?? [];
  return Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i], fields[2 * i + 1]] as const)) as Record<
    string,
    string
  >;
}

const HAND_WRITTEN = [
  'id',
  'm-1',
  'type',
  'dispatch-product',
  'subject',
  '12005',
  'correlationid',
  'c-1',
  'data',
  '{"orderId":12005,"address":"2 Roadford Avenue"}',
];

async function handWritten(t: ExecutionContext, redis: Redis): Promise<void> {
  await redis.call('XADD', '{shop:0}:warehouse:commands', '*', ...HAND_WRITTEN);
  const result = await firstEntry(redis, '{shop:0}:warehouse:results');
  t.like(result, { type: 'dispatch-product', subject: '12005', correlationid: 'c-1', causationid: 'm-1' });
  t.regex(result.data ?? '', /"trackingNumber":"TN-12005-/);
  t.is(await redis.xlen('{shop:0}:warehouse:commands'), 0, 'a settled command has left the inbox');
}

onRealRedis('a command written by hand reaches its actor, and SIGTERM ends the system with 0', async (t, { url }) => {
  const errand = new Errand(t, 'start', SHOP, '--redis', url, '--shards', '1');
  t.regex(await errand.ready(), /^shop hosts .*warehouse.* on redis:\/\/127\.0\.0\.1:\d+.* \(1 shards?\)$/m);
  await handWritten(t, await client(t, url));
  errand.child.kill('SIGTERM');
  t.is(await errand.ended, 0, errand.err);
  for (const line of errand.err.trim().split('\n')) t.is((JSON.parse(line) as { system: string }).system, 'shop');
});

test('--listen opens the in-process Redis to others', async (t) => {
  const errand = new Errand(t, 'start', SHOP, '--redis', 'memory:', '--shards', '1', '--listen', '0');
  const url = /redis:\/\/\S+:\d+/.exec(await errand.ready())?.[0] ?? '';
  await handWritten(t, await client(t, url));
  errand.child.kill('SIGINT');
  t.is(await errand.ended, 0, errand.err);
});

const STUCK = write(
  'mjs',
  `import { Actor, command } from ${JSON.stringify(resolve('dist/src/index.js'))};
const anything = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const Hang = command('hang', { to: 'stuck', key: () => 'a', data: anything });
export class Stuck extends Actor {
  static actorType = 'stuck';
  static handlers = { hang: Hang };
  hang() { console.log('hanging'); return new Promise((resolve) => setTimeout(resolve, 3_600_000)); }
}`,
);

/** Hosts an actor whose handler heeds no signal, and is in it. */
async function hanging(t: ExecutionContext, grace: string): Promise<Errand> {
  const config = write('yaml', `name: stuck\nredis: "memory:"\nshards: 1\nmodules: [${JSON.stringify(STUCK)}]\n`);
  const errand = new Errand(t, 'start', config, '--listen', '0', '--grace', grace);
  const url = /redis:\/\/\S+:\d+/.exec(await errand.ready())?.[0] ?? '';
  const redis = await client(t, url);
  await redis.call('XADD', '{stuck:0}:stuck:commands', '*', 'id', 'm-1', 'type', 'hang', 'subject', 'a', 'data', '{}');
  while (!errand.out.includes('hanging')) await once(errand.child.stdout as NodeJS.ReadableStream, 'data');
  return errand;
}

test('a second signal stops at once', async (t) => {
  const errand = await hanging(t, '1h');
  errand.child.kill('SIGTERM');
  while (!errand.err.includes('stopping')) await once(errand.child.stderr as NodeJS.ReadableStream, 'data');
  t.is(errand.child.exitCode, null, 'the drain waits for the handler');
  errand.child.kill('SIGTERM');
  t.is(await errand.ended, 143);
});

test('after the grace the process ends, whatever a handler that heeds no signal still waits for', async (t) => {
  const errand = await hanging(t, '50ms');
  errand.child.kill('SIGTERM');
  t.is(await errand.ended, 0, errand.err);
});

const FRAGILE = write(
  'mjs',
  `import { Actor, command } from ${JSON.stringify(resolve('dist/src/index.js'))};
const anything = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
const Break = command('break', { to: 'fragile', key: () => 'a', data: anything });
export class Fragile extends Actor {
  static actorType = 'fragile';
  static handlers = { break: Break };
  break() { throw Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' }); }
}`,
);

onRealRedis('past the top of the tree the process ends with its own exit code, and the message is still in the log', async (t, { url }) => {
  const child = '{ actor: fragile, directives: { escalate: [EHOSTUNREACH] } }';
  const config = `name: fragile\nredis: ${url}\nshards: 1\nmodules: [${JSON.stringify(FRAGILE)}]\nsupervisors: [{ name: s, intensity: 0, children: [${child}] }]\n`;
  const errand = new Errand(t, 'start', write('yaml', config));
  await errand.ready();
  const redis = await client(t, url);
  await redis.call('XADD', '{fragile:0}:fragile:commands', '*', 'id', 'm-1', 'type', 'break', 'subject', 'a', 'data', '{}');
  t.is(await errand.ended, 5, errand.err);
  t.regex(errand.err, /^ESCALATED: supervisor s failed after 1 escalations; the last: fragile\/a: EHOSTUNREACH: no route$/m);
  const [, attempts] = JSON.parse(String(await redis.lindex('{fragile:0}:fragile:aside:a', 0))) as [string, number];
  t.is(attempts, 1, 'its attempt is counted');
  t.is(await redis.exists('{fragile:0}:fragile:partition'), 0, 'its partition is released');
});

const ends = test.macro(async (t: ExecutionContext, args: readonly string[], code: number, said: RegExp) => {
  const errand = new Errand(t, ...args);
  t.is(await errand.ended, code, errand.err);
  t.regex(errand.out + errand.err, said);
  t.notRegex(errand.err, /^ +at /m, 'no stack');
});

test('--help tells the exit codes', ends, ['start', '--help'], 0, /Exit codes:[\s\S]*4 {2}Redis/);
test('schema prints the JSON Schema that the package ships', async (t) => {
  const errand = new Errand(t, 'schema');
  t.is(await errand.ended, 0, errand.err);
  t.deepEqual(JSON.parse(errand.out), JSON.parse(readFileSync('config.schema.json', 'utf8')));
});

test('--version', ends, ['--version'], 0, /^\d+\.\d+\.\d+$/m);
test('no config', ends, ['start'], 2, /missing required argument 'config'/);
test('an unknown option', ends, ['start', SHOP, '--shard', '1'], 2, /--shards/);
test('shards that are none', ends, ['start', SHOP, '--shards', '1.5'], 2, /whole number from 1/);
test('--listen beside a real Redis', ends, ['start', SHOP, '--redis', 'redis://127.0.0.1:1', '--listen', '0'], 2, /in-process/);
test('a config that is not there', ends, ['start', join(folder, 'none.yaml')], 3, /^CONFIG_NOT_FOUND: .*none\.yaml: found no such file/);
test(
  'every fault of a config, one line each',
  ends,
  ['start', write('yaml', 'nam: a\nredis: x\n')],
  3,
  /^CONFIG_[A-Z_]+: .*\nCONFIG_[A-Z_]+: .*\nCONFIG_[A-Z_]+: .*\n$/,
);
test(
  'a supervised actor that no module exports',
  ends,
  [
    'start',
    write(
      'yaml',
      `name: a\nredis: "memory:"\nmodules: [${JSON.stringify(STUCK)}]\nsupervisors: [{ name: s, children: [{ actor: stack }] }]\n`,
    ),
  ],
  3,
  /^CONFIG_UNKNOWN_ACTOR: .*supervisors\[0\]\.children\[0\]\.actor: found 'stack', expected one of stuck; did you mean 'stuck'\?$/m,
);
test(
  'a Redis that is not there',
  ends,
  ['start', SHOP, '--redis', 'redis://user:secret@127.0.0.1:1'],
  4,
  /^REDIS_UNREACHABLE: (?!.*secret)/m,
);

test('the executable of the package can be executed', (t) => {
  accessSync('dist/src/cli/main.js', constants.X_OK);
  t.pass();
});
