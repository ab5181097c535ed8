/** Runs a script in a process of its own and collects its output. */
import { spawn } from 'node:child_process';

/** @returns its exit code, and all it printed on both streams, trimmed */
export function runScript(file: string): Promise<{ status: number | null; printed: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.once('close', (status) => resolve({ status, printed: printed.trim() }));
  });
}
