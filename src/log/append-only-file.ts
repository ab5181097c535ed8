import { type Clock, sleep } from '../message/clock.js';
import { RedisError } from '../message/errors.js';
import { isForbidden, translate } from './redis-error.js';

/**
 * Redis' append-only file, after Redis has started. A Redis that was killed may leave half a transaction at the end of its file. Redis 7.0
 * drops that half from memory and keeps it in the file, and the next start runs it as a part of the transaction that follows it
 * (docs/adr/0015). A rewrite of the file removes it.
 *
 * F1: a connection is of no use to anybody before the file is known to hold no such half: it is switched off, empty, or rewritten in this
 *     run of Redis. Where that cannot be had (no rights), it is said, and work goes on.
 * F2: every rewrite of this run counts, whoever asked for it: Redis loads its file once, before it does anything else.
 */

/** One command on one connection; rejects with what the client or Redis says. */
export type Ask = (command: string, ...args: string[]) => Promise<unknown>;

/** What INFO tells of the file. `unrewritten`: it was loaded, may end in half a transaction, and nobody has rewritten it since. */
export type FileState =
  | {
      readonly kind: 'off' | 'clean' | 'unrewritten' | 'rewriting' /** names this run of Redis; '' where Redis hides it */;
      readonly run: string;
    }
  | { readonly kind: 'unknown'; readonly reason: RedisError };

/** What was done about the file, or could not be done. */
export type FileReport =
  | { readonly kind: 'rewriting' }
  /** `took`: ms */
  | { readonly kind: 'rewritten'; readonly took: number }
  | { readonly kind: 'not-rewritten'; readonly code: string; readonly message: string };

/** Between looks at a rewrite under way. A small one takes some 100 ms: Redis looks for its end ten times a second. */
const LOOK_MIN_MS = 25;
const LOOK_MAX_MS = 500;
/** A rewrite that fails (no room on the disk) is asked for again so often. */
const REWRITES = 3;

const DANGER =
  'if its append-only file ended in half a transaction, the next start of Redis brings half a commit back; run BGREWRITEAOF before that';

/**
 * What is known of the append-only file. Changes nothing.
 * @throws RedisError `REDIS_LOADING` while Redis reads it, and whatever keeps Redis from answering
 */
export async function fileState(ask: Ask): Promise<FileState> {
  let text: string;
  try {
    text = String(await ask('INFO'));
  } catch (thrown) {
    const reason = translate(thrown, 'INFO');
    if (isForbidden(reason)) return { kind: 'unknown', reason };
    throw reason;
  }
  const info = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? '';
  if (info('loading') === '1') throw new RedisError('REDIS_LOADING', 'Redis is loading its data');
  const run = info('run_id');
  // A replica's file is of no account: it has its data from the Redis it follows, and its file anew with that.
  if (info('aof_enabled') !== '1' || info('role') === 'slave') return { kind: 'off', run };
  if (info('aof_rewrite_in_progress') === '1' || info('aof_rewrite_scheduled') === '1') return { kind: 'rewriting', run };
  const rewritten = info('aof_last_rewrite_time_sec') !== '-1' && info('aof_last_bgrewrite_status') === 'ok'; // F2
  const empty = info('aof_current_size') === '0';
  return { kind: rewritten || empty ? 'clean' : 'unrewritten', run };
}

/** One node's view of the file: looks at each new connection, and sees to it that the file is rewritten once in a run of Redis. */
export class AppendOnlyFile {
  /** the run of Redis about whose file nothing is left to do */
  #settled: string | undefined;
  #settling: { readonly run: string; readonly done: Promise<void> } | undefined;
  #toldUnknown = false;

  constructor(
    private readonly clock: Clock,
    private readonly report: (report: FileReport) => void,
  ) {}

  /**
   * F1: resolves once the connection may be used.
   * @throws RedisError when Redis does not answer: the connection is of no use
   */
  async greet(ask: Ask): Promise<void> {
    const state = await fileState(ask);
    if (state.kind === 'unknown') return this.#unknown(state.reason);
    const { run } = state;
    if (run !== '' && run === this.#settled) return;
    if (this.#settling?.run !== run) {
      const done = this.#settle(ask, state).then(
        () => {
          this.#settled = run;
        },
        (error: unknown) => {
          this.#settling = undefined; // another connection tries again
          throw error;
        },
      );
      this.#settling = { run, done };
    }
    await this.#settling.done;
  }

  /** Without INFO nobody can tell a restart from a cut. */
  #unknown(reason: RedisError): void {
    if (this.#toldUnknown) return;
    this.#toldUnknown = true;
    const message = `whether Redis has restarted cannot be seen: ${reason.message}; ${DANGER}`;
    this.report({ kind: 'not-rewritten', code: reason.code, message });
  }

  async #settle(ask: Ask, first: FileState): Promise<void> {
    const began = this.clock.monotonic();
    let state = first;
    let asked = 0;
    for (let wait = LOOK_MIN_MS; state.kind !== 'off' && state.kind !== 'clean'; wait = Math.min(wait * 2, LOOK_MAX_MS)) {
      if (state.kind === 'unknown') return this.#unknown(state.reason);
      if (state.kind === 'unrewritten') {
        if (asked === REWRITES) return this.#failed('REDIS_ERROR', `BGREWRITEAOF has failed ${asked} times; Redis' log says why`);
        asked += 1;
        if (asked === 1) this.report({ kind: 'rewriting' });
        const refused = await rewrite(ask);
        if (refused !== undefined) return this.#failed(refused.code, refused.message);
      }
      await sleep(this.clock, wait);
      state = await fileState(ask);
    }
    if (asked > 0) this.report({ kind: 'rewritten', took: this.clock.monotonic() - began });
  }

  #failed(code: string, reason: string): void {
    this.report({
      kind: 'not-rewritten',
      code,
      message: `Redis has not rewritten its append-only file since it started: ${reason}; ${DANGER}`,
    });
  }
}

/** Asks for a rewrite. @returns why Redis does not do it, or undefined when it does, or is at one already */
async function rewrite(ask: Ask): Promise<RedisError | undefined> {
  try {
    await ask('BGREWRITEAOF');
    return undefined;
  } catch (thrown) {
    const reason = translate(thrown, 'BGREWRITEAOF');
    if (!isForbidden(reason)) throw reason;
    return /in progress/.test(reason.message) ? undefined : reason;
  }
}
