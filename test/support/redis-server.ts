import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real `redis-server` of a test's own: a free port, a temporary folder, ended by its own process id. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly dir: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export function redisServerOnPath(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

/** Another process may take the port between the probe and the bind: then the next one is tried. */
const TRIES = 5;

/** @param options `args` come after the defaults (no persistence) and win over them */
export async function startRedisServer(options: { args?: readonly string[] } = {}): Promise<RedisServer> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    const dir = mkdtempSync(join(tmpdir(), 'errand-redis-'));
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no', ...(options.args ?? [])];
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const end = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', end);
    const stop = async (): Promise<void> => {
      process.removeListener('exit', end);
      await ended(child);
      rmSync(dir, { recursive: true, force: true });
    };
    if (await ready(child)) return { port, url: `redis://127.0.0.1:${port}`, dir, pid: child.pid ?? 0, stop };
    await stop();
    if (tries === TRIES) throw new Error('redis-server does not start');
  }
}

function ready(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Ready to accept connections')) resolve(true);
    });
    child.once('exit', () => resolve(false));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
