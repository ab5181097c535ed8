import { isRecorded, recordBuild } from '../log/builds.js';
import { recordSubscription } from '../log/subscriptions.js';
import { recordActorTypes, recordIdentity, recordShards } from '../log/system-record.js';
import { asError, codeOf } from '../message/errors.js';
import { token } from '../message/random.js';
import type { Behavior } from './behavior.js';
import type { Deps } from './host.js';
import { cursorField } from './intake.js';

/**
 * What a node records for the whole system: actor types, subscriptions, and a name for the data they belong to. When that name is gone, or is
 * another, the data was wiped by hand (FLUSHALL, a restore): that is said loudly, and what the system needs is recorded again. Messages that
 * were wiped are gone, and nothing is claimed about them; what was sent since is handled.
 */
export class Registration {
  #identity = '';

  constructor(
    private readonly deps: Deps,
    private readonly behaviors: readonly Behavior[],
  ) {}

  /** Call before anything is owned. */
  async record(): Promise<void> {
    this.#identity = await this.#recordIdentity();
    await this.#recordActors(undefined);
    // A full Redis refuses it, and must be drained by nodes of a new build as well. It is made up for with a heartbeat.
    await this.#recordBuild().catch((error: unknown) => {
      if (codeOf(asError(error), '') !== 'REDIS_OUT_OF_MEMORY') throw error;
    });
  }

  /** @throws InvalidValueError `SHARDS_MISMATCH` when a system with another number of shards was recorded since */
  async check(): Promise<void> {
    const { link, keys, signals, logger, node, told } = this.deps;
    const identity = await this.#recordIdentity();
    if (identity === this.#identity) return this.#recordBuild();
    told.forget();
    signals.emit({ kind: 'wiped' });
    logger.error({ node }, `the data of ${keys.name} was wiped or replaced: what was not settled is gone`);
    await recordShards(link, keys.name, keys.shards, undefined);
    await this.#recordBuild();
    await this.#recordActors('start'); // all that stands in the streams now came after the wipe
    this.#identity = identity;
  }

  #recordIdentity(): Promise<string> {
    const { link, keys, random } = this.deps;
    return recordIdentity(link, keys, token(random));
  }

  /** Before a heartbeat names it. */
  async #recordBuild(): Promise<void> {
    const { link, keys, membership } = this.deps;
    const { name, text } = membership.record;
    if (!(await isRecorded(link, keys, name))) await recordBuild(link, keys, name, text);
  }

  async #recordActors(from: 'start' | undefined): Promise<void> {
    const { link, keys } = this.deps;
    await recordActorTypes(
      link,
      keys,
      this.behaviors.map(({ type }) => type),
    );
    for (const { type, subscriptions } of this.behaviors) {
      for (const { event, from: declared } of subscriptions.values())
        await recordSubscription(link, keys, type, event.name, from ?? declared, cursorField(event.name));
    }
  }
}
