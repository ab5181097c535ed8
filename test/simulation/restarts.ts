import type { Signal } from '../../src/index.js';
import type { Violation } from './witness.js';

/** How many escalations a supervisor takes within which time. */
export interface Window {
  readonly intensity: number;
  readonly period: number; // ms
}

/** The supervisor at the top. */
export const TOP = 'all';

/**
 * Watches one node's supervisors. One restarts what it supervises as long as no more than `intensity` escalations came to it within `period`,
 * and fails with the next one; a node stops by itself when its supervisor at the top has failed, and only then.
 */
export class Restarts {
  /** supervisor → when it was asked, ms; since it last began anew at the most */
  readonly #asked = new Map<string, number[]>();
  /** since when (ms) the supervisor at the top has failed */
  failed: number | undefined;
  /** something was decided while the node started, when nobody could listen: it cannot be counted */
  missed = false;

  constructor(
    private readonly node: string,
    private readonly windows: ReadonlyMap<string, Window>,
    private readonly violations: Violation[],
  ) {}

  saw(signal: Signal, now: number): void {
    if (signal.kind === 'supervisor-restarts' || signal.kind === 'supervisor-failed') this.#decided(signal, now);
    if (signal.kind === 'stopped' && signal.reason !== undefined && this.failed === undefined && !this.missed)
      this.#violated('a node stops by itself when the supervisor at the top has failed', JSON.stringify(signal));
  }

  #decided({ kind, supervisor, escalations }: Extract<Signal, { kind: 'supervisor-restarts' | 'supervisor-failed' }>, now: number): void {
    const { intensity, period } = this.windows.get(supervisor) ?? { intensity: 0, period: 0 };
    const asked = [...(this.#asked.get(supervisor) ?? []).filter((at) => now - at <= period), now];
    const fails = kind === 'supervisor-failed';
    this.#asked.set(supervisor, fails ? [] : asked);
    if (fails && supervisor === TOP) this.failed = now;
    // The one at the top begins anew with nobody's restart.
    const counted = supervisor === TOP ? escalations === asked.length : escalations <= asked.length;
    if ((!counted && !this.missed) || fails !== escalations > intensity)
      this.#violated(
        'a supervisor fails with one escalation too many',
        `${supervisor} ${kind}, ${escalations} of ${asked.length}, intensity ${intensity}`,
      );
  }

  #violated(check: string, text: string): void {
    this.violations.push({ check, text: `${this.node}: ${text}` });
  }
}
