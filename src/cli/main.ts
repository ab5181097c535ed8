#!/usr/bin/env node
/** The command `errand`. Each verb has a file of its own; failures end here, as one line and an exit code. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { failure } from './failure.js';
import { addSchema } from './schema.js';
import { addStart } from './start.js';

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(args: readonly string[]): Promise<void> {
  const program = new Command('errand').description('durable actors on Redis Streams').version(version()).exitOverride();
  addStart(program);
  addSchema(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (thrown) {
    const { lines, exitCode } = failure(thrown);
    for (const line of lines) process.stderr.write(`${line}\n`);
    process.exitCode = exitCode;
  }
}

void main(process.argv.slice(2));
