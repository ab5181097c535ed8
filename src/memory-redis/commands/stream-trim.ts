import type { Args } from '../args.js';
import { CommandError } from '../reply.js';
import type { Stream } from '../stream.js';
import { parseId, type StreamId } from '../stream-id.js';

/** Without LIMIT an approximate trim looks at this many entries at most: 100 chunks of 100. */
const DEFAULT_LIMIT = 10_000;

const TWO_RULES = new CommandError('ERR syntax error, MAXLEN and MINID options at the same time are not compatible');
const NO_RULE = new CommandError('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy');
const RULE_NEEDED = new CommandError('ERR syntax error, XTRIM must be called with a trimming strategy');
const LIMIT_WHEN_EXACT = new CommandError('ERR syntax error, LIMIT cannot be used without the special ~ option');

/** What MAXLEN or MINID asks for. */
export interface Trim {
  readonly rule: { readonly maxLength: number } | { readonly minId: StreamId };
  readonly approximate: boolean;
  readonly limit: number | undefined;
}

/** Reads the threshold at word `at`. */
function readRule(args: Args, at: number, byId: boolean): Trim['rule'] {
  if (byId) return { minId: parseId(args.text(at), 0) };
  const maxLength = args.int(at);
  if (maxLength < 0) throw new CommandError('ERR The MAXLEN argument must be >= 0.');
  return { maxLength };
}

/** `MAXLEN|MINID [=|~] threshold` and `LIMIT n`, in any order. */
export class TrimOptions {
  #rule: Trim['rule'] | undefined;
  #approximate = false;
  #limit: number | undefined;

  constructor(private readonly ruleNeeded: boolean) {}

  /** Reads the option at word `at`; the last word of it, or undefined when there is no such option there. */
  read(args: Args, at: number): number | undefined {
    if (at + 1 >= args.count) return undefined;
    if (args.is(at, 'LIMIT')) {
      this.#limit = args.int(at + 1);
      if (this.#limit < 0) throw new CommandError('ERR The LIMIT argument must be >= 0.');
      return at + 1;
    }
    const byId = args.is(at, 'MINID');
    if (!byId && !args.is(at, 'MAXLEN')) return undefined;
    if (this.#rule !== undefined) throw TWO_RULES;
    const marked = at + 2 < args.count;
    this.#approximate = marked && args.is(at + 1, '~');
    const last = this.#approximate || (marked && args.is(at + 1, '=')) ? at + 2 : at + 1;
    this.#rule = readRule(args, last, byId);
    return last;
  }

  /** All options together, or undefined when there is no rule; throws when they do not go together. */
  together(): Trim | undefined {
    if (this.#rule === undefined && this.#limit) throw NO_RULE;
    if (this.#rule === undefined && this.ruleNeeded) throw RULE_NEEDED;
    if (this.#limit !== undefined && !this.#approximate) throw LIMIT_WHEN_EXACT;
    if (this.#rule === undefined) return undefined;
    return { rule: this.#rule, approximate: this.#approximate, limit: this.#limit };
  }
}

export function trim(stream: Stream, { rule, approximate, limit }: Trim): number {
  return stream.trim(rule, approximate, approximate ? (limit ?? DEFAULT_LIMIT) : 0);
}
