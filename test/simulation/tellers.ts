import { AppendRejected, AppendUnknown, AskTimeoutError, CommandFailed, ErrandError } from '../../src/index.js';
import { shardOf } from '../../src/log/shard.js';
import { derivedId } from '../../src/message/ids.js';
import type { SimNode } from './sim-node.js';
import type { Simulation } from './simulation.js';
import { ALWAYS, Append, Heard, type Word } from './workload.js';
import { FAR_MS, SHARDS } from './world.js';

/** Something that somebody outside means to tell, once. */
export interface Intent {
  readonly kind: 'tell' | 'ask' | 'publish';
  readonly data: Word;
  /** told again under the same key until it is known to have landed */
  readonly idempotent: boolean;
  readonly delay: number;
  /** it expires so long after it was told, ms; 0: never */
  readonly expiresIn: number;
  tries: number;
  /** resolved: it is durably appended */
  receipt: { readonly messageId: string; readonly duplicate: boolean } | undefined;
  /** every try so far was refused without having been applied */
  rejected: boolean;
  answer: { readonly status: 'completed' | 'failed'; readonly messageId: string; readonly text: string } | undefined;
  /** who it is told to, while that is unanswered */
  at: SimNode | undefined;
  over: boolean;
}

const ASK_TIMEOUT_MS = 3_000;
/** An end to telling again, should nothing heal. */
const MOST_TRIES = 40;

/** People outside: they tell, ask and publish through whatever node is well, and tell again what they may. */
export class Tellers {
  readonly intents: Intent[] = [];

  constructor(private readonly simulation: Simulation) {}

  plan(span: number): void {
    const { chance, clock, seed, far } = this.simulation;
    const keys = Array.from({ length: chance.between(1, 4) }, (_, i) => `k${i}`);
    const count = chance.between(10, 40);
    const failing = chance.oneOf([0, 0.2, 0.5]);
    const killing = chance.yes(0.1) ? chance.below(count) : -1;
    const bursts = chance.yes(0.5) ? [chance.below(span), chance.below(span)] : undefined;
    for (let i = 0; i < count; i += 1) {
      const kind = i === killing ? 'tell' : chance.oneOf(['tell', 'tell', 'tell', 'ask', 'publish'] as const);
      const data: Word = {
        key: chance.oneOf(keys),
        word: `${seed}.${i}`,
        kills: i === killing ? chance.oneOf([1, 2, ALWAYS, ALWAYS]) : 0,
        fails: chance.yes(failing) ? chance.oneOf([1, 2, 3, 3, 9, 9]) : 0,
        by: chance.oneOf(['ERROR', 'ERROR', 'ERROR', 'RESUME', 'STOP', 'ESCALATE']),
        takes: chance.yes(0.3) ? chance.below(60) : 0,
        ends: chance.oneOf(['completed', 'completed', 'completed', 'completed', 'completed', 'declined', 'forgets']),
        echo: chance.yes(0.3) ? chance.oneOf([0, 0, 30, far ? FAR_MS : 400]) : -1,
        echoFails: chance.yes(failing) ? chance.oneOf([1, 2, 3, 9]) : 0,
        publishes: chance.yes(0.3),
      };
      const delay = chance.yes(0.1) ? (far && chance.yes(0.3) ? FAR_MS : chance.below(500)) : 0;
      const expiresIn = i !== killing && chance.yes(0.2) ? chance.oneOf([1, 20, 100, 500, 2_000]) : 0;
      const intent = this.#intend(kind, data, chance.yes(0.5), delay, kind === 'publish' ? 0 : expiresIn);
      const at = bursts === undefined ? chance.below(span) : chance.oneOf(bursts) + chance.below(20);
      clock.after(at, () => this.#tell(intent));
    }
  }

  /** A last fact in every shard. */
  publishEverywhere(): void {
    const keys = ['k0', 'k1', 'k2', 'k3'];
    for (const key of keys) {
      const data: Word = {
        key,
        word: `last of ${key}`,
        kills: 0,
        fails: 0,
        by: 'ERROR',
        takes: 0,
        ends: 'completed',
        echo: -1,
        echoFails: 0,
        publishes: false,
      };
      this.#tell(this.#intend('publish', data, true, 0));
    }
  }

  #intend(kind: Intent['kind'], data: Word, idempotent: boolean, delay: number, expiresIn = 0): Intent {
    const intent: Intent = {
      kind,
      data,
      idempotent,
      delay,
      expiresIn,
      tries: 0,
      receipt: undefined,
      rejected: true,
      answer: undefined,
      at: undefined,
      over: false,
    };
    this.intents.push(intent);
    return intent;
  }

