import { Keys } from '../log/keys.js';
import { positionAt } from '../log/position.js';
import {
  type Command,
  definitionAt,
  definitionOf,
  type Event,
  type InputOf,
  type MessageDefinition,
  type ReturnOf,
} from '../message/definition.js';
import { type Envelope, fromFields, type NewEnvelope, toFields } from '../message/envelope.js';
import { asError, failureCodeOf, InvalidValueError, invariant } from '../message/errors.js';
import { Ids } from '../message/ids.js';
import { fromJson, toJson } from '../message/json.js';
import { checkKey } from '../message/names.js';
import { seededRandom } from '../message/random.js';
import { VirtualClock } from '../message/virtual-clock.js';
import { Attempt } from '../runtime/attempt.js';
import { decode, definitionFor, unknownMessage } from '../runtime/decode.js';
import { type Logger, silent } from '../runtime/logger.js';
import { Composer } from '../runtime/outgoing.js';
import type { ActorClass, AnyActor, StateOf } from './actor.js';
import { behaviorOf, type Provable } from './actor-definition.js';
import { type Container, type Resolve, resolverFor } from './container.js';
import type { ResultMessage } from './messages.js';

/** One handler without a system, for tests of actors. */

/** What one handler did. */
export interface Outcome<A extends AnyActor, C extends Command> {
  readonly result: ResultMessage<C>;
  /** after the handler; as it was when the handler failed */
  readonly state: StateOf<A>;
  readonly told: readonly { readonly command: Command; readonly key: string; readonly data: unknown }[];
  readonly published: readonly { readonly event: Event; readonly key: string; readonly data: unknown }[];
}

/** What a command came to: the value that its handler returned, or the error that it failed with. */
export type Answer<C extends Command> =
  | ({ readonly status: 'completed' } & ([ReturnOf<C>] extends [void] ? { readonly value?: undefined } : { readonly value: ReturnOf<C> }))
  | { readonly status: 'failed'; readonly error: { readonly code: string; readonly message: string } };

export interface Given<A extends AnyActor> {
  /** Calls the handler of a command. A handler that throws gives a `failed` result, and nothing is told or published. */
  when<C extends Command>(command: C, data: InputOf<C>): Promise<Outcome<A, C>>;
  /** Calls the handler of a fact. @throws what the handler throws */
  when<E extends Event>(event: E, data: InputOf<E>): Promise<Omit<Outcome<A, Command>, 'result'>>;
  /**
   * Calls the `@onReply` handler of a command, as if the actor had told it and it had come to `answer`.
   * @param from `key`: of the actor that answers, default this actor's own
   * @throws what the handler throws; ErrandError `UNKNOWN_MESSAGE`; InvalidValueError `INVALID_OPTION`; SchemaError `INVALID_RESULT`
   */
  whenReply<C extends Command>(
    command: C,
    answer: Answer<C>,
    from?: { key?: string | undefined },
  ): Promise<Omit<Outcome<A, Command>, 'result'>>;
}

/** What `given` begins with. */
export interface GivenOptions<A extends AnyActor> {
  /** The actor's key. */
  key: string;
  /**
   * The state as it is stored.
   * @default what `initialState()` returns
   */
  state?: StateOf<A> | undefined;
  /**
   * An inversify container that resolves the actor's dependencies.
   * @default none
   */
  container?: Container | undefined;
  /**
   * Makes the actor, in the place of a container; at once or as a promise.
   * @default none
   */
  resolve?: Resolve | undefined;
  /**
   * A pino-shaped logger.
   * @default silent
   */
  logger?: Logger | undefined;
}

const ID = '0.given';
const DEADLINE_MS = 30_000;

/**
 * One handler without a system: `const { result, state, told } = await given(Warehouse, { key: '12005' }).when(DispatchProduct, data)`.
 * @param actor its class
 * @throws as `ActorSystem.start` for the class; the promises reject with ErrandError `INJECTION_FAILED` for an actor that cannot be made
 */
export function given<A extends AnyActor>(actor: A, start: GivenOptions<A>): Given<A> {
  const target = actor as unknown as ActorClass;
  const { container, resolve } = start;
  const resolving: Resolve = async (asked) => (await resolverFor([asked], container, resolve)).resolve(asked);
  const one = new OneHandler(behaviorOf(target, resolving, start.logger ?? silent), checkKey(start.key, 'key'), start.state);
  const when = (message: Command | Event, data: unknown): Promise<unknown> => one.when(message, data);
  const whenReply = (command: Command, answer: Answer<Command>, from: { key?: string | undefined } = {}): Promise<unknown> =>
    one.whenReply(command, answer, from.key);
  return { when, whenReply } as Given<A>;
}

