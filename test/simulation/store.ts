import { AbstractConnector, Redis, type RedisOptions } from 'ioredis';
import { Args } from '../../src/memory-redis/args.js';
import type { Client } from '../../src/memory-redis/client-state.js';
import { keyPositions } from '../../src/memory-redis/command-keys.js';
import type { CommandSpec } from '../../src/memory-redis/command-table.js';
import { DEFAULT_OPTIONS, Engine } from '../../src/memory-redis/engine.js';
import type { MemoryRedis } from '../../src/memory-redis/index.js';
import { InternalClient } from '../../src/memory-redis/internal-client.js';
import { MemoryLogStore } from '../../src/memory-redis/log-store.js';
import { CommandError, Double, NO_REPLY, RawArray, type Reply, Status } from '../../src/memory-redis/reply.js';
import type { Clock } from '../../src/message/clock.js';
import type { Chance } from './chance.js';
import type { History } from './history.js';
import { type NearEnd, Wire, type WireWorld } from './wire.js';

/** Sees what happens in the store, as it happens: requests as a whole, and each single write, also those of scripts. */
export interface Observer {
  requested(words: readonly string[]): void;
  wrote(words: readonly string[], reply: Reply): void;
  answered(words: readonly string[], reply: Reply): void;
}

/** How long bytes are on their way: mostly not at all, else a time from a range, drawn for a run. */
export interface Latency {
  readonly none: number;
  readonly most: number; // ms
  /** now and then much longer, ms */
  readonly peak: number;
}

const PEAKS = 0.02;

/** The in-process Redis, the network in front of it, and the switches for what goes wrong with either. */
export class SimulatedStore implements WireWorld {
  readonly engine: Engine;
  readonly wires = new Set<Wire>();
  observer: Observer | undefined;
  /** until when (monotonic ms) writes are refused, and how many of them: all (its disk is full), or some (it is busy now and then) */
  refuses = { until: 0, share: 1 };
  /** so many of the next commits are applied, and the connection breaks before their answer */
  unansweredCommits = 0;
  /** this share of all commits is refused, and those in between are not */
  refusedCommits = 0;
  /** nodes that cannot be reached, and cannot reach anybody */
  readonly unreachable = new Set<NearEnd>();
  /** nodes whose network is slow for now: by how much, ms */
  readonly slow = new Map<NearEnd, number>();
  /** every command that somebody has run, also in scripts, with the kind of its key: `XADD commands` */
  readonly used = new Set<string>();
  readonly #hand: InternalClient;
  readonly #labels = new Map<number, string>();
  readonly #scripts = new Map<string, string>();

  /** @param log keeps a log of all writes, so that a crash can lose some */
  constructor(
    readonly clock: Clock,
    readonly chance: Chance,
    private readonly history: History,
    private readonly latency: Latency,
    log: boolean,
  ) {
    this.engine = new Engine(clock, log ? new MemoryLogStore() : undefined, { ...DEFAULT_OPTIONS, declaredKeysOnly: true });
    this.#hand = new InternalClient(this.engine);
    this.#watch();
  }

  /** Names a script in the history. */
  nameScript(sha: string, name: string): void {
    this.#scripts.set(sha, name);
  }

  #watch(): void {
    const { engine } = this;
    const execute = engine.execute.bind(engine);
    const run = engine.run.bind(engine);
    engine.run = (client: Client, spec: CommandSpec, args: Args): Reply => {
      const reply = run(client, spec, args);
      if (client !== this.#hand) this.used.add(usedOf(spec, args));
      if (spec.write && !(reply instanceof CommandError)) this.observer?.wrote(args.texts(0), reply);
      return reply;
    };
    engine.execute = (client: Client, spec: CommandSpec | undefined, args: Args): Reply => {
      const words = args.texts(0);
      const label = this.#labels.get(client.id) ?? 'hand';
      const { share } = this.refuses;
      if (spec?.mayWrite === true && client !== this.#hand && this.#refuses(words)) {
        const refusal = new CommandError(
          share === 1 ? 'MISCONF Errors writing to the AOF file: No space left on device' : 'BUSY Redis is busy running a script.',
        );
        this.history.note(label, `${this.#shown(words)} → ${shown(refusal)}`);
        return refusal;
      }
      this.observer?.requested(words);
      const reply = execute(client, spec, args);
      this.observer?.answered(words, reply);
      if (reply === 'committed' && this.unansweredCommits > 0) {
        this.unansweredCommits -= 1;
        for (const wire of this.wires) if (wire.session === client) wire.cut();
      }
      // INFO tells of this process: its number, its memory.
      this.history.note(label, `${this.#shown(words)} → ${words[0] === 'INFO' ? '(information)' : shown(reply)}`);
      return reply;
    };
  }

  #refuses(words: readonly string[]): boolean {
    if (this.refusedCommits > 0 && this.#scripts.get(words[1] ?? '') === 'commit' && this.chance.yes(this.refusedCommits)) return true;
    return this.refuses.until > this.clock.monotonic() && this.chance.yes(this.refuses.share);
  }

