import { createHash } from 'node:crypto';
import { V7Generator } from 'uuidv7';
import type { Clock } from './clock.js';
import { canonicalJson } from './json.js';
import type { Random } from './random.js';

const DASH = 45;
const DIGITS = Uint8Array.from({ length: 16 }, (_, digit) => digit.toString(16).charCodeAt(0));
/** Room for a shard, a dot and a UUID. */
const scratch = Buffer.alloc(64);

/** In one piece: the library's own text is a rope of forty, all of which live, and are copied about, for as long as the message waits. */
function idText(shard: number, uuid: Readonly<Uint8Array>): string {
  let at = scratch.write(`${shard}.`, 'latin1');
  for (let i = 0; i < 16; i += 1) {
    if (i === 4 || i === 6 || i === 8 || i === 10) scratch[at++] = DASH;
    const byte = uuid[i] as number;
    scratch[at++] = DIGITS[byte >> 4] as number;
    scratch[at++] = DIGITS[byte & 15] as number;
  }
  return scratch.toString('latin1', 0, at);
}

/**
 * Message ids begin with their shard (`3.0198c2…`), so that whoever holds one finds its outcome without asking around.
 * Ids made elsewhere are taken as they are.
 */
export class Ids {
  readonly #generator: V7Generator;
  readonly #clock: Clock;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#generator = new V7Generator({ nextUint32: () => random.uint32() });
  }

  /** A new id: the shard and a UUID v7, which sorts by time. */
  next(shard: number): string {
    return idText(shard, this.#generator.generateOrResetWithTs(this.#clock.now()).bytes);
  }
}

/** SHA-256, 27 characters of it. */
export const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 27);

/** The same id for the same (type, key, idempotencyKey), wherever and whenever it is made. @param type tells one kind of message from all others */
export function derivedId(shard: number, type: string, key: string, idempotencyKey: string): string {
  return `${shard}.k${digest(JSON.stringify([type, key, idempotencyKey]))}`;
}

/** Tells whether two messages under one idempotency key carry the same data. */
export function fingerprint(data: unknown): string {
  return digest(canonicalJson(data));
}

/** The shard an id of ours begins with, or undefined for a foreign one. */
export function shardOfId(id: string): number | undefined {
  const digits = /^(\d{1,5})\./.exec(id)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