class OneHandler {
  readonly #clock = new VirtualClock();
  readonly #composer = new Composer(this.#clock, new Ids(this.#clock, seededRandom(1)), new Keys('given', 1));
  readonly #place: string;

  constructor(
    private readonly behavior: Provable,
    private readonly key: string,
    private readonly stored: unknown,
  ) {
    this.#place = `state of ${behavior.type}`;
  }

  async when(message: Command | Event, data: unknown): Promise<unknown> {
    const definition = definitionAt(message, definitionOf(message)?.kind ?? 'command', 'when');
    const envelope = this.#envelope({ type: definition.name, kind: definition.kind, source: 'given', data: definition.encode(data).json });
    return this.#handle(envelope, definition);
  }

  async whenReply(command: Command, answer: Answer<Command>, from = this.key): Promise<unknown> {
    const definition = definitionAt(command, 'command', 'whenReply');
    const source = `${definition.to}/${checkKey(from, 'key')}`;
    const about = { type: definition.name, kind: 'reply', source, causationId: ID } as const;
    return this.#handle(this.#envelope({ ...about, ...encodeAnswer(definition, answer) }), definition);
  }

  #envelope(said: Pick<NewEnvelope, 'type' | 'kind' | 'source' | 'data' | 'status' | 'causationId'>): Envelope {
    const envelope = fromFields(toFields({ id: ID, subject: this.key, time: this.#clock.now(), correlationId: ID, ...said }));
    invariant(!('fault' in envelope), 'what was just written can be read');
    return envelope;
  }

  async #handle(envelope: Envelope, definition: MessageDefinition): Promise<unknown> {
    const { behavior } = this;
    const place = this.#place;
    if (definitionFor(behavior, envelope) === undefined) throw unknownMessage(behavior, envelope);
    await behavior.prove();
    const instance = behavior.create();
    const before = this.stored === undefined ? instance.initialState() : behavior.parseState(toJson(this.stored, place));
    const copy = toJson(before, place);
    if (behavior.stateful) instance.state = fromJson(copy, place);
    const now = this.#clock.now();
    const entry = `${now}-0`;
    const attempt = new Attempt(envelope, 1, entry, now + DEADLINE_MS, behavior, this.#composer);
    const { id: messageId, correlationId, type } = envelope;
    const meta = { messageId, correlationId, key: this.key, at: new Date(now), position: positionAt(now, 1), type };
    try {
      await instance.hook('onActivate');
      // The key of a test need not be that of its data.
      const seen = envelope.kind === 'reply' ? decode({ envelope, entry }, definition, 1) : definition.decode(envelope.data);
      const returned = await instance.handle(envelope, seen, attempt);
      const value = envelope.kind === 'command' ? definition.decodeResult(definition.encodeResult(returned)) : undefined;
      attempt.end();
      const state: unknown = attempt.forgotten ? undefined : fromJson(toJson(instance.state, place), place);
      return {
        result: { ...meta, status: 'completed', value },
        state,
        told: staged(attempt, 'command'),
        published: staged(attempt, 'event'),
      };
    } catch (thrown) {
      attempt.end();
      if (envelope.kind !== 'command') throw thrown;
      const error = asError(thrown);
      const failed = { ...meta, status: 'failed', error: { code: failureCodeOf(error), message: error.message } };
      return { result: failed, state: fromJson(copy, place), told: [], published: [] };
    }
  }
}

/** What the handler told, or published. */
function staged(attempt: Attempt, kind: 'command' | 'event'): readonly object[] {
  return attempt.staged
    .filter(({ definition }) => definition.kind === kind)
    .map(({ definition, key, json }) => ({ [kind]: definition.shown, key, data: fromJson(json, definition.name) }));
}

/** The reply as it stands on the wire. */
function encodeAnswer(definition: MessageDefinition, answer: Answer<Command>): { status: 'completed' | 'failed'; data: string } {
  const place = `answer to ${definition.name}`;
  const refuse = (at: string, found: unknown, expected: string): never => {
    throw new InvalidValueError('INVALID_OPTION', `${place}${at}`, found, expected);
  };
  const said: { readonly status?: unknown; readonly error?: unknown } = isObject(answer)
    ? answer
    : refuse('', answer, 'an object with status');
  if (answer.status === 'completed') return { status: 'completed', data: definition.encodeResult(answer.value) };
  if (said.status !== 'failed') refuse(': status', said.status, "'completed' or 'failed'");
  const error = isObject(said.error) ? said.error : refuse(': error', said.error, '{ code, message }');
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code !== 'string') refuse(': error.code', code, 'a string');
  if (typeof message !== 'string') refuse(': error.message', message, 'a string');
  return { status: 'failed', data: toJson({ code, message }, place) };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
