/** LCS: the longest common subsequence of two strings, by the usual table of all pairs of prefixes. */
import type { Args } from '../args.js';
import type { Client } from '../client-state.js';
import { type CommandSpec, command } from '../command-table.js';
import { CommandError, MapReply, type Reply, SYNTAX_ERROR } from '../reply.js';

const NOT_STRINGS = new CommandError('ERR The specified keys must contain string values');
const BOTH = new CommandError('ERR If you want both the length and indexes, please just use IDX.');
const TOO_LARGE = new CommandError('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
const CELL_BYTES = 4;

interface LcsOptions {
  indexes: boolean;
  length: boolean;
  withMatchLength: boolean;
  leastMatch: number;
}

function readOptions(args: Args): LcsOptions {
  const options: LcsOptions = { indexes: false, length: false, withMatchLength: false, leastMatch: 0 };
  for (let at = 3; at < args.count; at += 1) {
    if (args.is(at, 'IDX')) options.indexes = true;
    else if (args.is(at, 'LEN')) options.length = true;
    else if (args.is(at, 'WITHMATCHLEN')) options.withMatchLength = true;
    else if (args.is(at, 'MINMATCHLEN') && at + 1 < args.count) {
      at += 1;
      options.leastMatch = Math.max(0, args.int(at));
    } else throw SYNTAX_ERROR;
  }
  if (options.indexes && options.length) throw BOTH;
  return options;
}

/** Cell `i * (b.length + 1) + j` is the length for the first `i` and `j` bytes. */
function tableOf(a: string, b: string): Uint32Array {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i += 1) {
    const byte = a.charCodeAt(i - 1);
    for (let j = 1; j <= b.length; j += 1) {
      const at = i * width + j;
      table[at] =
        byte === b.charCodeAt(j - 1)
          ? (table[at - width - 1] as number) + 1
          : Math.max(table[at - width] as number, table[at - 1] as number);
    }
  }
  return table;
}

interface Match {
  aStart: number;
  readonly aEnd: number;
  bStart: number;
  readonly bEnd: number;
}

/** Goes back through the table from its end, as Redis does: where there are several subsequences, the choice is its own. */
function trace(a: string, b: string, table: Uint32Array): { text: string; matches: Match[] } {
  const width = b.length + 1;
  const bytes: string[] = [];
  const matches: Match[] = [];
  let open: Match | undefined;
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    let ended = false;
    if (a[i - 1] === b[j - 1]) {
      bytes.push(a[i - 1] as string);
      if (open === undefined) open = { aStart: i - 1, aEnd: i - 1, bStart: j - 1, bEnd: j - 1 };
      else if (open.aStart === i && open.bStart === j) {
        open.aStart -= 1;
        open.bStart -= 1;
      } else ended = true;
      if (open.aStart === 0 || open.bStart === 0) ended = true;
      i -= 1;
      j -= 1;
    } else {
      if ((table[(i - 1) * width + j] as number) > (table[i * width + j - 1] as number)) i -= 1;
      else j -= 1;
      ended = open !== undefined;
    }
    if (ended && open !== undefined) {
      matches.push(open);
      open = undefined;
    }
  }
  return { text: bytes.reverse().join(''), matches };
}

function lcs(client: Client, args: Args): Reply {
  const [a = '', b = ''] = [1, 2].map((at) => client.db.get(args.text(at)) ?? '');
  if (typeof a !== 'string' || typeof b !== 'string') throw NOT_STRINGS;
  const options = readOptions(args);
  const bytes = (a.length + 1) * (b.length + 1) * CELL_BYTES;
  if (bytes > client.engine.settings.bulkBytes) throw TOO_LARGE;
  client.engine.checkRoom(bytes);
  const table = tableOf(a, b);
  const length = table.at(-1) as number;
  if (options.length) return length;
  const { text, matches } = trace(a, b, table);
  if (!options.indexes) return text;
  const shown = matches.flatMap(({ aStart, aEnd, bStart, bEnd }) => {
    const size = aEnd - aStart + 1;
    if (size < options.leastMatch) return [];
    return [[[aStart, aEnd], [bStart, bEnd], ...(options.withMatchLength ? [size] : [])]];
  });
  return new MapReply(['matches', shown, 'len', length]);
}

export const lcsCommands: readonly CommandSpec[] = [command('lcs', -3, 'readonly', [1, 2, 1], lcs)];
