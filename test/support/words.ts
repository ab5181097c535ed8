import { z } from 'zod';
import { Actor, actor, command, type DataOf, handles } from '../../src/index.js';

/** A list of words for each key: what it shows at the end is the exact sequence of the commits that made it. */
export const Word = command('word', {
  to: 'list',
  key: (d) => d.key,
  data: z.object({ key: z.string(), word: z.string(), work: z.number(), fill: z.string().optional() }),
  result: z.object({ word: z.string(), length: z.number(), fill: z.string().optional() }),
});

/** As `work`: whoever handles the word dies. */
export const DEADLY = -1;

@actor('list')
export class List extends Actor<{ words: string[] }> {
  override initialState() {
    return { words: [] as string[] };
  }

  @handles(Word)
  async onWord({ word, work, fill }: DataOf<typeof Word>) {
    if (work === DEADLY) process.kill(process.pid, 'SIGKILL');
    this.state.words.push(word);
    if (work > 0) await new Promise((resolve) => setTimeout(resolve, work));
    return { word, length: this.state.words.length, ...(fill === undefined ? {} : { fill }) };
  }
}
