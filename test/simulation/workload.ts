import { z } from 'zod';
import {
  Actor,
  type ActorClass,
  type ActorContext,
  actor,
  command,
  type DataOf,
  event,
  handles,
  onReply,
  type ResultMessage,
  subscribes,
  TerminalError,
} from '../../src/index.js';
import { type Clock, sleep } from '../../src/message/clock.js';

/**
 * What the nodes of a simulation do. A message says itself what becomes of it, so that the history can be read, and what a commit must hold
 * follows from the message alone. Each state is the list of the ids of the messages that made it: the exact sequence of its commits.
 */

const word = z.object({
  key: z.string(),
  word: z.string(),
  /** attempts that fail before one succeeds */
  fails: z.number(),
  /** ms that the handler takes */
  takes: z.number(),
  ends: z.enum(['completed', 'declined', 'forgets']),
  /** tells an echo: at once, or so many ms later; negative: does not */
  echo: z.number(),
  publishes: z.boolean(),
});

export type Word = z.infer<typeof word>;

export const Append = command('append', { to: 'list', key: (d) => d.key, data: word, result: z.object({ length: z.number() }) });
export const Echo = command('echo', {
  to: 'echo',
  key: (d) => d.key,
  data: z.object({ key: z.string(), word: z.string(), fails: z.number() }),
});
export const Heard = event('heard', { key: (d) => d.key, data: z.object({ key: z.string(), word: z.string() }) });

interface Ids {
  ids: string[];
}

/** Made by its node, which gives it its clock. */
abstract class Listed extends Actor<Ids> {
  constructor(protected readonly clock: Clock) {
    super();
  }

  override initialState(): Ids {
    return { ids: [] };
  }
}

function define(pipelined: boolean): readonly ActorClass[] {
  @actor('list', { pipelined })
  class List extends Listed {
    @handles(Append)
    async onAppend(data: DataOf<typeof Append>, ctx: ActorContext) {
      this.state.ids.push(ctx.messageId);
      if (data.publishes) ctx.publish(Heard, { key: data.key, word: data.word });
      if (data.echo >= 0) {
        const { key, fails } = data;
        ctx.tell(Echo, { key: `echo of ${key}`, word: data.word, fails: fails > 3 ? 1 : 0 }, data.echo > 0 ? { delay: data.echo } : {});
      }
      if (data.takes > 0) await sleep(this.clock, data.takes);
      if (ctx.attempt <= data.fails) throw new Error(`attempt ${ctx.attempt} fails`);
      if (data.ends === 'declined') throw new TerminalError('declined', { code: 'DECLINED' });
      if (data.ends === 'forgets') ctx.forget();
      return { length: this.state.ids.length };
    }

    @onReply(Echo)
    onEchoed(_result: ResultMessage<typeof Echo>, ctx: ActorContext) {
      this.state.ids.push(ctx.messageId);
    }
  }

  @actor('echo')
  class Echoes extends Listed {
    @handles(Echo)
    onEcho({ fails }: DataOf<typeof Echo>, ctx: ActorContext) {
      this.state.ids.push(ctx.messageId);
      if (ctx.attempt <= fails) throw new Error(`attempt ${ctx.attempt} fails`);
    }
  }

  @actor('ear')
  class Ear extends Listed {
    @subscribes(Heard, { from: 'start' })
    async onHeard(_data: DataOf<typeof Heard>, ctx: ActorContext) {
      this.state.ids.push(ctx.messageId);
      if (ctx.attempt === 1 && ctx.messageId.endsWith('0')) throw new Error('attempt 1 fails');
    }
  }

  @actor('tally', { pipelined: true })
  class Tally extends Listed {
    @subscribes(Heard, { key: () => 'all', from: 'start' })
    onHeard(_data: DataOf<typeof Heard>, ctx: ActorContext) {
      this.state.ids.push(ctx.messageId);
    }
  }

  return [List, Echoes, Ear, Tally];
}

/** The actor classes; `pipelined`: whether the lists are. */
export const ACTORS = { pipelined: define(true), plain: define(false) };