  /** Of what is told under a key and is not there yet the ids can be known. */
  get idsToCome(): string[] {
    const { witness } = this.simulation;
    const toCome = this.intents.filter(
      ({ kind, idempotent, data }) => kind !== 'publish' && idempotent && witness.idOf(data.word) === undefined,
    );
    return toCome.map(({ data }) => this.#idOf(data));
  }

  /** Under its idempotency key, known before it is told. */
  #idOf({ key, word }: Word): string {
    return derivedId(shardOf(key, SHARDS), 'command:list:append', key, word);
  }

  /** Nothing is open any more. */
  get done(): boolean {
    return this.intents.every(({ over }) => over);
  }

  /** A node is gone: what it was told and did not answer is unknown to whoever told it. */
  gone(node: SimNode): void {
    for (const intent of this.intents) {
      if (intent.at !== node || intent.over) continue;
      intent.rejected = false;
      this.#again(intent);
    }
  }

  #again(intent: Intent): void {
    const { clock, chance } = this.simulation;
    intent.at = undefined;
    if (!intent.idempotent || intent.tries >= MOST_TRIES) intent.over = true;
    else clock.after(chance.between(20, 200), () => this.#tell(intent));
  }

  #tell(intent: Intent): void {
    const { chance, nodes, witness, history, clock, cancellers } = this.simulation;
    const well = nodes.filter((node) => node.well);
    if (well.length === 0) {
      clock.after(50, () => this.#tell(intent));
      return;
    }
    const node = chance.oneOf(well);
    const { kind, data, idempotent, delay, expiresIn } = intent;
    if (idempotent && kind !== 'publish') cancellers.told(this.#idOf(data)); // its id is known beforehand
    intent.tries += 1;
    intent.at = node;
    witness.intended.add(data.word);
    history.note(node.name, `is told ${kind} ${JSON.stringify(data)}${idempotent ? ' idempotent' : ''}`);
    const options = {
      ...(idempotent ? { idempotencyKey: data.word } : {}),
      ...(delay > 0 && kind !== 'publish' ? { delay } : {}),
      ...(expiresIn > 0 ? { expiresIn } : {}),
    };
    void this.#send(node, intent, options).then(
      () => history.note(node.name, `answered ${data.word}: ${JSON.stringify(intent.receipt ?? intent.answer)}`),
      (error: unknown) => {
        history.note(node.name, `refused ${data.word}: ${String(error)}`);
        if (!(error instanceof AppendRejected)) intent.rejected = false;
        const tellable = error instanceof AppendRejected || error instanceof AppendUnknown || error instanceof ErrandError;
        if (!tellable) witness.violations.push({ check: 'whatever is thrown is typed', text: String(error) });
        this.#again(intent);
      },
    );
  }

  async #send({ system }: SimNode, intent: Intent, options: object): Promise<void> {
    const { kind, data, delay } = intent;
    if (system === undefined) return;
    if (kind === 'tell') {
      intent.receipt = await system.tell(Append, data, options);
      if (delay > 0) this.simulation.cancellers.told(intent.receipt.messageId);
    } else if (kind === 'publish')
      intent.receipt = await system.publish(Heard, { key: data.key, word: data.word, fails: data.fails }, options);
    else intent.answer = await this.#ask(() => system.ask(Append, data, { ...options, timeout: ASK_TIMEOUT_MS }));
    if (kind === 'ask' && intent.answer === undefined) intent.rejected = false;
    intent.over = true;
  }

  /** An answer that is a failure is an answer, too. */
  async #ask(ask: () => Promise<{ length: number }>): Promise<Intent['answer']> {
    try {
      const { length } = await ask();
      return { status: 'completed', messageId: '', text: JSON.stringify({ length }) };
    } catch (error) {
      if (error instanceof CommandFailed) return { status: 'failed', messageId: error.messageId, text: error.code };
      if (error instanceof AskTimeoutError) return undefined;
      throw error;
    }
  }
}
