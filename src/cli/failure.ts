import { CommanderError } from 'commander';
import { ConfigError, DefinitionError, ErrandError, InvalidValueError, RedisError } from '../message/errors.js';

/** What the process ends with; printed by `errand start --help`. */
export const EXIT = {
  ok: 0,
  /** a fault of errand itself, or of a module that was imported */
  failed: 1,
  /** the command line is wrong */
  usage: 2,
  /** the config, or an actor it names, is wrong */
  config: 3,
  /** Redis cannot be reached or cannot be used */
  redis: 4,
  /** a supervisor at the top of the tree failed: whoever starts processes may start this one again */
  escalated: 5,
} as const;

export const EXIT_CODES = `Exit codes:
  0  stopped as asked (SIGTERM, SIGINT)
  1  an unexpected failure
  2  wrong use of the command line
  3  a config, module or actor that cannot be used
  4  Redis cannot be reached or cannot be used
  5  escalated: a supervisor at the top of the tree failed, and the node stopped; what was not settled is in the log
  130, 143  stopped at once, by a second SIGINT or SIGTERM`;

/** How a failure ends: the lines to print, without a stack where the message says it all, and the exit code. */
export function failure(thrown: unknown): { readonly lines: readonly string[]; readonly exitCode: number } {
  if (thrown instanceof CommanderError) return { lines: [], exitCode: thrown.exitCode === 0 ? EXIT.ok : EXIT.usage }; // commander has printed it
  if (thrown instanceof ConfigError) return { lines: [thrown, ...thrown.more].map(line), exitCode: EXIT.config };
  if (thrown instanceof RedisError) return { lines: [line(thrown)], exitCode: EXIT.redis };
  if (thrown instanceof DefinitionError || thrown instanceof InvalidValueError) return { lines: [line(thrown)], exitCode: EXIT.config };
  if (thrown instanceof ErrandError) {
    return { lines: [line(thrown)], exitCode: thrown.code === 'ESCALATED' ? EXIT.escalated : EXIT.failed };
  }
  return { lines: [thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)], exitCode: EXIT.failed };
}

/** `CODE: message`, on one line whatever the message holds. */
function line(error: ErrandError): string {
  return `${error.code}: ${error.message.replace(/\s*[\r\n]+\s*/g, ' ')}`;
}
