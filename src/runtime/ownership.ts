import { isAway } from '../log/connection.js';
import { acquire, type Held, release, renew } from '../log/lease.js';
import { type Timer, within } from '../message/clock.js';
import { asError, codeOf, ErrandError, RedisError } from '../message/errors.js';
import { token } from '../message/random.js';
import type { Deps, Host } from './host.js';
import type { Membership } from './membership.js';
import { Partition } from './partition.js';
import type { Registration } from './registration.js';

/**
 * Which partitions this node owns.
 *
 * O1: a nonce is new at every acquisition, and bound to the connection it was acquired on. When that connection is lost, or a commit stays
 *     unanswered, the partition's memory is dropped, its handlers are aborted, and it is acquired anew and read from the start.
 * O2: handlers stop one second before the lease this node asked for could end, by its own monotonic clock.
 * O3: a node owns its fair share among the live nodes that host the type. What is no longer its share it hands over: it finishes what is in
 *     hand, commits, and releases. Two nodes that disagree for a moment about who lives cost time, never safety: the nonce decides.
 */

/** What stopped being ours without our doing is asked for again after this. */
const AGAIN_MS = 100;
/** How often in the time of a lease a node looks who else lives: every half second with the default of 10 s. */
const LOOKS_A_LEASE = 20;
/** A handler that takes longer is given up by the old owner and done again by the new one. */
const HAND_OVER_MS = 10_000;
/** At most, when Redis refuses something about a partition again and again. */
const REFUSED_MS = 30_000;
/** An acquisition whose answer was lost may have happened; so many of them are remembered. */
const NONCES_KEPT = 16;
/** A Redis that does not answer gets so much longer than the grace. */
const FAREWELL_MS = 1_000;
/** Before the end of a lease that could not be renewed; less for very short leases. */
const MARGIN_MS = 1_000;

export class Ownership {
  /** for each partition, the nonces under which Redis may know this node as its owner, newest last */
  readonly #nonces = new Map<string, readonly string[]>();
  readonly #acquiring = new Map<string, Promise<void>>();
  /** whose leases are waited for, so that it is said once */
  readonly #awaited = new Map<string, string>();
  /** on their way to another node */
  readonly #leaving = new Map<Partition, Promise<void>>();
  readonly #membership: Membership;
  #watching: Timer | undefined;
  /** a partition is another node's share, and stays here for a while */
  #keeping = false;
  /** partitions about which Redis refused something, how often in a row, and until when (monotonic ms) they are left alone */
  readonly #refusals = new Map<string, { readonly count: number; readonly until: number }>();
  #tending: Timer | undefined;
  #again: { readonly at: number /* monotonic ms */; readonly timer: Timer } | undefined;
  #leaseEnd: Timer | undefined;
  /** nothing more is acquired */
  #stopping = false;
  /** nothing more is renewed */
  #stopped = false;
  #beat: Promise<void> | undefined;
  #beatAgain = false;

  constructor(
    private readonly deps: Deps,
    private readonly supervised: { readonly hosts: readonly Host[] },
    private readonly lease: number,
    private readonly registration: Registration,
  ) {
    this.#membership = deps.membership;
  }

  get hosts(): readonly Host[] {
    return this.supervised.hosts;
  }

  /** Takes what is free; goes on renewing it, and asking for what is not. */
  async start(): Promise<void> {
    const { link } = this.deps;
    link.onDown(() => {
      for (const partition of this.#owned()) this.#lost(partition, 'connection lost');
    });
    link.onUp(() => void this.#tend());
    await this.#tend();
    this.#watch();
  }

  /** Looks for nodes that come and go; more often than it renews, so that what a stopped node released is soon worked on. */
  #watch(): void {
    this.#watching = this.deps.clock.after(this.lease / LOOKS_A_LEASE, () => {
      const looked = this.#look().catch(() => undefined); // away for now
      void looked.then(() => {
        if (!this.#stopping) this.#watch();
      });
    });
  }

