/**
 * One numbered database: keys, their expiry, and who waits for them or watches them.
 *
 * 1. Every change of a key's value ends in `set`, `remove` or `changed`: they keep the memory estimate, dirty the watchers and wake the waiting.
 * 2. A key whose time has come is never seen: every look-up goes through `get`, which removes it first.
 */
import { HashValue, ListValue, SetValue } from './collections.js';
import { ExpiryQueue } from './expiry.js';
import { WRONG_TYPE } from './reply.js';
import { SortedSet } from './sorted-set.js';
import { Stream } from './stream.js';

export type Value = string | HashValue | ListValue | SetValue | SortedSet | Stream;

/** What a key costs beside its name and its value. */
const KEY_OVERHEAD_BYTES = 72;

/** Totals that all databases share, and the moment at which the running command began. */
export interface Shared {
  now: number;
  usedBytes: number;
  /** Counts changes; a command that moved it has written. */
  dirty: number;
  expired: number;
  /** Keys that clients are blocked on and that have changed since those were last served, in the order they changed. */
  readonly ready: Map<Database, Set<string>>;
}

export interface Watcher {
  dirty: boolean;
}

export interface Waiter {
  /** Called when a key it waits for may have something for it. True when it was served, and waits no more. */
  serve(key: string): boolean;
}

export class Database {
  #values = new Map<string, Value>();
  #expires = new ExpiryQueue();
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** Who is blocked on a key, first come first served. */
  readonly waiters = new Map<string, Set<Waiter>>();

  constructor(
    readonly index: number,
    readonly shared: Shared,
  ) {}

  get size(): number {
    return this.#values.size;
  }

  get expiring(): number {
    return this.#expires.size;
  }

