// By file: the package's main door loads two hundred more, a fifth of what `import 'errand'` costs. They are the same classes.
import type { Observable } from 'rxjs';
import { Subject } from 'rxjs/internal/Subject';
import type { MessageKind } from '../message/envelope.js';
import type { Strategy } from './supervision-settings.js';

/** What happens inside a system, as it happens. A union on `kind` that only ever grows: ignore the kinds you do not know. */
export type Signal = { readonly at: Date } & SignalBody;

interface OfMessage {
  readonly actor: string;
  readonly key: string;
  readonly messageId: string;
  readonly type: string;
  readonly correlationId: string;
}

export type SignalBody =
  | { readonly kind: 'started'; readonly node: string; readonly actors: readonly string[] }
  /** `reason` when it stopped by itself */
  | { readonly kind: 'stopped'; readonly node: string; readonly reason?: { readonly code: string; readonly message: string } }
  /** the system's data is gone, or is other data: somebody wiped or restored it */
  | { readonly kind: 'wiped' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected' }
  /** Redis has restarted, and has rewritten its append-only file since, which took so long (ms): no half of a transaction is left in it */
  | { readonly kind: 'log-rewritten'; readonly took: number }
  /** Redis has restarted, or may have, and nobody could have its append-only file rewritten: its next restart may bring half a commit back */
  | { readonly kind: 'log-not-rewritten'; readonly code: string; readonly message: string }
  | { readonly kind: 'partition-acquired'; readonly actor: string; readonly shard: number }
  | { readonly kind: 'partition-lost'; readonly actor: string; readonly shard: number; readonly reason: string }
  | { readonly kind: 'partition-released'; readonly actor: string; readonly shard: number }
  | ({ readonly kind: 'attempt-failed'; readonly attempt: number; readonly code: string; readonly message: string } & OfMessage)
  | ({ readonly kind: 'retry-delayed'; readonly attempt: number; readonly until: Date } & OfMessage)
  | ({ readonly kind: 'parked'; readonly attempt: number } & OfMessage)
  | ({ readonly kind: 'running-alone'; readonly kills: number } & OfMessage)
  /** so many keys failed in a row at this type of message that its messages wait, until a probe succeeds */
  | { readonly kind: 'breaker-opened'; readonly actor: string; readonly type: string }
  | { readonly kind: 'breaker-closed'; readonly actor: string; readonly type: string }
  /** its supervisor is about to apply its strategy; the message stays in the log, its attempt counted */
  | ({ readonly kind: 'escalated'; readonly attempt: number; readonly code: string; readonly message: string } & OfMessage)
  /** `actors` terminate; those of them in `restarts` start again in `delay` ms */
  | {
      readonly kind: 'supervisor-restarts';
      readonly supervisor: string;
      readonly strategy: Strategy;
      readonly actors: readonly string[];
      readonly restarts: readonly string[];
      readonly escalations: number;
      readonly delay: number;
    }
  /** more escalations than its intensity within its period: the supervisor above it decides */
  | { readonly kind: 'supervisor-failed'; readonly supervisor: string; readonly escalations: number; readonly period: number }
  | { readonly kind: 'actor-restarted'; readonly actor: string }
  /** for good: temporary, or stopped by hand */
  | { readonly kind: 'actor-stopped'; readonly actor: string }
  | ({ readonly kind: 'message-failed'; readonly code: string; readonly message: string } & OfMessage)
  | {
      readonly kind: 'dead-letter';
      readonly actor: string;
      readonly shard: number;
      readonly entry: string;
      readonly messageId: string | undefined;
      /** key, type and correlation id as far as the entry tells them */
      readonly key: string | undefined;
      readonly type: string | undefined;
      readonly correlationId: string | undefined;
      readonly attempt: number;
      readonly reason: string;
      readonly message: string;
    }
  /** `messageId`: of the message that is tried again; a terminal letter's is a new one */
  | { readonly kind: 'redriven'; readonly actor: string; readonly letter: string; readonly messageId: string | undefined }
  | { readonly kind: 'discarded'; readonly actor: string; readonly letter: string; readonly messageId: string | undefined }
  | { readonly kind: 'unhosted'; readonly actor: string }
  /**
   * messages wait for a node that can handle them, this one the first of its type; once for each type and reason. `of` is the message's kind,
   * `knownBy` names other live nodes that can, `until` is when this message is given up
   */
  | ({
      readonly kind: 'unhandled';
      readonly of: MessageKind;
      readonly reason: string;
      readonly knownBy: readonly string[];
      readonly until: Date;
    } & OfMessage)
  | { readonly kind: 'fault'; readonly where: string; readonly code: string; readonly message: string };

/** The source of a system's signals. A listener that throws harms nobody but itself (rxjs reports it as an uncaught error). */
export class Signals {
  readonly #subject = new Subject<Signal>();
  readonly observable: Observable<Signal> = this.#subject.asObservable();

  constructor(private readonly now: () => number) {}

  emit(body: SignalBody): void {
    if (this.#subject.observed) this.#subject.next({ at: new Date(this.now()), ...body });
  }

  complete(): void {
    this.#subject.complete();
  }
}
