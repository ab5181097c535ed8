import type { AsideLists } from '../log/aside.js';
import type { Link } from '../log/connection.js';
import { asError, RedisError } from '../message/errors.js';
import { type Held, listOf } from './held.js';

/**
 * Actor keys whose aside list somebody has made another type by hand. Such a key cannot wait, nor can what is lost be brought back. It stops
 * alone: its messages become dead letters (`REDIS_WRONG_TYPE`) until its list is put right or deleted, and the other keys of its partition go on.
 */

/** By the list's name in Redis, so that a partition that is acquired anew need not meet the refusal again. */
export type Spoiled = Map<string, RedisError>;

interface Options {
  readonly lists: AsideLists;
  readonly link: Link;
  /** of the actor type on this node */
  readonly known: Spoiled;
  /** a list is right again: what stands there is to be read */
  readonly mended: (name: string) => void;
  readonly condemn: (held: Held, error: RedisError) => void;
  /** a list is found to be of no use */
  readonly told: (error: RedisError) => void;
  readonly onFailed: (error: Error) => void;
}

export class SpoiledLists {
  #last: Promise<void> = Promise.resolve();

  constructor(private readonly options: Options) {}

  /** Why something failed. @returns whether it was for a list of another type */
  learn(error: unknown): boolean {
    const { lists, known, told } = this.options;
    if (!(error instanceof RedisError) || error.code !== 'REDIS_WRONG_TYPE' || error.key === undefined) return false;
    if (!lists.isList(error.key)) return false;
    if (!known.has(error.key)) told(error);
    known.set(error.key, error);
    return true;
  }

  has(held: Held): boolean {
    const { known, lists } = this.options;
    return known.size > 0 && known.has(lists.name(listOf(held)));
  }

  /** One message at a time: by then its list may be right again. */
  take(held: Held): void {
    const { onFailed } = this.options;
    this.#last = this.#last.then(() => this.#judge(held)).catch((thrown: unknown) => onFailed(asError(thrown)));
  }

  async #judge(held: Held): Promise<void> {
    const { lists, link, known, mended, condemn } = this.options;
    const name = lists.name(listOf(held));
    const error = known.get(name);
    if (error === undefined) return; // the partition is about to be read anew
    if (!(await lists.usable(link, name))) return condemn(held, error);
    if (known.delete(name)) mended(name);
  }
}