  #shown(words: readonly string[]): string {
    const script = this.#scripts.get(words[1] ?? '');
    const named = script === undefined ? words : [words[0], script, ...words.slice(2)];
    return (words[0] === 'SCRIPT' || words[0] === 'EVAL' ? [words[0], `(${words[1]?.length})`, ...words.slice(2)] : named)
      .map((word) => (word === undefined || word.length < 400 ? word : `${word.slice(0, 40)}…(${word.length})`))
      .join(' ');
  }

  /** By hand, past the network, at once. */
  command(...words: string[]): Reply {
    const args = Args.of(words);
    this.engine.tick();
    const reply = this.engine.execute(this.#hand, this.engine.table.find(args), args);
    this.engine.afterCommand();
    return reply;
  }

  /** The store as one node sees it. */
  seenBy(near: NearEnd): MemoryRedis {
    const open = (purpose: string) => (): { wire: Wire; refused: boolean } => {
      const wire = new Wire(this, near, purpose);
      const refused = this.engine.down || this.unreachable.has(near);
      this.#labels.set(wire.session.id, `${near.name}:${purpose}`);
      if (refused) wire.destroy();
      else {
        this.wires.add(wire);
        wire.once('close', () => this.wires.delete(wire));
      }
      return { wire, refused };
    };
    const connectorOptions = (purpose: string) => ({ Connector: connectorOf(open(purpose)) });
    const not = (): never => {
      throw new Error('not in a simulation');
    };
    return {
      client: (options: RedisOptions = {}) => {
        const purpose = options.connectionName?.split(':').at(-1) ?? '';
        return new Redis({ ...options, ...connectorOptions(purpose) } as RedisOptions & { replyMapping?: 'legacy' });
      },
      connectorOptions: () => connectorOptions(''),
      listen: not,
      faults: { inject: not, clear: not, pause: not, resume: not, crash: not, restart: not },
      close: () => Promise.resolve(),
    };
  }

  delay(near: NearEnd): number {
    const { none, most, peak } = this.latency;
    const slow = this.slow.get(near) ?? 0;
    if (this.chance.yes(none)) return slow;
    return slow + (peak > 0 && this.chance.yes(PEAKS) ? this.chance.below(peak) : this.chance.between(1, most));
  }

  arrived({ near, purpose }: Wire, bytes: Buffer): void {
    if (purpose === 'read' || purpose === 'observe')
      this.history.note(`${near.name}:${purpose}`, `← ${bytes.toString('latin1').replaceAll('\r\n', ' ')}`);
  }
}

type NetStream = Awaited<ReturnType<AbstractConnector['connect']>>;

/** What makes an ioredis client connect through `open`. */
function connectorOf(open: () => { wire: Wire; refused: boolean }): new () => AbstractConnector {
  return class extends AbstractConnector {
    constructor() {
      super(0);
    }

    override connect(): Promise<NetStream> {
      this.connecting = true;
      return new Promise((resolve, reject) => {
        process.nextTick(() => {
          if (!this.connecting) return reject(new Error('Connection is closed.'));
          const { wire, refused } = open();
          this.stream = wire as unknown as NetStream;
          if (refused) this.firstError = Object.assign(new Error('connect ECONNREFUSED simulated'), { code: 'ECONNREFUSED' });
          resolve(this.stream);
        });
      });
    }

    override disconnect(): void {
      this.connecting = false;
      this.stream?.end(); // ioredis' own sets a timer of the machine's
    }
  };
}

/** A command and the kind of its first key. */
function usedOf(spec: CommandSpec, args: Args): string {
  const at = keyPositions(spec, args)[0];
  const key = at === undefined ? '' : args.text(at);
  const [, tail = ''] = /^\{[^}]*\}:(.*)$/s.exec(key) ?? /^[^:]*:(.*)$/s.exec(key) ?? [];
  const [first = '', second = '', third] = tail.split(':');
  const kind =
    !key.startsWith('{') || ['event', 'outcome', 'producer', 'types'].includes(first)
      ? first
      : third !== undefined && second === 'aside'
        ? 'aside list'
        : second;
  return `${spec.name.toUpperCase()} ${kind}`.trim();
}

/** A reply, for people. */
export function shown(reply: Reply): string {
  if (reply === NO_REPLY) return '(later)';
  if (reply === null) return 'nil';
  if (reply instanceof Status) return reply.text;
  if (reply instanceof CommandError) return `!${reply.message}`;
  if (reply instanceof Double) return String(reply.value);
  if (reply instanceof RawArray) {
    const texts = reply.segments.map(({ bytes, start, end }) => bytes.toString('latin1', start, end).replaceAll('\r\n', ' '));
    return `[${texts.join('')}]`;
  }
  if (Array.isArray(reply)) return `[${(reply as readonly Reply[]).map(shown).join(' ')}]`;
  return typeof reply === 'object' ? JSON.stringify(reply) : String(reply);
}
