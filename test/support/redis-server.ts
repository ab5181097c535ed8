import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real Redis of a test's own. */
export interface RunningRedis {
  readonly port: number;
  readonly url: string;
  /** Its working directory, removed by `stop`. */
  readonly dir: string;
  readonly pid: number;
  /** kill -9; the folder stays. */
  crash(): Promise<void>;
  /** After a crash: on the same port and folder, and with the same settings. Resolves when it answers. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const STARTS = 5;
/** As a service manager would: a Redis that was killed while it rewrote a torn log cuts the log, ends, and starts well the next time. */
const RESTARTS = 3;
const READY_WITHIN_MS = 10_000;
const POLL_MS = 20;

let onPath: boolean | undefined;

/** Whether there is a redis-server to test against. With CI=true its absence is a failure, not a reason to skip. */
export function redisServerOnPath(): boolean {
  onPath ??= spawnSync('redis-server', ['--version']).status === 0;
  if (!onPath && process.env['CI'] === 'true') throw new Error('redis-server is not on PATH, and CI=true');
  return onPath;
}

/** Starts a redis-server on a free port, in a folder of its own and without persistence unless `args` say otherwise. Resolves when it answers. */
export async function startRedisServer({ args = [] }: { args?: readonly string[] } = {}): Promise<RunningRedis> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), 'errand-redis-'));
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no', ...args];
    const run = (): ChildProcess => spawn('redis-server', settings, { stdio: 'ignore' });
    let child = run();
    const killAtExit = (): void => {
      child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    };
    process.once('exit', killAtExit);
    const stop = async (): Promise<void> => {
      process.off('exit', killAtExit);
      await ended(child);
      rmSync(dir, { recursive: true, force: true });
    };
    // The port may have been taken in the meantime: redis-server ends, and another port is tried.
    const crash = (): Promise<void> => ended(child);
    const restart = async (): Promise<void> => {
      for (let left = RESTARTS; left > 0; left -= 1) {
        child = run();
        if (await answers(child, port)) return;
      }
      throw new Error(`redis-server did not start again on port ${port}`);
    };
    if (await answers(child, port)) {
      const url = `redis://127.0.0.1:${port}`;
      return {
        port,
        url,
        dir,
        crash,
        restart,
        stop,
        get pid() {
          return child.pid as number;
        },
      };
    }
    await stop();
    if (attempt === STARTS) throw new Error(`redis-server did not start in ${STARTS} attempts`);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function answers(child: ChildProcess, port: number): Promise<boolean> {
  const end = Date.now() + READY_WITHIN_MS;
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined && Date.now() < end) {
    if (await pings(port)) return child.exitCode === null;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return false;
}

function pings(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString().startsWith('+PONG'));
    });
    socket.once('error', () => resolve(false));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
