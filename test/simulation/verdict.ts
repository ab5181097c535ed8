import type { Reply } from '../../src/memory-redis/reply.js';
import { RawArray } from '../../src/memory-redis/reply.js';
import { fromFields } from '../../src/message/envelope.js';
import { isCancelled } from './cancellers.js';
import { nameOf } from './letters.js';
import type { Simulation } from './simulation.js';
import { shown } from './store.js';
import type { Intent } from './tellers.js';
import type { Violation } from './witness.js';
import { NAME } from './world.js';

/** Keys that may be left when everything is settled; inboxes are looked at by themselves, an empty stream is a key. */
const KEPT = new RegExp(
  `^(${NAME}:(system|nodes)|\\{${NAME}:\\d+\\}:(types|event:heard|(outcome|producer):.*|(list|echo|ear|tally):(commands|partition|results|dead|cancelled|state:.*)))$`,
  's',
);

/** A node that stops by itself is gone after this. */
const STOPPED_MS = 5_000;

/** After a run: what the store holds, and what those who told were told, against all that was seen on the way. */
export function atTheEnd(simulation: Simulation, intents: readonly Intent[]): Violation | undefined {
  for (const look of [unsettled, strays, stopped, states, results, letters, cancelled, promises, observed]) {
    const text = look(simulation, intents);
    if (text !== undefined) return { check: NAMES.get(look) ?? '', text };
  }
  return undefined;
}

type Look = (simulation: Simulation, intents: readonly Intent[]) => string | undefined;

/** Inboxes, aside lists and schedules are empty, and cursors stand at the end. */
function unsettled({ witness, peek, cursorsOf }: Simulation, intents: readonly Intent[]): string | undefined {
  const { inboxes, asides, scheduled, facts } = witness.shadow;
  const open = intents.filter(({ over }) => !over).map(({ data }) => data.word);
  if (open.length > 0) return `nobody answered ${open.join(', ')}`;
  for (const [inbox, messages] of inboxes) {
    if (messages.size > 0) return `${inbox} still holds ${[...messages.values()].map(({ id }) => id).join(', ')}`;
    if (Number(peek('XLEN', inbox)) !== 0) return `${inbox} is not empty`;
  }
  for (const [list, messages] of asides) if (messages.length > 0) return `${list} still holds ${messages.map(({ id }) => id).join(', ')}`;
  for (const [hash, messages] of scheduled)
    if (messages.size > 0) return `${hash} still holds ${[...messages.values()].map(({ id }) => id).join(', ')}`;
  for (const [stream, all] of facts) {
    const last = all.at(-1)?.entry;
    if (cursorsOf(stream).some((cursor) => cursor !== last))
      return `${stream} ends at ${last ?? ''}, its subscribers stand at ${cursorsOf(stream).join(', ')}`;
  }
  return undefined;
}

function strays({ peek }: Simulation): string | undefined {
  const left = (peek('KEYS', '*') as string[]).filter((key) => !KEPT.test(key));
  return left.length === 0 ? undefined : `left over: ${left.sort().join(', ')}`;
}

/** Whose supervisor at the top has failed is no longer there. */
function stopped({ nodes, clock }: Simulation): string | undefined {
  const stays = nodes.find(
    ({ restarts: { failed }, dead, stopped: gone }) => failed !== undefined && clock.monotonic() - failed > STOPPED_MS && !dead && !gone,
  );
  return stays === undefined
    ? undefined
    : `${stays.name} goes on ${clock.monotonic() - (stays.restarts.failed ?? 0)} ms after its supervisor at the top failed`;
}

