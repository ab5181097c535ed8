/**
 * What a command answers, before anybody knows who asked: the RESP writer and the script bridge each put it into their own form.
 * Inside the in-process Redis every string is a byte string: one character a byte (latin1), so that any value is kept unchanged
 * and strings compare as bytes do.
 */

import { printed } from './bytes.js';

/** A simple string: `+OK`. */
export class Status {
  constructor(readonly text: string) {}
}

/** An error reply; also thrown by commands. The message is the whole line, its code first: `ERR syntax error`. */
export class CommandError extends Error {}

/** A floating point number: a bulk string in RESP2, `,1.5` in RESP3. */
export class Double {
  constructor(readonly value: number) {}
}

/** A map, as keys and values in turn: a flat array in RESP2. */
export class MapReply {
  constructor(readonly flat: readonly Reply[]) {}
}

/** A set: an array in RESP2. */
export class SetReply {
  constructor(readonly items: readonly Reply[]) {}
}

/** A text for people: a bulk string in RESP2, `=…txt:` in RESP3. Only scripts name another format, of three characters. */
export class Verbatim {
  constructor(
    readonly text: string,
    readonly format = 'txt',
  ) {}
}

/** A number of any size, which only scripts answer: a bulk string in RESP2, `(` in RESP3. */
export class BigNumber {
  constructor(readonly digits: string) {}
}

/** A message out of turn: an array in RESP2, `>` in RESP3. */
export class Push {
  constructor(readonly items: readonly Reply[]) {}
}

/** Several replies, or none, to one command. */
export class Frames {
  constructor(readonly items: readonly Reply[]) {}
}

/** An array whose elements lie somewhere already in wire form (the same in RESP2 and RESP3). The bytes are never overwritten. */
export class RawArray {
  readonly segments: { readonly bytes: Buffer; readonly start: number; readonly end: number }[] = [];
  count = 0;
  add(bytes: Buffer, start: number, end: number, elements: number): void {
    this.segments.push({ bytes, start, end });
    this.count += elements;
  }
}

/** A reply in another protocol than the one that holds now. */
export class InProtocol {
  constructor(
    readonly reply: Reply,
    readonly protocol: 2 | 3,
  ) {}
}

export class NullArray {
  private readonly kind = 'null-array';
}

export type Reply =
  | null
  | number
  | bigint
  | boolean
  | string
  | Status
  | CommandError
  | Double
  | MapReply
  | SetReply
  | Verbatim
  | BigNumber
  | Push
  | Frames
  | RawArray
  | NullArray
  | InProtocol
  | readonly Reply[];

export const OK = new Status('OK');
export const QUEUED = new Status('QUEUED');
export const PONG = new Status('PONG');
export const NULL_ARRAY = new NullArray();
/** The command has been answered otherwise, or will be: the client is blocked. */
export const NO_REPLY = new Frames([]);

export const WRONG_TYPE = new CommandError('WRONGTYPE Operation against a key holding the wrong kind of value');
export const SYNTAX_ERROR = new CommandError('ERR syntax error');
export const NOT_AN_INTEGER = new CommandError('ERR value is not an integer or out of range');
export const NOT_A_FLOAT = new CommandError('ERR value is not a valid float');
export const NO_SUCH_KEY = new CommandError('ERR no such key');
export const OUT_OF_RANGE = new CommandError('ERR index out of range');
export const STRING_TOO_LONG = new CommandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
export const OUT_OF_MEMORY = new CommandError("OOM command not allowed when used memory > 'maxmemory'.");

export function wrongArity(name: string): CommandError {
  return new CommandError(`ERR wrong number of arguments for '${name}' command`);
}

/** Redis' older words for a subcommand that is given too much, or what it does not know. */
export function subcommandSyntax(subcommand: string, of: string): CommandError {
  return new CommandError(`ERR unknown subcommand or wrong number of arguments for '${printed(subcommand)}'. Try ${of} HELP.`);
}

/** What a command threw, as its reply; anything that is not a command's own error is a fault of this program, and says so. */
export function asReply(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  return new CommandError(
    `ERR internal error of the in-process Redis: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
}
