/** What `npm start` runs. */
import { run } from './command-line.js';

const interrupted = new AbortController();
// The first signal lets what was placed come to its end; the second one is Node's own, which ends the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error; // whoever read along has seen enough
});

async function main(): Promise<void> {
  const { stdin, stdout, stderr, env } = process;
  try {
    process.exitCode = await run(process.argv.slice(2), { stdin, stdout, stderr, env, signal: interrupted.signal });
  } catch (error) {
    console.error(error);
    process.exitCode = 70; // a fault of the program itself (EX_SOFTWARE in sysexits)
  }
}

void main();
