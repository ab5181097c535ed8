/** What all parts of a simulation agree on. */

export const NAME = 'sim';
export const SHARDS = 2;
export const LEASE_MS = 1_000;
export const PARTITION_TYPES = ['list', 'echo', 'ear', 'tally'] as const;
/** The partition types that subscribe to `heard`. */
export const SUBSCRIBERS = ['ear', 'tally'] as const;

/** So long waits what is not meant to be handled in a run, ms: it ends only because somebody cancels it. */
export const FAR_MS = 3_600_000;

export const tagOf = (shard: number): string => `{${NAME}:${shard}}:`;