  /** All keys, expired ones too: ask `get` before showing one. */
  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined || this.#expires.size === 0) return value;
    const at = this.#expires.get(key);
    if (at === undefined || at > this.shared.now) return value;
    this.#expire(key);
    return undefined;
  }

  string(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined || typeof value === 'string') return value;
    throw WRONG_TYPE;
  }

  hash(key: string): HashValue | undefined {
    const value = this.get(key);
    if (value === undefined || value instanceof HashValue) return value;
    throw WRONG_TYPE;
  }

  list(key: string): ListValue | undefined {
    const value = this.get(key);
    if (value === undefined || value instanceof ListValue) return value;
    throw WRONG_TYPE;
  }

  members(key: string): SetValue | undefined {
    const value = this.get(key);
    if (value === undefined || value instanceof SetValue) return value;
    throw WRONG_TYPE;
  }

  sorted(key: string): SortedSet | undefined {
    const value = this.get(key);
    if (value === undefined || value instanceof SortedSet) return value;
    throw WRONG_TYPE;
  }

  stream(key: string): Stream | undefined {
    const value = this.get(key);
    if (value === undefined || value instanceof Stream) return value;
    throw WRONG_TYPE;
  }

  /** Gives the key this value. Its expiry goes unless `keepExpiry`. */
  set(key: string, value: Value, keepExpiry = false): void {
    const old = this.#values.get(key);
    if (old === undefined) this.shared.usedBytes += KEY_OVERHEAD_BYTES + key.length;
    else if (old !== value || typeof old === 'string') this.#release(old);
    this.#values.set(key, value);
    if (!keepExpiry && this.#expires.size > 0) this.#expires.delete(key);
    if (typeof value === 'string') {
      this.shared.usedBytes += value.length;
      this.#touch(key);
      if (this.waiters.size > 0 && this.waiters.has(key)) this.#wake(key);
    } else this.changed(key, value);
  }

  /** The key's value has been changed in place. With `wake` false, nobody who waits for the key has a reason to look. */
  changed(key: string, value: Exclude<Value, string>, wake = true): void {
    this.shared.usedBytes += value.bytes - value.accounted;
    value.accounted = value.bytes;
    this.#touch(key);
    if (wake && this.waiters.size > 0 && this.waiters.has(key)) this.#wake(key);
  }

  #release(value: Value): void {
    if (typeof value === 'string') {
      this.shared.usedBytes -= value.length;
      return;
    }
    this.shared.usedBytes -= value.accounted;
    value.accounted = 0;
  }

  /** Removes the key; false when there was none. */
  remove(key: string): boolean {
    if (this.get(key) === undefined) return false;
    this.#drop(key);
    this.#touch(key);
    return true;
  }

  #drop(key: string): void {
    const value = this.#values.get(key) as Value;
    this.#values.delete(key);
    if (this.#expires.size > 0) this.#expires.delete(key);
    this.#release(value);
    this.shared.usedBytes -= KEY_OVERHEAD_BYTES + key.length;
    // Readers of a consumer group are told that it is gone; the others find nothing and go on waiting.
    if (this.waiters.size > 0 && this.waiters.has(key)) this.#wake(key);
  }

  #touch(key: string): void {
    this.shared.dirty += 1;
    if (this.#watchers.size === 0) return;
    for (const watcher of this.#watchers.get(key) ?? []) watcher.dirty = true;
  }

  #expire(key: string): void {
    this.#drop(key);
    this.shared.expired += 1;
    for (const watcher of this.#watchers.get(key) ?? []) watcher.dirty = true;
  }

  /** When the key expires, or undefined. */
  expiry(key: string): number | undefined {
    return this.#expires.get(key);
  }

  /** Makes the key expire at `at` (never: undefined). The key is there. */
  setExpiry(key: string, at: number | undefined): void {
    if (at === undefined) this.#expires.delete(key);
    else this.#expires.set(key, at);
    this.#touch(key);
  }

  /** Removes keys whose time has come, at most `most` of them. */
  expireDue(most: number): void {
    for (let count = 0; count < most; count += 1) {
      const key = this.#expires.due(this.shared.now);
      if (key === undefined) return;
      this.#expire(key);
    }
  }

  /** Exchanges the data of two databases; who watches or waits stays where he is, and sees other data. */
  swap(other: Database): void {
    if (other === this) return;
    [this.#values, other.#values] = [other.#values, this.#values];
    [this.#expires, other.#expires] = [other.#expires, this.#expires];
    this.shared.dirty += 1;
    for (const db of [this, other]) {
      for (const [key, watchers] of db.#watchers) {
        if (this.#values.has(key) || other.#values.has(key)) for (const watcher of watchers) watcher.dirty = true;
      }
      for (const key of db.waiters.keys()) db.#wake(key);
    }
  }

  #wake(key: string): void {
    const keys = this.shared.ready.get(this);
    if (keys === undefined) this.shared.ready.set(this, new Set([key]));
    else keys.add(key);
  }

  clear(): void {
    for (const key of this.#watchers.keys())
      if (this.#values.has(key)) for (const watcher of this.#watchers.get(key) ?? []) watcher.dirty = true;
    this.shared.dirty += this.#values.size;
    for (const key of this.#values.keys()) this.#drop(key);
    this.#expires.clear();
  }

  estimatedBytes(key: string, value: Value): number {
    return KEY_OVERHEAD_BYTES + key.length + (typeof value === 'string' ? value.length : value.bytes);
  }

  watch(key: string, watcher: Watcher): void {
    let watchers = this.#watchers.get(key);
    if (watchers === undefined) this.#watchers.set(key, (watchers = new Set()));
    watchers.add(watcher);
  }

  unwatch(key: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(key);
  }

  wait(key: string, waiter: Waiter): void {
    let waiters = this.waiters.get(key);
    if (waiters === undefined) this.waiters.set(key, (waiters = new Set()));
    waiters.add(waiter);
  }

  stopWaiting(key: string, waiter: Waiter): void {
    const waiters = this.waiters.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.waiters.delete(key);
  }
}
