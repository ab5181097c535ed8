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
import type { Message } from './shadow.js';

/**
 * What the nodes of a simulation do. A message says itself what becomes of it, so that the history can be read, and what a commit must hold
 * follows from the message alone. Each state is the list of the ids of the messages that made it: the exact sequence of its commits.
 */

/** The codes that errors carry; those but the first have a directive of their own. */
const directed = z.enum(['ERROR', 'RESUME', 'STOP', 'ESCALATE']);
export type Directed = z.infer<typeof directed>;
export const DIRECTIVES = { resume: ['RESUME'], stop: ['STOP'], escalate: ['ESCALATE'] };

const failing = z.object({
  /** attempts that fail before one succeeds */
  fails: z.number(),
  /** with which code */
  by: directed,
});

export type Failing = z.infer<typeof failing>;

const word = failing.extend({
  key: z.string(),
  word: z.string(),
  /** how often it kills the process that handles it */
  kills: z.number(),
  /** ms that the handler takes */
  takes: z.number(),
  ends: z.enum(['completed', 'declined', 'forgets']),
  /** tells an echo: at once, or so many ms later; negative: does not */
  echo: z.number(),
  /** attempts of the echo that fail, as this one's do */
  echoFails: z.number(),
  publishes: z.boolean(),
});

export type Word = z.infer<typeof word>;

export const Append = command('append', { to: 'list', key: (d) => d.key, data: word, result: z.object({ length: z.number() }) });
export const Echo = command('echo', {
  to: 'echo',
  key: (d) => d.key,
  data: failing.extend({ key: z.string(), word: z.string() }),
});
export const Heard = event('heard', { key: (d) => d.key, data: z.object({ key: z.string(), word: z.string(), fails: z.number() }) });

/** It kills whoever handles it, until that is mended. */
export const ALWAYS = 1_000;

const NEVER: Failing = { fails: 0, by: 'ERROR' };

/** How often handling a message fails, and how, for as long as what it calls is not mended. */
export function failingOf(message: Pick<Message, 'kind' | 'actor' | 'data' | 'id'>): Failing {
  const { kind, data, id } = message;
  if (kind === 'command') return JSON.parse(data) as Failing;
  if (kind !== 'event' || message.actor !== 'ear') return NEVER;
  const { fails } = JSON.parse(data) as Failing;
  return { fails: Math.max(fails, id.endsWith('0') ? 1 : 0), by: 'ERROR' };
}

interface Ids {
  ids: string[];
}

/** What an actor is given by its node. */
export interface Around {
  readonly clock: Clock;
  readonly outside: { mended(what: string): boolean; kills(what: string, times: number): boolean };
  /** A handler begins; what it returns is called when all is done. */
  begins(messageId: string): () => void;
  /** The node vanishes, killed by this. */
  die(what: string): void;
}

abstract class Listed extends Actor<Ids> {
  constructor(protected readonly around: Around) {
    super();
  }

  /** What the handler calls outside. @throws for as many attempts as the message says, or until it is mended */
  protected call(what: string, { fails, by }: Failing, { attempt }: ActorContext): void {
    if (attempt > fails || this.around.outside.mended(what)) return;
    throw Object.assign(new Error(`attempt ${attempt} fails`), { code: by });
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
      const done = this.around.begins(ctx.messageId);
      this.state.ids.push(ctx.messageId);
      if (data.publishes) ctx.publish(Heard, { key: data.key, word: data.word, fails: 0 });
      if (data.echo >= 0) {
        const { key, word: text, echoFails: fails, by } = data;
        ctx.tell(Echo, { key: `echo of ${key}`, word: text, fails, by }, data.echo > 0 ? { delay: data.echo } : {});
      }
      const what = `append ${data.word}`;
      if (this.around.outside.kills(what, data.kills)) {
        this.around.die(what);
        await new Promise(() => undefined);
      }
      if (data.takes > 0) await sleep(this.around.clock, data.takes);
      this.call(what, data, ctx);
      done();
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
    onEcho(data: DataOf<typeof Echo>, ctx: ActorContext) {
      this.state.ids.push(ctx.messageId);
      this.call(`echo ${data.word}`, data, ctx);
    }
  }

  @actor('ear')
  class Ear extends Listed {
    @subscribes(Heard, { from: 'start' })
    async onHeard({ word: text, fails }: DataOf<typeof Heard>, ctx: ActorContext) {
      this.state.ids.push(ctx.messageId);
      const first = ctx.messageId.endsWith('0') ? 1 : 0;
      this.call(`heard ${text}`, { fails: Math.max(fails, first), by: 'ERROR' }, ctx);
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