  /** Invariant O3. */
  async #look(): Promise<void> {
    if (!this.deps.link.up) return;
    const changed = await this.#membership.look(this.#owned().map(({ host, shard, needs }) => ({ type: host.type, shard, needs })));
    if ((!changed && !this.#keeping) || this.#stopping) return;
    this.#keeping = false;
    for (const partition of this.#owned()) {
      if (this.#ours(partition.host, partition.shard)) continue;
      if (this.#keeps(partition)) this.#keeping = true;
      else void this.#handOver(partition);
    }
    void this.#acquireMissing();
  }

  /** Of builds that each know what the other does not, each has the partition for a while. */
  #keeps({ host, shard, since }: Partition): boolean {
    return this.deps.clock.monotonic() - since < this.lease / 2 && this.#membership.isWantedHere(host.type, shard);
  }

  #ours({ type }: Host, shard: number): boolean {
    return this.#membership.ours(type, shard, this.types);
  }

  /** Invariant O3: finishes what is in hand, commits, releases. */
  async #handOver(partition: Partition): Promise<void> {
    await this.#give(partition, new ErrandError('PARTITION_LOST', `${partition.host.type}/${partition.shard} goes to another node`));
    void this.#acquireMissing(); // it may be this node's again by now
  }

  #give(partition: Partition, reason: Error): Promise<void> {
    const leaving = this.#leaving.get(partition) ?? this.#giveOnce(partition, reason).finally(() => this.#leaving.delete(partition));
    this.#leaving.set(partition, leaving);
    return leaving;
  }

  async #giveOnce(partition: Partition, reason: Error): Promise<void> {
    const { host, shard } = partition;
    const { clock, reader, signals } = this.deps;
    for (const source of partition.sources) reader.remove(source);
    partition.stopWork();
    const limit = clock.after(HAND_OVER_MS, () => partition.drop(reason));
    await partition.inHand.finished();
    limit.cancel();
    if (host.partitions.get(shard) !== partition) return; // lost meanwhile
    partition.drop(reason);
    host.partitions.delete(shard);
    await this.#release(host, [shard]);
    signals.emit({ kind: 'partition-released', actor: host.type, shard });
  }

  /** Whatever Redis may know as this node's. */
  async #release(host: Host, shards: readonly number[]): Promise<void> {
    const { link, keys } = this.deps;
    const held = this.#held(host, shards);
    for (const shard of shards) this.#nonces.delete(`${host.type}/${shard}`);
    if (!link.up || held.length === 0) return;
    try {
      await release(link, keys, held);
    } catch {
      // The leases end by themselves.
    }
  }

  /**
   * Gives up all partitions of an actor type that is not `running` any more, and asks for none until `admit`. What has finished is committed.
   * @param grace ms that handlers in hand may still take; 0 aborts them at once
   */
  async retire(host: Host, reason: Error, grace: number): Promise<void> {
    const { clock, link } = this.deps;
    const partitions = [...host.partitions.values()];
    const abandon = (): void => {
      for (const partition of partitions) partition.abandon(reason);
    };
    const given = Promise.all(partitions.map((partition) => this.#give(partition, reason)));
    const limit = grace > 0 ? clock.after(grace, abandon) : undefined;
    if (limit === undefined) abandon();
    if (host.state === 'stopped' && link.up) await this.#announce().catch(() => undefined); // others begin to ask for its share
    await given;
    limit?.cancel();
    await Promise.all([...this.#acquiring].filter(([name]) => name.startsWith(`${host.type}/`)).map(([, acquiring]) => acquiring));
    await this.#release(host, this.#shards);
  }

  /** Takes what is this node's share of whatever is `running` by now. */
  async admit(): Promise<void> {
    if (this.deps.link.up) await this.#announce().catch(() => undefined);
    await this.#acquireMissing();
  }

  get #shards(): number[] {
    return Array.from({ length: this.deps.keys.shards }, (_, shard) => shard);
  }

  #owned(): Partition[] {
    return this.hosts.flatMap((host) => [...host.partitions.values()]);
  }

  /** What this node hosts; a type that waits for its restart is still its own. */
  get types(): readonly string[] {
    return this.hosts.filter(({ state }) => state !== 'stopped').map(({ type }) => type);
  }

  #announce(): Promise<void> {
    return this.#membership.announce(this.types, () => this.#stopping);
  }

  /** Renews, says that this node lives, and asks for what it does not own. Never rejects. */
  async #tend(): Promise<void> {
    if (this.#stopped) return;
    this.#beatAgain = this.#beat !== undefined;
    this.#beat ??= this.#tendOnce();
    await this.#beat;
  }

  async #tendOnce(): Promise<void> {
    const { link, keys, clock, signals } = this.deps;
    this.#tending?.cancel();
    try {
      const asked = clock.monotonic();
      const owned = this.#owned();
      if (this.#membership.alone) await this.#look();
      const refused = new Set((await renew(link, keys, owned.map(idOf), this.lease)).map(({ nonce }) => nonce));
      for (const partition of owned) if (refused.has(partition.nonce) && !partition.dropped) this.#lost(partition, 'fenced');
      this.#leaseGranted(asked);
      // A full Redis takes no heartbeat, but its owners can still drain it: the one must not stand in the other's way.
      const asking = this.#acquireMissing();
      try {
        if (!this.#stopping) {
          await this.registration.check();
          await this.#announce();
        }
      } finally {
        await asking;
      }
    } catch (thrown) {
      const error = asError(thrown);
      const expected = isAway(error);
      if (!expected)
        signals.emit({
          kind: 'fault',
          where: 'ownership',
          code: codeOf(error, 'FAULT'),
          message: error.message,
        });
    } finally {
      this.#beat = undefined;
      const next = this.#beatAgain ? 0 : this.lease / 3; // survives two lost renewals
      if (!this.#stopped) this.#tending = clock.after(next, () => void this.#tend());
    }
  }

  /** Invariant O2. */
  #leaseGranted(asked: number): void {
    const { clock } = this.deps;
    this.#leaseEnd?.cancel();
    if (this.#stopped) return;
    const left = asked + this.lease - Math.min(MARGIN_MS, this.lease / 2) - clock.monotonic();
    this.#leaseEnd = clock.after(left, () => {
      this.#leaseEnd = undefined;
      for (const partition of this.#owned()) this.#lost(partition, 'lease not renewed');
    });
  }

  async #acquireMissing(): Promise<void> {
    const missing = this.hosts.flatMap((host) =>
      this.#shards
        .filter((shard) => host.state === 'running' && !host.partitions.has(shard) && this.#ours(host, shard))
        .map((shard) => this.#acquireOnce(host, shard)),
    );
    await Promise.all(missing);
  }

  async #acquireOnce(host: Host, shard: number): Promise<void> {
    const name = `${host.type}/${shard}`;
    if (this.#stopping || this.#acquiring.has(name) || !this.deps.link.up) return; // once it is up, all that is missing is asked for
    if ((this.#refusals.get(name)?.until ?? 0) > this.deps.clock.monotonic()) return;
    const acquiring = this.#acquire(host, shard, name).finally(() => this.#acquiring.delete(name));
    this.#acquiring.set(name, acquiring);
    await acquiring;
  }

  /** Invariant O1. Never rejects. */
  async #acquire(host: Host, shard: number, name: string): Promise<void> {
    const { link, keys, node, clock, random, reader, signals, logger } = this.deps;
    try {
      const { epoch } = link;
      const asked = clock.monotonic();
      const nonce = token(random);
      const previous = this.#nonces.get(name) ?? [];
      this.#nonces.set(name, [...previous, nonce].slice(-NONCES_KEPT)); // whether or not the answer arrives
      const reply = await acquire(link, keys, { type: host.type, shard }, { nonce, node, lease: this.lease, previous });
      if (reply.kind === 'held') {
        this.#nonces.delete(name);
        if (!this.#membership.knows(reply.node) && this.#awaited.get(name) !== reply.node) {
          this.#awaited.set(name, reply.node);
          const seconds = Math.ceil((reply.until - reply.now) / 1000);
          logger.info(
            { actor: host.type, shard, node: reply.node },
            `waiting for ${name}: node ${reply.node} did not release it, its lease ends in ${seconds} s`,
          );
        }
        this.#askAgain(Math.max(AGAIN_MS, Math.min(reply.until - reply.now, this.lease / LOOKS_A_LEASE)));
        return;
      }
      this.#nonces.set(name, [nonce]);
      const last = reply.fields.get('nonce');
      const unclean = last !== undefined && !previous.includes(last);
      const partition = new Partition(host, shard, { nonce, unclean, fields: reply.fields }, (lost, reason, error) =>
        this.#lost(lost, reason, error),
      );
      await partition.load();
      if (link.epoch !== epoch || this.#stopping || partition.dropped || host.state !== 'running') {
        this.#askAgain(AGAIN_MS);
        return partition.drop(new ErrandError('PARTITION_LOST', 'the connection was lost'));
      }
      host.partitions.set(shard, partition);
      if (this.#leaseEnd === undefined) this.#leaseGranted(asked); // the last one has ended meanwhile
      const goesOn = last !== undefined && !unclean; // as this node left it
      for (const source of partition.sources) reader.add(source, goesOn);
      signals.emit({ kind: 'partition-acquired', actor: host.type, shard });
    } catch (thrown) {
      if (link.up) {
        const error = asError(thrown);
        signals.emit({ kind: 'fault', where: name, code: codeOf(error, 'FAULT'), message: error.message });
        this.#askAgain(this.lease / 3);
      }
    }
  }

  /** All that is missing is asked for in `ms`, or earlier when something else is expected earlier. */
  #askAgain(ms: number): void {
    const { clock } = this.deps;
    const at = clock.monotonic() + ms;
    if (this.#stopping || (this.#again !== undefined && this.#again.at <= at)) return;
    this.#again?.timer.cancel();
    const timer = clock.after(ms, () => {
      this.#again = undefined;
      void this.#acquireMissing();
    });
    this.#again = { at, timer };
  }

  #lost(partition: Partition, reason: string, error?: Error): void {
    if (partition.dropped) return;
    const { host, shard } = partition;
    const name = `${host.type}/${shard}`;
    const { reader, signals, logger } = this.deps;
    partition.drop(new ErrandError('PARTITION_LOST', `${host.type}/${shard}: ${reason}`));
    if (host.partitions.get(shard) === partition) host.partitions.delete(shard);
    for (const source of partition.sources) reader.remove(source);
    if (reason === 'fenced') this.#nonces.delete(name);
    logger.warn(
      { actor: host.type, shard, reason, ...(error === undefined ? {} : { err: error }) },
      `partition ${host.type}/${shard} lost: ${reason}`,
    );
    signals.emit({ kind: 'partition-lost', actor: host.type, shard, reason: error === undefined ? reason : `${reason}: ${error.message}` });
    const refused = error instanceof RedisError && !isAway(error) && !partition.committer.progressed;
    const refusals = refused ? (this.#refusals.get(name)?.count ?? 0) + 1 : 0;
    const wait = Math.min(AGAIN_MS * 2 ** refusals, REFUSED_MS);
    if (refused) this.#refusals.set(name, { count: refusals, until: this.deps.clock.monotonic() + wait });
    else this.#refusals.delete(name);
    this.#askAgain(wait);
  }

  /** Every partition that Redis may know as this node's, also those that it has lost and not got back. */
  #held({ type }: Host, shards: readonly number[]): Held[] {
    return shards.flatMap((shard) => (this.#nonces.get(`${type}/${shard}`) ?? []).map((nonce) => ({ type, shard, nonce })));
  }

  /** Begins nothing new, waits up to `grace` ms for what is in hand, then gives everything up. */
  async stop(grace: number): Promise<void> {
    this.#stopping = true;
    this.#again?.timer.cancel();
    this.#watching?.cancel();
    const { clock, link, keys, reader, signals } = this.deps;
    const leaving = link.up ? this.#membership.leave() : Promise.resolve(); // others begin to ask for its share
    leaving.catch(() => undefined);
    const owned = this.#owned();
    for (const partition of owned) {
      partition.stopWork();
      for (const source of partition.sources) reader.remove(source);
    }
    const giveUp = (): void => {
      for (const partition of owned) partition.drop(new ErrandError('STOPPED', 'the node is stopping'));
    };
    const deadline = clock.after(grace, giveUp);
    await Promise.all(owned.map((partition) => partition.inHand.finished()));
    this.#stopped = true;
    deadline.cancel();
    giveUp();
    // What is still on its way must not come after the release: a renewal would keep this node alive in the others' eyes.
    const farewell = async (): Promise<void> => {
      await Promise.all([leaving, this.#beat, ...this.#acquiring.values()]);
      if (!link.up) return;
      await release(
        link,
        keys,
        this.hosts.flatMap((host) => this.#held(host, this.#shards)),
      );
      await this.#membership.leave();
    };
    await within(clock, FAREWELL_MS, farewell()); // unheard, the leases end by themselves
    this.#tending?.cancel();
    this.#leaseEnd?.cancel();
    for (const { host, shard } of owned) {
      host.partitions.delete(shard);
      signals.emit({ kind: 'partition-released', actor: host.type, shard });
    }
  }
}

function idOf({ host, shard, nonce }: Partition): { type: string; shard: number; nonce: string } {
  return { type: host.type, shard, nonce };
}
