/**
 * The values that keys hold, beside streams and sorted sets. Each keeps an estimate of its memory (`bytes`) as it changes;
 * the estimates need not equal Redis', they must only follow what is really held.
 */

/** What a small string costs beside its characters. */
const STRING_OVERHEAD_BYTES = 24;
/** What a place in a map or a set costs. */
const SLOT_BYTES = 48;

export class HashValue {
  readonly kind = 'hash';
  readonly fields = new Map<string, string>();
  bytes = 64;
  /** How much of `bytes` the database has added to its total. */
  accounted = 0;

  /** True when the field is new. */
  set(field: string, value: string): boolean {
    const old = this.fields.get(field);
    this.fields.set(field, value);
    if (old !== undefined) {
      this.bytes += value.length - old.length;
      return false;
    }
    this.bytes += field.length + value.length + 2 * STRING_OVERHEAD_BYTES + SLOT_BYTES;
    return true;
  }

  clone(): HashValue {
    const copy = new HashValue();
    for (const [field, value] of this.fields) copy.set(field, value);
    return copy;
  }

  delete(field: string): boolean {
    const old = this.fields.get(field);
    if (old === undefined) return false;
    this.fields.delete(field);
    this.bytes -= field.length + old.length + 2 * STRING_OVERHEAD_BYTES + SLOT_BYTES;
    return true;
  }
}

export class SetValue {
  readonly kind = 'set';
  readonly members = new Set<string>();
  bytes = 64;
  /** How much of `bytes` the database has added to its total. */
  accounted = 0;

  add(member: string): boolean {
    if (this.members.has(member)) return false;
    this.members.add(member);
    this.bytes += member.length + STRING_OVERHEAD_BYTES + SLOT_BYTES;
    return true;
  }

  clone(): SetValue {
    const copy = new SetValue();
    for (const member of this.members) copy.add(member);
    return copy;
  }

  delete(member: string): boolean {
    if (!this.members.delete(member)) return false;
    this.bytes -= member.length + STRING_OVERHEAD_BYTES + SLOT_BYTES;
    return true;
  }
}

/** A list as a ring: both ends cost the same however long it is; the middle costs its length. */
export class ListValue {
  readonly kind = 'list';
  #ring: (string | undefined)[] = new Array(8);
  #head = 0;
  length = 0;
  bytes = 64;
  /** How much of `bytes` the database has added to its total. */
  accounted = 0;

  at(index: number): string | undefined {
    const position = index < 0 ? index + this.length : index;
    if (position < 0 || position >= this.length) return undefined;
    return this.#ring[(this.#head + position) & (this.#ring.length - 1)];
  }

  set(index: number, item: string): void {
    const place = (this.#head + index) & (this.#ring.length - 1);
    this.bytes += item.length - (this.#ring[place] as string).length;
    this.#ring[place] = item;
  }

  push(item: string): void {
    this.#grow();
    this.#ring[(this.#head + this.length) & (this.#ring.length - 1)] = item;
    this.length += 1;
    this.bytes += item.length + STRING_OVERHEAD_BYTES;
  }

  unshift(item: string): void {
    this.#grow();
    this.#head = (this.#head - 1) & (this.#ring.length - 1);
    this.#ring[this.#head] = item;
    this.length += 1;
    this.bytes += item.length + STRING_OVERHEAD_BYTES;
  }

  pop(): string | undefined {
    if (this.length === 0) return undefined;
    this.length -= 1;
    return this.#take((this.#head + this.length) & (this.#ring.length - 1));
  }

  shift(): string | undefined {
    if (this.length === 0) return undefined;
    const place = this.#head;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.length -= 1;
    return this.#take(place);
  }

  /** The items from `start` to `end`, both included; both are within the list. */
  slice(start: number, end: number): string[] {
    const items: string[] = [];
    for (let index = start; index <= end; index += 1) items.push(this.at(index) as string);
    return items;
  }

  clone(): ListValue {
    const copy = new ListValue();
    copy.replace(this.slice(0, this.length - 1));
    return copy;
  }

  /** Makes the list hold these items and no others. */
  replace(items: readonly string[]): void {
    this.#ring = new Array(8);
    this.#head = 0;
    this.length = 0;
    this.bytes = 64;
    for (const item of items) this.push(item);
  }

  #take(place: number): string {
    const item = this.#ring[place] as string;
    this.#ring[place] = undefined;
    this.bytes -= item.length + STRING_OVERHEAD_BYTES;
    if (this.#ring.length > 64 && this.length < this.#ring.length / 4) this.#resize(this.#ring.length / 2);
    return item;
  }

  #grow(): void {
    if (this.length === this.#ring.length) this.#resize(this.#ring.length * 2);
  }

  #resize(size: number): void {
    const ring: (string | undefined)[] = new Array(size);
    for (let index = 0; index < this.length; index += 1) ring[index] = this.at(index);
    this.#ring = ring;
    this.#head = 0;
  }
}
