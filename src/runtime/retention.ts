import { trimFacts } from '../log/retention.js';
import { recordedSubscriptions } from '../log/subscriptions.js';
import type { Timer } from '../message/clock.js';
import { asError, codeOf } from '../message/errors.js';
import { RETENTION_SWEEP_MS } from '../message/limits.js';
import type { Deps, Host } from './host.js';
import { cursorField } from './intake.js';

/** Now and then, trims what this node's partitions keep, and the facts it publishes or subscribes to. */
export class Retention {
  #timer: Timer | undefined;
  #stopped = false;

  constructor(
    private readonly deps: Deps,
    private readonly supervised: { readonly hosts: readonly Host[] },
  ) {}

  start(): void {
    this.#timer = this.deps.clock.after(RETENTION_SWEEP_MS, () => void this.#sweep());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #sweep(): Promise<void> {
    const { link, keys, clock, composer } = this.deps;
    try {
      const { hosts } = this.supervised;
      const partitions = hosts.flatMap((host) => [...host.partitions.values()]);
      for (const partition of partitions) partition.trimOld();
      for (const { cancellations } of partitions) await cancellations.sweep(clock.now());
      const recorded = await recordedSubscriptions(link, keys);
      const own = hosts.flatMap(({ behavior }) => [...behavior.subscriptions.keys()]);
      for (const event of new Set([...composer.published, ...own])) {
        const subscribers = recorded.filter((one) => one.event === event).map(({ type }) => type);
        for (const error of await trimFacts(link, keys, event, subscribers, cursorField(event), clock.now())) this.#fault(error);
      }
    } catch (thrown) {
      this.#fault(asError(thrown));
    } finally {
      if (!this.#stopped) this.start();
    }
  }

  #fault(error: Error): void {
    this.deps.signals.emit({ kind: 'fault', where: 'retention', code: codeOf(error, 'FAULT'), message: error.message });
  }
}
