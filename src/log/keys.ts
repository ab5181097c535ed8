/** More than a system has; the names of others are made each time. */
const MOST_TYPES = 1_000;

/**
 * The key layout (docs/DESIGN.md, section 3), in one place. `{shop:3}` is shard 3's hash tag: all that one commit touches
 * lies in one Cluster slot. Nothing else in errand builds a Redis key.
 */
export class Keys {
  readonly #tags: readonly string[];
  readonly #inboxes = new Map<string, string[]>();
  readonly #results = new Map<string, string[]>();
  readonly system: string;
  readonly nodes: string;
  /** what partitions wait for that their owner cannot handle */
  readonly wanted: string;

  constructor(
    readonly name: string,
    readonly shards: number,
  ) {
    this.#tags = Array.from({ length: shards }, (_, shard) => `{${name}:${shard}}:`);
    this.system = `${name}:system`;
    this.nodes = `${name}:nodes`;
    this.wanted = `${name}:wanted`;
  }

  #tag(shard: number): string {
    return this.#tags[shard] as string;
  }

  /** Made once: every message names some of them, and one text is found again faster than an equal one. */
  #once(known: Map<string, string[]>, type: string, shard: number, suffix: string): string {
    const names = known.get(type);
    if (names !== undefined) return names[shard] as string;
    const name = (tag: string): string => `${tag}${type}:${suffix}`;
    if (known.size === MOST_TYPES) return name(this.#tag(shard)); // return addresses may name anything
    const made = this.#tags.map(name);
    known.set(type, made);
    return made[shard] as string;
  }

  inbox(type: string, shard: number): string {
    return this.#once(this.#inboxes, type, shard, 'commands');
  }
  results(type: string, shard: number): string {
    return this.#once(this.#results, type, shard, 'results');
  }
  event(name: string, shard: number): string {
    return `${this.#tag(shard)}event:${name}`;
  }
  partition(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:partition`;
  }
  state(type: string, shard: number, key: string): string {
    return `${this.#tag(shard)}${type}:state:${key}`;
  }
  /** keys that wait, by the time they may go on */
  waiting(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:aside`;
  }
  /** one waiting key's messages, in order */
  aside(type: string, shard: number, key: string): string {
    return `${this.#tag(shard)}${type}:aside:${key}`;
  }
  /** keys whose first message waits for a node that can handle it, and since when */
  unhandled(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:unhandled`;
  }
  /** ids of delayed messages, by the time they are due */
  schedule(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:schedule`;
  }
  /** the delayed messages themselves, by id */
  scheduled(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:scheduled`;
  }
  /** messages that may have killed their process */
  suspects(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:suspects`;
  }
  /** ids of messages that must not complete */
  cancelled(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:cancelled`;
  }
  dead(type: string, shard: number): string {
    return `${this.#tag(shard)}${type}:dead`;
  }
  /** the actor types that messages of this shard were sent to, hosted or not */
  types(shard: number): string {
    return `${this.#tag(shard)}types`;
  }
  outcome(shard: number, messageId: string): string {
    return `${this.#tag(shard)}outcome:${messageId}`;
  }
  producer(shard: number, id: string): string {
    return `${this.#tag(shard)}producer:${id}`;
  }
  /** the pub/sub channel on which a node learns the outcomes it waits for */
  wake(node: string): string {
    return `${this.name}:wake:${node}`;
  }
}
