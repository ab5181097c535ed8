import type { Logger } from './logger.js';
import type { Signal } from './signals.js';

type Level = 'debug' | 'info' | 'warn' | 'error';

/** How loud each kind is. Kinds of a later version are told at `info`. */
const LEVEL: Readonly<Partial<Record<Signal['kind'], Level>>> = {
  connected: 'info',
  disconnected: 'warn',
  'log-rewritten': 'debug', // the runtime logs it, as it does what follows: both may come while the node starts
  'log-not-rewritten': 'debug',
  'partition-acquired': 'debug',
  'partition-released': 'debug',
  'partition-lost': 'debug', // the runtime logs it with the error itself
  'attempt-failed': 'debug', // the runtime logs it with the error itself
  'retry-delayed': 'info',
  parked: 'warn',
  'breaker-opened': 'error',
  'breaker-closed': 'info',
  escalated: 'debug', // as are the three that follow it
  'supervisor-restarts': 'debug',
  'supervisor-failed': 'debug',
  'actor-restarted': 'info',
  'actor-stopped': 'warn',
  'message-failed': 'warn',
  'dead-letter': 'error',
  'running-alone': 'warn',
  wiped: 'error',
  unhosted: 'warn',
  unhandled: 'debug', // the runtime logs it with the reason
  fault: 'error',
};

/** Logs what happens inside a system, one line a signal. Payloads are in no signal, and so in no log. */
export function logSignal(log: Logger, signal: Signal): void {
  const { kind, at: _, ...details } = signal;
  if (kind === 'started' || kind === 'stopped') return; // the node logs these itself, with more to say
  log[LEVEL[kind] ?? 'info'](details, kind);
}
