import test from 'ava';
import { assert, infiniteStream, integer, property } from 'fast-check';
import { CommitBatch } from '../../src/log/commit.js';
import type { Gathering } from '../../src/runtime/committer.js';
import { type Held, heldOf, NOBODY } from '../../src/runtime/held.js';
import { InboxWindow } from '../../src/runtime/inbox-window.js';

function held(n: number): Held {
  return heldOf({ id: `${n}-0`, fields: [] }, NOBODY);
}

/** What the removal written to a commit leaves of a stream. */
function apply(stream: readonly string[], batch: CommitBatch): string[] {
  const writes = batch.arguments('n').writes as (string | number)[]; // so few are not packed
  let left = [...stream];
  // Each write: the command, its key's type, the key, the number of values, and the values.
  for (let at = 0; at < writes.length; at += 4 + Number(writes[at + 3])) {
    const values = writes.slice(at + 4, at + 4 + Number(writes[at + 3])).map(String);
    if (writes[at] === 'XDEL') left = left.filter((entry) => !values.includes(entry));
    else left = left.filter((entry) => Number(entry.split('-')[0]) > Number(values.at(-1)?.split('-')[0]));
  }
  return left;
}

test('each commit removes exactly what it settles, in whatever order messages are settled', (t) => {
  assert(
    property(integer({ min: 1, max: 60 }), infiniteStream(integer({ min: 0, max: 1_000 })), (count, chance) => {
      const window = new InboxWindow('s');
      const all = Array.from({ length: count }, (_, n) => held(n + 1));
      for (const one of all) window.add(one);
      let stream = all.map(({ entry }) => entry);
      let open = [...all];
      const draw = (below: number): number => (chance.next().value as number) % below;
      while (open.length > 0) {
        const removed: Held[] = [];
        for (let n = draw(5) + 1; n > 0 && open.length > 0; n -= 1) removed.push(...open.splice(draw(open.length), 1));
        const batch = new CommitBatch('p');
        window.remove({ batch, removed } as unknown as Gathering);
        stream = apply(stream, batch);
        const expected = open.map(({ entry }) => entry);
        if (JSON.stringify(stream) !== JSON.stringify(expected)) return false;
        open = [...open];
      }
      return true;
    }),
  );
  t.pass();
});
