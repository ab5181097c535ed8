/** A script as JavaScript: made once, run with the words of a request. */
import { compileFunction } from 'node:vm';
import type { Args } from '../args.js';
import { readLatin1 } from '../bytes.js';
import { CommandError, type Reply, Status } from '../reply.js';
import { FUEL, FUEL_MESSAGE, MOST_NESTED, NESTED_TOO_DEEPLY, ScriptFailure, type ScriptHost } from '../script-host.js';
import type { Site } from './expressions.js';
import { library, Thrown, textOf } from './library.js';
import * as operations from './operations.js';
import { CallFailed, RedisCalls } from './redis-calls.js';
import { translate } from './translate.js';
import { fuel, LuaTable, type LuaValue, OutOfFuel, SLOT_STEPS, spend, TABLE_STEPS } from './values.js';

const redis = new RedisCalls();
const functions = library(redis);
const ops = { ...operations, spend };
const runs = [...functions.values()].map(({ run }) => run);

type Main = (keys: LuaTable, argv: LuaTable) => LuaValue;

/** What is larger than a 64-bit integer is cut off where the engine's own Lua cuts it off. */
const TOO_LARGE = -(2n ** 63n);

export class CompiledScript {
  /** @returns undefined when the script is one for the WebAssembly Lua */
  static of(source: string): CompiledScript | undefined {
    const translation = translate(source, functions);
    if (translation === undefined) return undefined;
    try {
      const make = compileFunction(translation.code, ['ops', 'lib'], { filename: 'user_script.js' }) as (
        ops: unknown,
        lib: unknown,
      ) => Main;
      return new CompiledScript(make(ops, runs), translation.sites);
    } catch (error) {
      // More of something than V8 takes.
      if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  private constructor(
    private readonly main: Main,
    private readonly sites: readonly Site[],
  ) {}

  /** Words `firstKey` up to `firstArg` are its KEYS, the rest its ARGV. */
  run(args: Args, firstKey: number, firstArg: number, host: ScriptHost): Reply | ScriptFailure {
    fuel.left = FUEL;
    redis.begin(host);
    try {
      // One text for all words: each is a piece of it, and lives no longer than the script.
      const from = firstKey < args.count ? (args.starts[firstKey] as number) : 0;
      const whole = firstKey < args.count ? readLatin1(args.source, from, args.ends[args.count - 1] as number) : '';
      const argv = words(whole, from, args, firstArg, args.count);
      return replyOf(this.main(words(whole, from, args, firstKey, firstArg), argv), MOST_NESTED);
    } catch (error) {
      return this.#failure(error);
    } finally {
      redis.end();
    }
  }

  #failure(error: unknown): ScriptFailure {
    if (error instanceof CallFailed) return new ScriptFailure(error.reply.message, this.#line(error.site), true);
    if (error instanceof operations.Refusal) return this.#refused(error);
    if (error instanceof Thrown) return this.#thrown(error);
    if (error instanceof OutOfFuel) return new ScriptFailure(FUEL_MESSAGE, 0, false);
    if (error instanceof RangeError) return new ScriptFailure(`ERR the script engine gave up: ${error.message}`, 0, false);
    throw error;
  }

  #refused({ site, message, operand, type }: operations.Refusal): ScriptFailure {
    if (site === operations.NOWHERE) return new ScriptFailure(message, 0, false);
    const { line, names, function: called } = this.sites[site] as Site;
    const name = names[operand] ?? '';
    const value = name === '' ? `a ${type} value` : `${name} (a ${type} value)`;
    const said = message.replace('{function}', () => called).replace('{operand}', () => value);
    return new ScriptFailure(`user_script:${line}: ${said}`, line, false);
  }

  #thrown({ site, value }: Thrown): ScriptFailure {
    const line = this.#line(site);
    if (typeof value === 'string' || typeof value === 'number')
      return new ScriptFailure(`user_script:${line}: ${textOf(value)}`, line, false);
    const said = value instanceof LuaTable ? value.get('err') : undefined;
    return typeof said === 'string' ? new ScriptFailure(said, line, true) : new ScriptFailure(textOf(value), line, false);
  }

  #line(site: number): number {
    return (this.sites[site] as Site).line;
  }
}

function words(whole: string, base: number, args: Args, from: number, to: number): LuaTable {
  const items: LuaValue[] = [];
  for (let index = from; index < to; index += 1) {
    items.push(whole.substring((args.starts[index] as number) - base, (args.ends[index] as number) - base));
  }
  return new LuaTable(items);
}

/** What a script returned, as Redis answers it. */
function replyOf(value: LuaValue, left: number): Reply {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return integerOf(value);
  if (value === undefined || value === false) return null;
  if (value === true) return 1;
  if (left === 0) return NESTED_TOO_DEEPLY;
  spend(TABLE_STEPS + SLOT_STEPS * value.length); // a table may stand in many places
  const said = textIn(value.get('err'));
  // A leading dash is the error's mark, which scripts may write themselves.
  if (said !== undefined) return new CommandError(said.replace(/^(?:ERR )?-/, ''));
  const status = textIn(value.get('ok'));
  if (status !== undefined) return new Status(status.replace(/[\r\n]/g, ' '));
  const items: Reply[] = [];
  for (const item of value.items) {
    if (item === undefined) break;
    const reply = replyOf(item, left - 1);
    if (reply === NESTED_TOO_DEEPLY) return reply;
    items.push(reply);
  }
  return items;
}

function textIn(value: LuaValue): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? textOf(value) : undefined;
}

function integerOf(value: number): number | bigint {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) return whole === 0 ? 0 : whole;
  if (Number.isNaN(whole)) return 0;
  return whole >= 2 ** 63 || whole < -(2 ** 63) ? TOO_LARGE : BigInt(whole);
}
