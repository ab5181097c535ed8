import type { Args } from './args.js';
import { printed } from './bytes.js';
import type { Client } from './client-state.js';
import { arityFits, type CommandSpec } from './command-table.js';
import type { Engine } from './engine.js';
import { CommandError, OUT_OF_MEMORY, wrongArity } from './reply.js';

const ALLOWED_WHILE_SUBSCRIBED = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
]);

/** Done even when a transaction may hold no more. */
const ENDS_TRANSACTION = new Set(['exec', 'discard', 'quit', 'reset']);

/** What a request may do to the data. */
interface Effects {
  readonly mayWrite: boolean;
  readonly denyOom: boolean;
}

/** Of a script its first line decides, when it has one; of EXEC, what was queued. */
export function effects(engine: Engine, client: Client, spec: CommandSpec, args: Args): Effects {
  if (spec.name === 'exec') {
    const queued = (client.transaction?.queue ?? []).map((request) => effects(engine, client, request.spec, request.args));
    return { mayWrite: queued.some(({ mayWrite }) => mayWrite), denyOom: queued.some(({ denyOom }) => denyOom) };
  }
  const flags = spec.name.startsWith('eval') ? engine.scripts.flagsOf(spec, args) : undefined;
  return flags === undefined ? spec : { mayWrite: !flags.noWrites, denyOom: !flags.noWrites && !flags.allowOom };
}

/** The command that a request names, when it may run now; throws what Redis says otherwise, in its order. */
export function check(engine: Engine, client: Client, found: CommandSpec | undefined, args: Args): CommandSpec {
  if (engine.failure !== undefined) throw engine.failure;
  const spec = resolve(found, args);
  if (engine.writeFailure !== undefined && spec.mayWrite) throw engine.writeFailure;
  if (engine.outOfMemory()) {
    const queues = client.transaction !== undefined && !ENDS_TRANSACTION.has(spec.name);
    if (queues || effects(engine, client, spec, args).denyOom) throw OUT_OF_MEMORY;
  }
  if (client.protocol === 2 && client.subscriptions > 0 && !ALLOWED_WHILE_SUBSCRIBED.has(spec.name)) {
    throw new CommandError(
      `ERR Can't execute '${spec.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    );
  }
  return spec;
}

/** The command, or its subcommand, that these words name; throws when there is none or their number is wrong. */
export function resolve(found: CommandSpec | undefined, args: Args): CommandSpec {
  if (found === undefined) throw unknownCommand(args);
  let spec = found;
  if (spec.subcommands !== undefined && args.count > 1) {
    const sub = spec.subcommands.get(args.upper(1));
    if (sub === undefined) {
      throw new CommandError(`ERR unknown subcommand '${printed(args.text(1)).slice(0, 128)}'. Try ${spec.name.toUpperCase()} HELP.`);
    }
    spec = sub;
  }
  if (!arityFits(spec, args.count)) throw wrongArity(spec.name);
  return spec;
}

/** Redis shows at most this much of an unknown command's arguments. */
const SHOWN_BYTES = 128;

function unknownCommand(args: Args): CommandError {
  let shown = '';
  for (let index = 1; index < args.count && shown.length < SHOWN_BYTES; index += 1)
    shown += `'${printed(args.text(index)).slice(0, SHOWN_BYTES - shown.length)}' `;
  return new CommandError(`ERR unknown command '${printed(args.text(0)).slice(0, SHOWN_BYTES)}', with args beginning with: ${shown}`);
}
