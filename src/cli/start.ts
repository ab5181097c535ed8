/** `errand start`: hosts a config's actors until it is told to stop. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import { ActorSystem } from '../api/actor-system.js';
import { loadConfig, type SystemConfig } from '../api/config.js';
import { createMemoryRedis } from '../memory-redis/index.js';
import { type Duration, isDurationText, milliseconds } from '../message/duration.js';
import { ErrandError } from '../message/errors.js';
import { MOST_SHARDS } from '../message/limits.js';
import type { Signal } from '../runtime/signals.js';
import type { SupervisorView } from '../runtime/supervisor.js';
import { EXIT_CODES } from './failure.js';

interface StartFlags {
  readonly redis?: string;
  readonly shards?: number;
  readonly listen?: number;
  readonly grace: Duration;
  readonly logLevel: string;
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

export function addStart(program: Command): void {
  program
    .command('start')
    .description("host a config's actors until SIGTERM or SIGINT, which let them finish what is in hand; a second signal stops at once")
    .argument('<config>', 'a YAML or JSON file')
    .option('--redis <url>', "memory:, redis://… or rediss://…, in the place of the config's")
    .addOption(new Option('--shards <n>', "in the place of the config's").argParser(wholeNumber(1, MOST_SHARDS)))
    .addOption(
      new Option('--listen <port>', 'open an in-process Redis (memory:) to other processes on this machine; 0 picks a port').argParser(
        wholeNumber(0, 65_535),
      ),
    )
    .addOption(new Option('--grace <duration>', 'how long handlers in hand may take to finish').default('10s').argParser(duration))
    .addOption(new Option('--log-level <level>', 'what is logged to standard error').choices(LEVELS).default('info').env('LOG_LEVEL'))
    .addHelpText('after', `\n${EXIT_CODES}`)
    .action(start);
}

async function start(file: string, flags: StartFlags, command: Command): Promise<void> {
  const config = overridden(await loadConfig(file), flags);
  if (flags.listen !== undefined && config.redis !== 'memory:') {
    command.error('error: --listen opens an in-process Redis; it needs memory: as the Redis');
  }
  const log = pino({ level: flags.logLevel, base: { system: config.name } }, pino.destination({ fd: 2, sync: true }));
  const memory = flags.listen === undefined ? undefined : createMemoryRedis();
  const told = toldToStop(); // from here on, so that a signal during the start is kept
  try {
    const listening = await memory?.listen(flags.listen ?? 0);
    const overrides = { redis: memory ?? config.redis, ...(config.shards !== undefined && { shards: config.shards }), logger: log };
    const system = await ActorSystem.fromConfig(file, overrides);
    let reason = { code: 'SYSTEM_STOPPED', message: `${config.name} stopped by itself; the log says why` };
    const ended = new Promise<'ended'>((resolve) => {
      const next = (signal: Signal): void => {
        if (signal.kind === 'stopped' && signal.reason !== undefined) reason = signal.reason;
      };
      system.signals.subscribe({ next, complete: () => resolve('ended') });
    });
    process.stdout.write(`${announcement(config, system, listening?.url)}\n`);
    const by = await Promise.race([told, ended]);
    const grace = milliseconds(flags.grace, '--grace');
    const began = performance.now();
    if (by === 'ended') {
      leave(grace);
      throw new ErrandError(reason.code, reason.message);
    }
    log.info({ grace: flags.grace }, 'stopping: what is in hand may finish; a second signal stops at once');
    await system.stop({ grace });
    leave(grace - (performance.now() - began));
  } finally {
    await memory?.close();
  }
}

/** Ends the process when what is left of the grace is over, if only a handler that heeds no signal keeps it: the message is somebody else's. */
function leave(left: number): void {
  setTimeout(() => process.exit(), left).unref();
}

function overridden(config: SystemConfig, { redis, shards }: StartFlags): SystemConfig {
  return { ...config, ...(redis !== undefined && { redis }), ...(shards !== undefined && { shards }) };
}

/** What it hosts, and where. */
function announcement(config: SystemConfig, system: ActorSystem, listening: string | undefined): string {
  const actors = hosted(system.supervisors).sort().join(', ') || 'no actors';
  const place = listening === undefined ? withoutSecrets(config.redis) : `memory:, open at ${listening}`;
  return `${config.name} hosts ${actors} on ${place} (${system.shards} ${system.shards === 1 ? 'shard' : 'shards'})`;
}

function hosted(view: SupervisorView): string[] {
  return [...view.children.map(({ actor }) => actor), ...view.supervisors.flatMap(hosted)];
}

function withoutSecrets(address: string): string {
  if (!URL.canParse(address) || address === 'memory:') return address;
  const url = new URL(address);
  return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`;
}

const STOP_SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/** Resolves at the first signal. From then on a second one ends the process: whoever insists has a reason. */
function toldToStop(): Promise<'told'> {
  return new Promise((resolve) => {
    let told = false;
    for (const [signal, number] of Object.entries(STOP_SIGNALS)) {
      process.on(signal, () => {
        if (told) process.exit(128 + number);
        told = true;
        resolve('told');
      });
    }
  });
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };
}

function duration(text: string): Duration {
  if (isDurationText(text)) return text;
  throw new InvalidArgumentError("expected a duration with its unit, such as '250ms', '10s' or '1m'");
}
