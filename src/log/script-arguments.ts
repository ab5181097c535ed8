import { ASKED_NAMES, COMMAND_NAMES, JSON_TYPE, RESULT_NAMES } from '../message/envelope.js';
import type { Argument } from './connection.js';
import { joinedPacks, Pack } from './pack.js';

/**
 * The arguments of a script that may be many: as they are while they are few, packed in one from then on.
 *
 * An entry's names and values follow as a *row* (lua/rows.lua): their number and all of them; without the names, where they are those of most
 * commands and facts, of results, or of commands that somebody asks; or, where they are packed and the stream got such an entry before, only what differs from that one, as most of two
 * messages' fields are the same.
 *
 * K1: a text comes out as the same text, packed or not. What `number` adds is a number when packed, and digits otherwise: it is for the
 *     script itself, never for Redis.
 * K2: a row is a difference only to the row before it of the same stream, in the same arguments.
 */

/** So many, those of a message or two, cost less as they are. */
const FEW = 64;
/** More than that cost more than all of them; their count fits in one byte. */
const MOST_CHANGES = 30;
const MOST_VALUES = 127;

/** What a script is given in the end: arguments as they are, or all of them in one. */
export type Given = readonly Argument[] | Buffer;

/** Up to so many keys are looked through: those of a message alone are not worth a Map. */
const FEW_KEYS = 8;

/** Keys in the order in which they are first named, each once. */
export class ScriptKeys {
  readonly names: string[];
  /** of each, once they are many */
  #index: Map<string, number> | undefined;

  constructor(first: string) {
    this.names = [first];
  }

  /** The index in KEYS. */
  at(key: string): number {
    const { names } = this;
    const known = this.#index === undefined ? names.indexOf(key) + 1 : (this.#index.get(key) ?? 0);
    if (known > 0) return known;
    const index = names.push(key);
    if (index > FEW_KEYS) {
      this.#index ??= new Map(names.map((name, i) => [name, i + 1]));
      this.#index.set(key, index);
    }
    return index;
  }
}

export class ScriptArguments {
  readonly #few: Argument[] = [];
  #pack: Pack | undefined;
  /** of each stream, by its index in KEYS */
  readonly #rows: (readonly string[] | undefined)[] = [];
  #taken: Given | undefined;

  text(text: string): void {
    if (this.#pack !== undefined) this.#pack.text(text);
    else this.#add(text);
  }

  /** For the script itself: an integer of 32 bits. */
  number(value: number): void {
    if (this.#pack !== undefined) this.#pack.number(value);
    else this.#add(value);
  }

  /** @param values at least one name and its value; they are remembered, and must stay as they are */
  row(stream: number, values: readonly string[]): void {
    const last = this.#rows[stream];
    this.#rows[stream] = values;
    const pack = this.#pack;
    const comparable = pack !== undefined && last !== undefined && last.length === values.length && values.length <= MOST_VALUES;
    if (comparable && difference(pack, last, values)) return;
    const shape = shapeOf(values);
    this.number(shape < 0 ? values.length : 0);
    if (shape < 0) for (const value of values) this.text(value);
    else {
      this.number(shape);
      for (let i = 1; i < values.length; i += 2) if (i !== TYPE_AT) this.text(values[i] as string);
    }
  }

  /** How many there are so far. */
  get count(): number {
    return this.#pack?.count ?? this.#few.length;
  }

  /** Nothing can be added afterwards; asked again it answers the same. */
  take(): Given {
    this.#taken ??= this.#pack?.take() ?? this.#few;
    return this.#taken;
  }

  #add(argument: Argument): void {
    this.#few.push(argument);
    if (this.#few.length <= FEW) return;
    const pack = new Pack();
    this.#pack = pack;
    for (const early of this.#few.splice(0)) {
      if (typeof early === 'string') pack.text(early);
      else pack.number(early);
    }
  }
}

/** The arguments of `first`, and behind them those of `second`, which knows no row of the first (K2). */
export function joined(first: Given, second: Given): Given {
  if (!Buffer.isBuffer(first) && !Buffer.isBuffer(second)) return [...first, ...second];
  return joinedPacks(packed(first), packed(second));
}

function packed(given: Given): Buffer {
  if (Buffer.isBuffer(given)) return given;
  const pack = new Pack();
  for (const argument of given) {
    if (typeof argument === 'string') pack.text(argument);
    else pack.number(argument);
  }
  return pack.take();
}

/** As lua/rows.lua knows them. */
const SHAPES: readonly (readonly string[])[] = [COMMAND_NAMES, RESULT_NAMES, ASKED_NAMES];
const TYPE_AT = 2 * COMMAND_NAMES.indexOf('datacontenttype') + 1;

/** -1 for none of them. */
function shapeOf(values: readonly string[]): number {
  if (values[TYPE_AT] !== JSON_TYPE) return -1;
  for (let shape = 0; shape < SHAPES.length; shape += 1) if (hasNames(values, SHAPES[shape] as readonly string[])) return shape;
  return -1;
}

function hasNames(values: readonly string[], names: readonly string[]): boolean {
  if (values.length !== 2 * names.length) return false;
  for (let i = 0; i < names.length; i += 1) if (values[2 * i] !== names[i]) return false;
  return true;
}

/** Packs what differs: its count and one, negative; then each place (from 1) and its value, or the place, negative, and where in the row the value stands already. */
function difference(pack: Pack, last: readonly string[], values: readonly string[]): boolean {
  const { length } = values;
  let changes = 0;
  for (let i = 0; i < length; i += 1) if (values[i] !== last[i]) changes += 1;
  if (changes > MOST_CHANGES) return false;
  pack.number(-changes - 1);
  for (let i = 0; i < length; i += 1) {
    const value = values[i] as string;
    if (value === last[i]) continue;
    // The id once more, or the correlation that is the cause, too.
    const twin = i < 2 ? -1 : value === values[1] ? 1 : value === values[i - 2] ? i - 2 : -1;
    if (twin < 0) {
      pack.number(i + 1);
      pack.text(value);
    } else {
      pack.number(-i - 1);
      pack.number(twin + 1);
    }
  }
  return true;
}