/** Each state in the store is what its commits made of it. */
function states({ peek, witness }: Simulation): string | undefined {
  const stored = (peek('KEYS', '*:state:*') as string[]).sort();
  const known = [...witness.shadow.states.keys()].sort();
  if (stored.join() !== known.join()) return `there are states of ${stored.join(', ')}; committed were ${known.join(', ')}`;
  for (const [key, { version, ids }] of witness.shadow.states) {
    const expected = `${version} ${JSON.stringify({ ids })}`;
    if (peek('GET', key) !== expected) return `${key} is ${shown(peek('GET', key))}, committed was ${expected}`;
    if (new Set(ids).size !== ids.length && !/:(ear|tally):/.test(key)) return `${key} holds a message twice: ${expected}`; // facts may be taken in anew, by hand
  }
  return undefined;
}

/** Each result in the store is there once; each outcome that is recorded says the same. */
function results({ peek, witness }: Simulation): string | undefined {
  const seen = new Map<string, string>();
  for (const key of peek('KEYS', '*:results') as string[]) {
    for (const fields of entriesOf(peek('XRANGE', key, '-', '+'))) {
      const result = fromFields(fields);
      if ('fault' in result) return `${key} holds what is no result: ${result.fault}`;
      const of = result.causationId ?? '';
      if (seen.has(of)) return `${of} has two results`;
      seen.set(of, result.status ?? '');
    }
  }
  const known = [...witness.shadow.results.keys()];
  if (known.length !== seen.size || known.some((id) => !seen.has(id)))
    return `${seen.size} results are stored, ${known.length} were committed`;
  for (const key of peek('KEYS', '*:outcome:*') as string[]) {
    const id = key.slice(key.indexOf(':outcome:') + ':outcome:'.length);
    const text = peek('GET', key) as string;
    const body = text.slice(text.indexOf(' ') + 1);
    if (body === 'pending') {
      if (seen.has(id)) return `the outcome of ${id} is still pending, and it has a result`;
      if (!witness.isFact(id)) return `${id} has neither outcome nor result`;
    } else if ((JSON.parse(body) as { status: string }).status !== seen.get(id)) return `the outcome of ${id} is not its result: ${body}`;
  }
  return undefined;
}

/** The letters that are kept are those that were written and not taken away; nobody waits for a decision, and what came back is over. */
function letters({ peek, witness, menders, torn }: Simulation): string | undefined {
  const { shadow, letters: book } = witness;
  const known = book.all.map(nameOf).sort();
  const stored = (peek('KEYS', '*:dead') as string[]).flatMap((stream) => {
    const [, shard = '', actor = ''] = /:(\d+)\}:(.*):dead$/.exec(stream) ?? [];
    return idsOf(peek('XRANGE', stream, '-', '+')).map((letter) => `${actor}/${shard}/${letter}`);
  });
  if (stored.sort().join() !== known.join()) return `there are letters ${stored.join(', ')}; committed were ${known.join(', ')}`;
  const waits = book.all.find(({ parked }) => parked);
  if (waits !== undefined) return `${nameOf(waits)} points to ${waits.message.id}, which does not wait`;
  if (torn) return undefined;
  for (const [letter, { id, kind }] of book.redriven)
    if (kind === 'command' && shadow.results.get(id) === undefined) return `${letter} was redriven as ${id}, which has no outcome`;
  for (const { letter, messageId } of menders.answered) {
    const truth = book.redriven.get(letter)?.id === messageId || book.unparked.has(letter);
    if (!truth) return `${letter} was said to be redriven as ${messageId}, and was not`;
  }
  return undefined;
}

/** Whoever was told that a message is cancelled, or that it is too late for that, was told the truth; and no mark stands for nothing. */
function cancelled({ peek, witness, cancellers: { wishes }, torn }: Simulation): string | undefined {
  if (torn) return undefined;
  for (const { id, at, answer, lie } of wishes) {
    const result = witness.shadow.results.get(id)?.[0];
    if (lie !== undefined) return `${at.name} said too late of ${id}: ${lie}`;
    if (answer === 'cancelled' && (result === undefined || !isCancelled(result)))
      return `${at.name} said that ${id} is cancelled, its result is ${result?.data ?? 'none'}`;
  }
  for (const [id, [result]] of witness.shadow.results)
    if (result !== undefined && isCancelled(result) && wishes.every((wish) => wish.id !== id || wish.answer === 'too-late'))
      return `${id} was cancelled, and everybody who wished it was told that it is too late`;
  for (const key of peek('KEYS', '*:cancelled') as string[]) {
    for (const id of peek('HKEYS', key) as string[])
      if (wishes.every((wish) => wish.id !== id || wish.answer !== undefined))
        return `${key} still marks ${id}, and whoever did that was answered`;
  }
  return undefined;
}

