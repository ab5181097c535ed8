import { z } from 'zod';
import { Actor, type ActorContext, actor, command, type DataOf, event, handles, subscribes, TerminalError } from '../../src/index.js';

/** Small actors that most tests are told with. */

/** Appends `word` to the list of `key`: the state shows exactly which commits happened, and in which order. */
export const Append = command('append', {
  to: 'list',
  key: (d) => d.key,
  data: z.object({ key: z.string(), word: z.string() }),
  result: z.object({ length: z.number() }),
});

export const Appended = event('appended', { key: (d) => d.key, data: z.object({ key: z.string(), word: z.string() }) });

export interface Words {
  words: string[];
}

/** What a test makes the list actor do on its way; keyed by word. Returns or throws before anything else happens. */
export type Script = (word: string, ctx: ActorContext) => void | Promise<void>;

export function listActor(script: Script = () => undefined, options: { pipelined?: boolean } = {}): new () => Actor<Words> {
  @actor('list', options)
  class List extends Actor<Words> {
    override initialState() {
      return { words: [] as string[] };
    }

    @handles(Append)
    async append({ key, word }: DataOf<typeof Append>, ctx: ActorContext) {
      this.state.words.push(word);
      ctx.publish(Appended, { key, word });
      await script(word, ctx);
      return { length: this.state.words.length };
    }
  }
  return List;
}

/** Counts facts under one key. */
export function countActor(from: 'start' | 'now' = 'now'): new () => Actor<Words> {
  @actor('count')
  class Count extends Actor<Words> {
    override initialState() {
      return { words: [] as string[] };
    }

    @subscribes(Appended, { key: () => 'all', from })
    onAppended({ word }: DataOf<typeof Appended>) {
      this.state.words.push(word);
    }
  }
  return Count;
}

export class Declined extends TerminalError {
  constructor() {
    super('the card was declined', { code: 'DECLINED' });
  }
}
