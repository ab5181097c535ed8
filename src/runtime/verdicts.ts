import type { Entry, Oversize } from '../log/entry.js';
import { messageOf } from '../message/causes.js';
import { type ErrandError, failureCodeOf } from '../message/errors.js';
import { ATTEMPT_CHARACTERS, ATTEMPTS_TOLD } from '../message/limits.js';
import { answer, answerUnreadable, type Ending } from './answers.js';
import type { Gathering } from './committer.js';
import { type Held, NOBODY } from './held.js';
import type { Host } from './host.js';
import { condemn } from './letters.js';

/** What is said of a partition's messages: results, dead letters, failed attempts. */
export class Verdicts {
  constructor(
    private readonly host: Host,
    private readonly shard: number,
  ) {}

  /** Only commands have results. */
  answer({ envelope }: Pick<Held, 'envelope'>, gathering: Gathering, ending: Ending): void {
    if (envelope.kind !== 'command') return;
    const { keys, asks, clock } = this.host.deps;
    const told = ending.status === 'failed' ? { ...ending, message: this.#redacted(ending.message) } : ending;
    const outcome = answer(gathering.batch, keys, this.host.type, this.shard, envelope, told, clock.now());
    if (outcome === undefined) return;
    gathering.after(() => asks.settle(envelope.id, outcome)); // whoever attached here need not wait for a look
    if (envelope.replyNode !== undefined && envelope.replyNode !== asks.node)
      asks.wake(gathering.batch, envelope.replyNode, envelope.id, outcome);
  }

  cancelled(held: Pick<Held, 'envelope'>, gathering: Gathering): void {
    const message = `${held.envelope.id} was cancelled`;
    this.answer(held, gathering, { status: 'failed', code: 'CANCELLED', message });
    this.host.signal('message-failed', held, { code: 'CANCELLED', message });
  }

  condemn(gathering: Gathering, held: Held, reason: string, error: Error, parked = false): void {
    const { envelope } = held;
    const messageId = envelope === NOBODY ? undefined : envelope.id;
    condemn(this.host.deps, this.host.type, this.shard, gathering, { ...held, messageId, parked, fact: false }, reason, error);
  }

  /** An entry that is no message. */
  unreadable(gathering: Gathering, held: Held, error: ErrandError, oversize: Oversize | undefined): void {
    const { keys, clock } = this.host.deps;
    const condemned = { ...held, messageId: undefined, parked: false, fact: false, oversize };
    condemn(this.host.deps, this.host.type, this.shard, gathering, condemned, error.code, error);
    const message = this.#redacted(`${error.code}: ${error.message}`);
    answerUnreadable(gathering.batch, keys, this.host.type, this.shard, held.fields, message, clock.now());
  }

  /** A fact that cannot be taken in. */
  refuseFact(gathering: Gathering, { id, fields, oversize }: Entry, reason: string, error: Error): void {
    const condemned = { entry: id, fields, attempts: 0, history: [], messageId: undefined, parked: false, fact: true, oversize };
    condemn(this.host.deps, this.host.type, this.shard, gathering, condemned, reason, error);
  }

  attemptFailed(held: Held, error: Error): void {
    const { clock, node, logger, redaction } = this.host.deps;
    const code = failureCodeOf(error);
    const message = redaction.message(error, this.host.type);
    const { attempts, envelope } = held;
    const failed = { attempt: attempts, at: clock.now(), node, code, message: message.slice(0, ATTEMPT_CHARACTERS) };
    held.history = [...held.history, failed].slice(-ATTEMPTS_TOLD);
    this.host.signal('attempt-failed', held, { attempt: attempts, code, message: messageOf(error) });
    const { type, id, subject } = envelope;
    const text = `attempt ${attempts} at ${type} for ${this.host.type}/${subject} failed`;
    const err = redaction.logged(error, this.host.type);
    logger.warn({ actor: this.host.type, key: subject, messageId: id, attempt: attempts, err }, text);
  }

  #redacted(message: string): string {
    return this.host.deps.redaction.text(message, 'message', this.host.type);
  }

  /** What an actor's own hooks did wrong. */
  fault(where: string, error: Error): void {
    const { signals, redaction } = this.host.deps;
    signals.emit({ kind: 'fault', where, code: failureCodeOf(error), message: redaction.message(error, this.host.type) });
  }
}
