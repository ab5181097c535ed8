import type { Link } from './connection.js';
import type { Keys } from './keys.js';
import { stringsOf } from './reply.js';

/**
 * The actor types that messages were sent to, recorded in each shard before, or with, the first message to a type: `cancel` looks for a
 * message there, also where nobody has hosted the type yet.
 */

/** The command that records types in the hash `Keys.types`, and the values it is given. */
export function recordOfTypes(types: readonly string[]): readonly [command: string, values: string[]] {
  return ['HSET', types.flatMap((type) => [type, '1'])];
}

export async function toldTypes(link: Link, keys: Keys, shard: number): Promise<string[]> {
  return stringsOf(await link.call('HKEYS', [keys.types(shard)]), 'HKEYS');
}

/** The inboxes for which this process knows that their actor type is recorded. */
export class ToldTypes {
  readonly #inboxes = new Set<string>();

  has(inbox: string): boolean {
    return this.#inboxes.has(inbox);
  }

  add(inbox: string): void {
    this.#inboxes.add(inbox);
  }

  /** Redis may have lost the end of its log, or everything. */
  forget(): void {
    this.#inboxes.clear();
  }
}
