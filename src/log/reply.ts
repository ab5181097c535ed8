import { describe, RedisError } from '../message/errors.js';

/**
 * Replies are checked before they are used. A reply of another shape than Redis documents (a proxy or a client option changes it) is an error
 * of its own, never a value.
 */

/** Of one command among several: its reply, or why Redis refused it. */
export type Answer =
  | { readonly kind: 'reply'; readonly reply: unknown }
  /** nothing of this command was done; the others were answered by themselves */
  | { readonly kind: 'refused'; readonly error: RedisError };

/** @throws RedisError `REDIS_REPLY` */
export function unexpected(reply: unknown, command: string, expected: string): never {
  throw new RedisError('REDIS_REPLY', `Redis answered ${describe(reply)} to ${command}, expected ${expected}`);
}

/** @throws RedisError `REDIS_REPLY` */
export function stringOf(reply: unknown, command: string): string {
  return typeof reply === 'string' ? reply : unexpected(reply, command, 'a string');
}

/** A string, or undefined where Redis has none. @throws RedisError `REDIS_REPLY` */
export function optionalStringOf(reply: unknown, command: string): string | undefined {
  return reply === null ? undefined : stringOf(reply, command);
}

/** @throws RedisError `REDIS_REPLY` */
export function stringsOf(reply: unknown, command: string): string[] {
  if (!Array.isArray(reply)) return unexpected(reply, command, 'an array of strings');
  for (const item of reply as unknown[]) if (typeof item !== 'string') return unexpected(item, command, 'an array of strings');
  return reply as string[];
}

/** Strings, and null for each that Redis does not have. @throws RedisError `REDIS_REPLY` */
export function optionalStringsOf(reply: unknown, command: string): (string | null)[] {
  if (!Array.isArray(reply)) return unexpected(reply, command, 'an array of strings and nulls');
  for (const item of reply as unknown[]) {
    if (typeof item !== 'string' && item !== null) return unexpected(item, command, 'an array of strings and nulls');
  }
  return reply as (string | null)[];
}

/** Names and values, or members and scores, one after the other. @throws RedisError `REDIS_REPLY` */
export function pairsOf(reply: unknown, command: string): [string, string][] {
  const flat = stringsOf(reply, command);
  if (flat.length % 2 === 1) return unexpected(reply, command, 'an array of pairs');
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i] as string, flat[i + 1] as string]);
  return pairs;
}

/** A whole number, as counts and lengths are. @throws RedisError `REDIS_REPLY` */
export function countOf(reply: unknown, command: string): number {
  return typeof reply === 'number' && Number.isInteger(reply) ? reply : unexpected(reply, command, 'a whole number');
}

/** A sorted set's score; people may write infinite ones by hand. @throws RedisError `REDIS_REPLY` */
export function scoreOf(text: string, command: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  if (text === '-inf') return Number.NEGATIVE_INFINITY;
  const score = text === '' ? Number.NaN : Number(text);
  return Number.isNaN(score) ? unexpected(text, command, 'a score') : score;
}