/** Whoever was told something was told the truth. */
function promises({ witness, torn }: Simulation, intents: readonly Intent[]): string | undefined {
  for (const { kind, data, receipt, rejected, answer } of intents) {
    const id = witness.idOf(data.word);
    if (receipt === undefined && answer === undefined) {
      if (rejected && id !== undefined) return `${data.word} was refused as not applied, and is there as ${id}`;
      continue;
    }
    if (torn) continue; // what was accepted may have been lost with the log's end
    if (id === undefined) return `${data.word} was accepted and is nowhere`;
    if (kind === 'publish') continue;
    const result = witness.shadow.results.get(id)?.[0];
    if (result === undefined) return `${data.word} was accepted as ${id} and has no outcome`;
    if (receipt !== undefined && receipt.messageId !== id) return `${data.word} is ${id}, and was accepted as ${receipt.messageId}`;
    if (answer?.status === 'completed' && result.data !== answer.text)
      return `${data.word} was answered ${answer.text}, its result is ${result.data}`;
    if (answer?.status === 'failed' && (JSON.parse(result.data) as { code: string }).code !== answer.text)
      return `${data.word} was answered ${answer.text}, its result is ${result.data}`;
  }
  return undefined;
}

/** Whoever watches from the start sees each result once. */
function observed({ watchers, witness }: Simulation): string | undefined {
  const ids = [...witness.shadow.results.keys()].filter((id) => witness.isAppend(id));
  for (const { name, seen } of watchers) {
    const wrong = ids.filter((id) => seen?.get(id) !== 1);
    if (wrong.length > 0 || seen?.size !== ids.length)
      return `${name} saw ${seen?.size ?? 0} results of ${ids.length}, and not once: ${wrong.join(', ')}`;
  }
  return undefined;
}

const NAMES = new Map<Look, string>([
  [unsettled, 'all is settled in bounded time after healing'],
  [stopped, 'a node stops by itself when the supervisor at the top has failed'],
  [strays, 'nothing is left over'],
  [states, 'the store holds the states that were committed'],
  [results, 'one result for each message, and the outcome says the same'],
  [letters, 'letters are kept until they are redriven or discarded, once'],
  [cancelled, 'what is cancelled never completes, and what is not is over'],
  [observed, 'an observer sees each result once'],
  [promises, 'accepted is kept, refused is not applied'],
]);

const idsOf = (reply: Reply): string[] => pairsOf(reply).map(([id]) => id);
const entriesOf = (reply: Reply): string[][] => pairsOf(reply).map(([, fields]) => fields);

/** Each entry of an XRANGE, which is answered in wire form: its id, its fields. */
function pairsOf(reply: Reply): [string, string[]][] {
  if (!(reply instanceof RawArray)) return reply as unknown as [string, string[]][];
  const bytes = reply.segments.map((segment) => segment.bytes.toString('latin1', segment.start, segment.end)).join('');
  let at = 0;
  const header = (): number => {
    const end = bytes.indexOf('\r\n', at);
    const value = Number(bytes.slice(at + 1, end));
    at = end + 2;
    return value;
  };
  const text = (): string => {
    const length = header();
    at += length + 2;
    return bytes.slice(at - length - 2, at - 2);
  };
  return Array.from({ length: reply.count }, () => {
    header();
    return [text(), Array.from({ length: header() }, text)];
  });
}
