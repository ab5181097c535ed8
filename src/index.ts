/** errand: durable actors on Redis Streams. */
export {
  Actor,
  type ActorClass,
  type AnyActor,
  type HandlerOf,
  type ReplyOf,
  type StateOf,
  type SubscribeOptions,
  type SubscriberOf,
} from './api/actor.js';
export { ActorSystem, type StartOptions } from './api/actor-system.js';
export type { ActorContext } from './api/context.js';
export { actor, handles, onReply, subscribes } from './api/decorators.js';
export type { EventMessage, Receipt, ResultMessage } from './api/messages.js';
export type { SupervisedActor, Supervisor } from './api/supervisor-options.js';
export type { SupervisorTree } from './api/supervisor-tree.js';
export type { From, Position } from './log/position.js';
export {
  type Command,
  command,
  type DataOf,
  type Event,
  event,
  type InputOf,
  type Jsonable,
  type ResultOf,
  type ReturnOf,
} from './message/definition.js';
export type { Duration } from './message/duration.js';
export {
  AppendRejected,
  AppendUnknown,
  AskTimeoutError,
  CommandFailed,
  ConfigError,
  DefinitionError,
  ErrandError,
  type Fault,
  IdleTimeoutError,
  InvalidValueError,
  LimitError,
  RedisError,
  SchemaError,
  TerminalError,
  type Unsettled,
} from './message/errors.js';
export type { Cancellation } from './runtime/cancels.js';
export type { DeadLetter, DeadLetterPage, LetterFilter, Redriven } from './runtime/dead-letters.js';
export type { Logger } from './runtime/logger.js';
export type { StageOptions } from './runtime/outgoing.js';
export type { Redact, RedactAbout } from './runtime/redaction.js';
export type { SendOptions, WaitOptions } from './runtime/sender.js';
export type { Signal } from './runtime/signals.js';
export type { Directive } from './runtime/supervision-settings.js';
export type { SupervisorView } from './runtime/supervisor.js';
