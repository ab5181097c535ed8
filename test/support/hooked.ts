import type { Redis } from 'ioredis';
import type { MemoryRedis } from '../../src/memory-redis/index.js';

/** What a test does to the commands and connections of a system on the way to its in-process Redis. */
export interface Hooks {
  /** runs before a command is sent, which waits for it */
  before?: (command: string, connection: string) => Promise<void> | undefined;
  /** runs after a command was answered, before its sender learns so */
  after?: (command: string, connection: string) => Promise<void> | undefined;
  /** runs after a pipeline was answered, before its sender learns so */
  afterPipeline?: () => Promise<void> | undefined;
  /** new connections of this name are refused */
  refuses?: (connection: string) => boolean;
}

const OWN = new Set(['EVALSHA', 'EVAL', 'XREAD', 'MGET']);

/** The same store, seen through `hooks`: interleavings that are rare by nature become certain. `connection` is its purpose: `control`, `read`, … */
export function hooked(redis: MemoryRedis, hooks: Hooks): MemoryRedis {
  const client = (options: Parameters<MemoryRedis['client']>[0]): Redis => {
    const made = redis.client(options);
    const purpose = options?.connectionName?.split(':').at(-1) ?? '';
    const call = made.call.bind(made) as (command: string, ...args: unknown[]) => Promise<unknown>;
    const connect = made.connect.bind(made);
    const pipeline = made.pipeline.bind(made);
    const between = async (command: string, run: () => Promise<unknown>): Promise<unknown> => {
      const waited = hooks.before?.(command, purpose);
      if (waited !== undefined) await waited;
      const reply = await run();
      const late = hooks.after?.(command, purpose);
      if (late !== undefined) await late;
      return reply;
    };
    made.call = (command: string, ...args: unknown[]) => between(command, () => call(command, ...args));
    // Scripts and reads are sent as requests of their own; all else is sent by `call`.
    const send = made.sendCommand.bind(made);
    made.sendCommand = (command, ...rest) => {
      if (!OWN.has(command.name)) return send(command, ...rest);
      return between(command.name, () => send(command, ...rest) as Promise<unknown>);
    };
    made.connect = () => (hooks.refuses?.(purpose) === true ? Promise.reject(new Error('refused by the test')) : connect());
    made.pipeline = (...args: Parameters<typeof pipeline>) => {
      const pipe = pipeline(...args);
      const exec = pipe.exec.bind(pipe);
      pipe.exec = async () => {
        const replies = await exec();
        await hooks.afterPipeline?.();
        return replies;
      };
      return pipe;
    };
    return made;
  };
  return { ...redis, client };
}

/** Lets `count` turns of the event loop pass. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
}
