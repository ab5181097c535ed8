import { readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

/** One command in an append-only file, and where it stands. */
export interface LoggedCommand {
  readonly words: readonly string[];
  readonly start: number;
  readonly end: number;
}

/** The file that a multi-part append-only file grows in. @param dir of the redis-server */
export function newestFile(dir: string): string {
  const folder = join(dir, 'appendonlydir');
  const [newest] = readdirSync(folder)
    .filter((name) => name.endsWith('.incr.aof'))
    .map((name) => join(folder, name))
    .sort((a, b) => sequenceOf(b) - sequenceOf(a));
  if (newest === undefined) throw new Error(`no incremental file in ${folder}`);
  return newest;
}

const sequenceOf = (path: string): number => Number(/\.(\d+)\.incr\.aof$/.exec(path)?.[1]);

/** Cuts so many bytes off. @returns how many are gone */
export function tearOff(dir: string, bytes: number): number {
  const file = newestFile(dir);
  const { size } = statSync(file);
  truncateSync(file, Math.max(0, size - bytes));
  return Math.min(size, bytes);
}

/** The commands of a file; words as latin1. A command that breaks off is not among them. */
export function commandsOf(file: string): LoggedCommand[] {
  const bytes = readFileSync(file);
  const commands: LoggedCommand[] = [];
  let at = 0;
  const header = (): number => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return Number.NaN;
    const value = Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    return value;
  };
  for (;;) {
    const start = at;
    if (at >= bytes.length) return commands;
    const words: string[] = [];
    for (let left = header(); left > 0; left -= 1) {
      const length = header();
      if (Number.isNaN(length) || at + length + 2 > bytes.length) return commands;
      words.push(bytes.toString('latin1', at, at + length));
      at += length + 2;
    }
    if (words.length === 0) return commands;
    commands.push({ words, start, end: at });
  }
}

/** A transaction of a file: its MULTI, what it writes, its EXEC. */
export interface LoggedTransaction {
  readonly begin: LoggedCommand;
  readonly writes: readonly LoggedCommand[];
  readonly end: LoggedCommand;
}

export function transactionsOf(file: string): LoggedTransaction[] {
  const found: LoggedTransaction[] = [];
  let begin: LoggedCommand | undefined;
  let writes: LoggedCommand[] = [];
  for (const command of commandsOf(file)) {
    const [name] = command.words;
    if (name === 'MULTI') {
      begin = command;
      writes = [];
    } else if (name === 'EXEC') {
      if (begin !== undefined) found.push({ begin, writes, end: command });
      begin = undefined;
    } else writes.push(command);
  }
  return found;
}

/** Whether the file ends in a transaction that has no end. */
export function endsInside(file: string): boolean {
  const names = commandsOf(file).map(({ words: [name] }) => name);
  return names.lastIndexOf('MULTI') > names.lastIndexOf('EXEC');
}

/**
 * Cuts the file inside a transaction, as a kill in the middle of a write does: behind some whole commands and within the next one. (Where a file
 * ends between two commands Redis itself takes the transaction back.)
 * @param whole so many of its writes stay whole, from none to all
 * @param within by how many bytes more; fewer than the next command has
 */
export function cutInside(file: string, { begin, writes, end }: LoggedTransaction, whole: number, within = 5): void {
  const next = [...writes, end][whole] ?? end;
  truncateSync(file, Math.min(next.start + within, next.end - 1));
  if (next.start < begin.end) throw new Error('a transaction begins with MULTI');
}

/**
 * Cuts the file inside some transaction that begins behind the byte `from`.
 * @param choose draws a whole number below the one it is given
 * @returns whether there was one
 */
export function tearInside(file: string, from: number, choose: (below: number) => number): boolean {
  const late = transactionsOf(file).filter(({ begin }) => begin.start >= from);
  const torn = late[choose(late.length)];
  if (torn !== undefined) cutInside(file, torn, choose(torn.writes.length + 1), 1 + choose(10));
  return torn !== undefined;
}
