import type { Args } from './args.js';
import type { Client } from './client-state.js';

/**
 * What happens to a request that a rule was made for.
 *
 * - `drop-request`: it never arrives. The connection stays open and nothing sent on it is answered any more, as when its other end is gone.
 * - `drop-reply`: it is carried out and the reply never arrives; from then on as above.
 * - `close-before`, `close-after`: the connection is reset, before the request is carried out or after it, without a reply.
 * - `{ delay }`: it arrives so many milliseconds later, on the injected clock, and what was sent behind it as well.
 */
export type Fault = 'drop-request' | 'drop-reply' | 'close-before' | 'close-after' | { readonly delay: number };

/** A request as a rule sees it. Words are byte strings: one character a byte. */
export interface SeenRequest {
  /** The command's name in upper case. */
  readonly command: string;
  readonly words: readonly string[];
  /** What the client calls itself (CLIENT SETNAME; ioredis' `connectionName`). */
  readonly client: string;
  readonly clientId: number;
}

/** A command's name, or a function that looks at the request. */
export type RequestMatch = string | ((request: SeenRequest) => boolean);

interface Rule {
  readonly match: RequestMatch;
  readonly fault: Fault;
  left: number;
}

/** The rules in force, in the order in which they were made; the first that matches is applied. */
export class FaultRules {
  #rules: Rule[] = [];

  get active(): boolean {
    return this.#rules.length > 0;
  }

  add(match: RequestMatch, fault: Fault, times: number): () => void {
    const rule: Rule = { match: typeof match === 'string' ? match.toUpperCase() : match, fault, left: times };
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /** What is to happen to this request, if anything. */
  take(client: Client, args: Args): Fault | undefined {
    const words = args.texts(0);
    const request: SeenRequest = { command: (words[0] ?? '').toUpperCase(), words, client: client.name, clientId: client.id };
    const rule = this.#rules.find(({ match }) => (typeof match === 'string' ? match === request.command : match(request)));
    if (rule === undefined) return undefined;
    rule.left -= 1;
    if (rule.left <= 0) this.#rules = this.#rules.filter((other) => other !== rule);
    return rule.fault;
  }
}
