/** What both ways to run a script have in common: WebAssembly (scripting.ts) and JavaScript (compiled/). */
import type { Args } from './args.js';
import { CommandError, type Reply } from './reply.js';

/** Lua instructions one script may use: about a second's worth. Redis itself would go on and answer BUSY to others, which one thread cannot. */
export const FUEL = 250_000_000;
/** What is said when they are used up. */
export const FUEL_MESSAGE = 'Script killed by fuel limit';
/** How deep a script's reply may be nested. */
export const MOST_NESTED = 100;
export const NESTED_TOO_DEEPLY = new CommandError('ERR reached lua stack limit');

/** Who a script talks to while it runs. */
export interface ScriptHost {
  /** The protocol that the script has chosen. */
  readonly protocol: 2 | 3;
  call(args: Args): Reply;
  log(level: number, message: string): void;
  setProtocol(version: 2 | 3): void;
}

/** A script that failed, before anything is said about which script it was. */
export class ScriptFailure {
  constructor(
    readonly message: string,
    readonly line: number,
    /** Thrown by the script as a table, `error({ err = … })`. */
    readonly table: boolean,
  ) {}
}
